"""Family files: TOML facts in a leading Jinja comment, a score template beneath; the same bytes go to `--chat-template`.

Knows nothing of rendering, and does not read Jinja: to it the template is text below a comment.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from workbench.types import ClipSampling, Family, PixelLimits, Placeholders, ScoreTemplate, TemplateInvalid

COMMENT = re.compile(r"\A\s*\{#[-+]?(?P<facts>.*?)-?#\}", re.S)
REQUIRED = ("name", "scorer", "labels", "default_instruction", "max_length")
OPTIONAL = ("models", "architectures", "placeholders", "layout", "image", "video", "notes")
LAYOUTS = ("joint", "pair", "separate")
PIXELS: Mapping[str, type] = {"min_pixels": int, "max_pixels": int}
SAMPLING: Mapping[str, type] = {"fps": float, "min_frames": int, "max_frames": int, **PIXELS, "total_pixels": int}


def read_family(source: str, name: str) -> Family:
    """One family file. `name` says in errors which file it is. TemplateInvalid names the fact that is missing or wrong."""
    facts = _Facts(_facts(source, name), name)
    facts.only(REQUIRED + OPTIONAL, REQUIRED)
    image, video = facts.table("image", PIXELS), facts.table("video", SAMPLING)
    return Family(
        name=facts.get("name", str),
        scorer=facts.get("scorer", str),
        template=_template(source, facts, Placeholders()),
        models=facts.texts("models"),
        architectures=facts.texts("architectures"),
        labels=facts.pair("labels"),
        default_instruction=facts.get("default_instruction", str),
        max_length=facts.get("max_length", int),
        image=PixelLimits(**image) if image else None,
        video=ClipSampling(**video) if video else None,
        source=source,
        notes=facts.get("notes", str, ""),
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
    layout = facts.get("layout", str, layout)
    if layout not in LAYOUTS:
        raise facts.wrong("layout", f"one of {', '.join(LAYOUTS)}", layout)
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
            raise self.wrong(
                key, {str: "a text", int: "a whole number", float: "a number", dict: "a table"}[kind], value
            )
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise self.wrong(key, "a list of texts", value)
        return tuple(value)

    def pair(self, key: str) -> tuple[str, str]:
        value = self.texts(key)
        if len(value) != 2:
            raise self.wrong(key, "two texts (true, false)", list(value))
        return value[0], value[1]

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
