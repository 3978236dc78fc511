"""Family files: TOML facts in a leading Jinja comment, a score template beneath; the same bytes go to `--chat-template`.

Knows nothing of rendering, and does not read Jinja: to it the template is text below a comment.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from workbench.errors import TemplateInvalid
from workbench.types import ClipSampling, Family, PixelLimits, Placeholders, ScoreTemplate

COMMENT = re.compile(r"\A\s*\{#[-+]?(?P<facts>.*?)-?#\}", re.S)
REQUIRED = ("name", "scorer", "max_length")
OPTIONAL = (
    "labels", "default_instruction", "models", "architectures", "placeholders", "layout", "image", "video", "notes",
    "method", "instruction", "temperature", "separator", "bidirectional", "remote", "recipe", "checked",
)  # fmt: skip
LABELLED = ("labels", "default_instruction")  # what a scorer that reads label tokens needs besides
LAYOUTS = ("joint", "pair", "separate")
METHODS = ("from_2_way_softmax", "no_post_processing", "sequence_head")
WORDS = {str: "a text", int: "a whole number", float: "a number", dict: "a table", bool: "true or false"}
PIXELS: Mapping[str, type] = {"min_pixels": int, "max_pixels": int}
SAMPLING: Mapping[str, type] = {"fps": float, "min_frames": int, "max_frames": int, **PIXELS, "total_pixels": int}


def read_family(source: str, name: str) -> Family:
    """One family file. `name` says in errors which file it is. TemplateInvalid names the fact that is missing or wrong."""
    facts = _Facts(_facts(source, name), name)
    labelled = facts.values.get("scorer") == "yes_no" and facts.values.get("method") != "sequence_head"
    facts.only(REQUIRED + OPTIONAL, REQUIRED + (LABELLED if labelled else ()))
    image, video = facts.table("image", PIXELS), facts.table("video", SAMPLING)
    return Family(
        name=facts.get("name", str),
        scorer=facts.get("scorer", str),
        template=_template(source, facts, Placeholders()),
        models=facts.texts("models"),
        architectures=facts.texts("architectures"),
        labels=facts.labels() if labelled else facts.texts("labels"),
        default_instruction=facts.get("default_instruction", str, ""),
        max_length=facts.get("max_length", int),
        image=PixelLimits(**image) if image else None,
        video=ClipSampling(**video) if video else None,
        source=source,
        notes=facts.get("notes", str, ""),
        method=facts.one_of("method", METHODS),
        instruction=facts.one_of("instruction", ("template", "none")),
        temperature=facts.get("temperature", float, 1.0),
        separator=facts.get("separator", str, ""),
        bidirectional=facts.get("bidirectional", bool, False),
        remote=facts.get("remote", str, ""),
        recipe=facts.get("recipe", str, ""),
        checked=facts.get("checked", str, ""),
    )


def read_families(folder: Path) -> dict[str, Family]:
    """All family files (*.jinja) of a folder by the name in their facts, in the order of file names."""
    families: dict[str, Family] = {}
    for path in sorted(folder.glob("*.jinja")):
        try:
            source = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise TemplateInvalid(f"cannot be read ({error})", where=path.name) from error
        family = read_family(source, path.name)
        if family.name in families:
            raise TemplateInvalid(f"repeats the name {family.name!r} of another file", where=path.name)
        families[family.name] = family
    return families


def template_of(source: str, fallback: Family | None = None) -> ScoreTemplate:
    """Any template text as a ScoreTemplate; its body is the whole text, so that line numbers are those of the file.

    Placeholders and layout come from its facts where it has readable ones, else from `fallback`: to vLLM they are a comment.
    """
    otherwise = fallback.template if fallback else ScoreTemplate("")
    try:
        facts = _Facts(_facts(source, "template"), "template")
        return _template(source, facts, otherwise.placeholders, otherwise.layout)
    except TemplateInvalid:
        return ScoreTemplate(source, otherwise.placeholders, otherwise.layout)


def split_facts(source: str) -> tuple[str, str]:
    """(the comment with the facts, the prompt beneath): an editor shows the second, a file for production has both."""
    comment = COMMENT.match(source)
    try:
        _facts(source, "template")
    except TemplateInvalid:
        return "", source
    at = comment.end() if comment else 0
    return source[:at] + "\n", source[at:].lstrip("\r\n")


def _facts(source: str, where: str) -> dict[str, Any]:
    comment = COMMENT.match(source)
    if comment is None:
        raise TemplateInvalid("does not open with its facts", where=where, hint="Write them as TOML in {#- … -#}.")
    try:
        return tomllib.loads(comment["facts"].replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        raise TemplateInvalid(f"its facts are no TOML: {error}", where=where) from error


def _template(source: str, facts: _Facts, placeholders: Placeholders, layout: Any = "joint") -> ScoreTemplate:
    given = facts.table("placeholders", {"image": str, "video": str}, optional=True)
    layout = facts.one_of("layout", LAYOUTS, layout)
    return ScoreTemplate(source, Placeholders(**given) if given else placeholders, layout)


class _Facts:
    """A TOML table whose readers say which fact is wrong, and in which file."""

    def __init__(self, values: dict[str, Any], where: str, within: str = "") -> None:
        self.values, self.where, self.within = values, where, within

    def only(self, known: tuple[str, ...], required: tuple[str, ...]) -> None:
        if missing := [k for k in required if k not in self.values]:
            raise TemplateInvalid(f"lacks the facts {', '.join(self.within + k for k in missing)}", where=self.where)
        if unknown := [k for k in self.values if k not in known]:
            hint = f"Known are {', '.join(known)}."
            raise TemplateInvalid(
                f"has unknown facts {', '.join(self.within + k for k in unknown)}", where=self.where, hint=hint
            )

    def wrong(self, key: str, expected: str, value: object) -> TemplateInvalid:
        return TemplateInvalid(f"the fact {self.within}{key} is not {expected}: {value!r}", where=self.where)

    def get(self, key: str, kind: type, otherwise: Any = None) -> Any:
        value = self.values.get(key, otherwise)
        if kind is float and type(value) is int:
            return float(value)
        if type(value) is not kind:
            raise self.wrong(key, WORDS[kind], value)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise self.wrong(key, "a list of texts", value)
        return tuple(value)

    def one_of(self, key: str, known: tuple[str, ...], otherwise: str = "") -> Any:
        value = self.get(key, str, otherwise or known[0])
        if value not in known:
            raise self.wrong(key, f"one of {', '.join(known)}", value)
        return value

    def labels(self) -> tuple[str, ...]:
        """Two of them, or one where the method reads one row."""
        value, single = self.texts("labels"), self.values.get("method") == "no_post_processing"
        if len(value) != (1 if single else 2):
            raise self.wrong("labels", "one text" if single else "two texts (true, false)", list(value))
        return value

    def table(self, key: str, kinds: Mapping[str, type], *, optional: bool = False) -> dict[str, Any]:
        """The table's values, {} where there is none; `optional`: any of its keys may be missing."""
        if key not in self.values:
            return {}
        table = _Facts(self.get(key, dict), self.where, f"{key}.")
        table.only(tuple(kinds), () if optional else tuple(kinds))
        return dict(_checked(table, kinds))


def _checked(table: _Facts, kinds: Mapping[str, type]) -> Iterator[tuple[str, Any]]:
    for key, kind in kinds.items():
        if key in table.values:
            yield key, table.get(key, kind)
