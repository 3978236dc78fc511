"""What a prompt depends on, found out by rendering it again with one thing altered each time.

Knows nothing of models or tokens, and reads no Jinja: what the renders say is all it believes.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from workbench.errors import WorkbenchError
from workbench.template import Renderer, Settings
from workbench.types import JSON

CLIP = 400  # characters of a side that a probe keeps
PLAIN: Settings = (False, False, False)  # Jinja as it comes: what SGLang and scripts render with
COMMENT = re.compile(r"\{#.*?#\}", re.S)
LITERAL = re.compile(r"""(['"])([A-Za-z][\w-]{0,23})\1""")
ROLES = ("system", "user", "assistant", "instruction", "developer", "tool", "context", "passage")
MOST_ROLES = 6
EMPTY: Mapping[str, JSON] = {
    "add_generation_prompt": True,
    "tools": [{"type": "function"}],
    "documents": [{"text": "x"}],
}

Question = dict[str, JSON]


@dataclass(frozen=True, slots=True)
class Probes:
    """Whether the prompt changes with the query, the document, the instruction.

    `roles` that no message has and whose messages it would render; `parts`: it would show contents that come as lists of
    parts; `empty`: names that are always false or empty here and would change it; `settled`: plain Jinja renders the same
    bytes; `document_first`: the document stands in front of the query.
    """

    query: bool
    document: bool
    instruction: bool
    roles: tuple[str, ...] = ()
    parts: bool = False
    empty: tuple[str, ...] = ()
    settled: bool = True
    document_first: bool = False


def probe(
    renderer: Renderer, body: str, query: str, document: str, variables: Mapping[str, JSON],
    special_tokens: Mapping[str, str],
) -> Probes | None:  # fmt: skip
    """None where the template does not compile or its renders take too long: then nothing is known."""
    asked = _questions(body, query[:CLIP], document[:CLIP], variables)
    try:
        _, answers = renderer.probe(body, list(asked.values()), special_tokens=special_tokens)
    except WorkbenchError:
        return None
    return _read(dict(zip(asked, answers, strict=True)))


MARKS = {name: f"{name[:1]}{secrets.token_hex(6)}" for name in ("query", "document", "instruction", "third", "role")}


def _questions(body: str, query: str, document: str, variables: Mapping[str, JSON]) -> dict[str, Question]:
    q, d = ({"role": r, "content": c} for r, c in (("query", query), ("document", document)))
    both: Question = {"messages": [q, d], "variables": dict(variables)}

    def marked(side: Mapping[str, str]) -> Question:
        return {**side, "content": MARKS[side["role"]] + side["content"] + MARKS[side["role"]]}

    def parts(side: Mapping[str, str]) -> Question:
        return {**side, "content": [{"type": "text", "text": marked(side)["content"]}]}

    told = {**variables, "instruction": MARKS["instruction"]}
    asked: dict[str, Question] = {
        "base": both,
        "query": {**both, "messages": [marked(q), d]},
        "document": {**both, "messages": [q, marked(d)]},
        "both": {**both, "messages": [marked(q), marked(d)]},
        "instruction": {**both, "variables": told},
        "parts query": {**both, "messages": [parts(q), d]},
        "parts document": {**both, "messages": [q, parts(d)]},
        "settings": {**both, "settings": list(PLAIN)},
    }
    for name, value in EMPTY.items():
        if name in body and name not in variables:
            asked[f"empty {name}"] = {**both, "variables": {**variables, name: value}}
    if roles := _literals(body):
        for role in ("query", "document", MARKS["role"], *roles):
            third = {"role": role, "content": MARKS["third"]}
            asked[f"behind {role}"] = {**both, "messages": [q, d, third]}
            asked[f"before {role}"] = {**both, "messages": [third, q, d]}
    return asked


def spoken(body: str) -> str:
    """The template with its comments blanked, place for place."""
    return COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), body)


def _literals(body: str) -> list[str]:
    """Words in quotes that could be roles, those that chat templates use first: which of them are, the renders say."""
    found = dict.fromkeys(m[2] for m in LITERAL.finditer(spoken(body)) if m[2] not in ("query", "document"))
    return sorted(found, key=lambda word: ROLES.index(word) if word in ROLES else len(ROLES))[:MOST_ROLES]


def _read(texts: Mapping[str, str | None]) -> Probes:
    base = texts["base"]
    if base is None:  # what else it depends on cannot be seen
        return Probes(True, True, True, tuple(_unmet(texts)))
    changes = {name: texts[name] != base for name in ("query", "document", "instruction")}  # no text is another one
    both = texts["both"] or ""
    places = [both.find(MARKS[side]) for side in ("query", "document")]
    return Probes(
        **changes,
        roles=tuple(_unmet(texts)),
        parts=any(not changes[side] and _shows(texts[f"parts {side}"], side) for side in ("query", "document")),
        empty=tuple(name for name in EMPTY if texts.get(f"empty {name}") not in (None, base)),
        settled=texts["settings"] in (None, base),
        document_first=0 <= places[1] < places[0],
    )


def _shows(text: str | None, side: str) -> bool:
    """Whether a side that came as parts is there as text, and not as Python writes a list."""
    return text is not None and MARKS[side] in text and "'type'" not in text


def _unmet(texts: Mapping[str, str | None]) -> Iterator[str]:
    """Roles whose third message is rendered otherwise than one of a role that nobody knows, and than a query or document; or
    which alone make a template render that does not without them."""
    for role in dict.fromkeys(name.split(" ", 1)[1] for name in texts if name.startswith("behind ")):
        if role in ("query", "document", MARKS["role"]):
            continue
        for place in ("behind", "before"):
            text, nobody = texts[f"{place} {role}"], texts[f"{place} {MARKS['role']}"]
            known = [texts[f"{place} {side}"] for side in ("query", "document")]
            other = texts["base"] is None if nobody is None else text != nobody.replace(MARKS["role"], role)
            if text is not None and other and text not in known:
                yield role
                break
