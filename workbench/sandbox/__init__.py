"""Score templates to prompts: the tasks of the disposable process in which untrusted templates are compiled and rendered.

Knows nothing of requests, models or tokens, and takes plain JSON values only: a picture or a path in the context would let
a template read and write files.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from time import perf_counter, process_time
from typing import Any

from jinja2 import Template

from workbench.errors import TemplateInvalid, TemplateLimit
from workbench.marks import find_segments
from workbench.sandbox._environment import compile_template, explain, make_environment
from workbench.sandbox._steady import rewrite
from workbench.types import JSON

MAX_OUTPUT = 1 << 20
KEPT = 32  # compiled templates
SEGMENT_SECONDS = 0.2  # a plain render slower than this is not repeated with marks
PROBE_SECONDS = 0.3  # of work; questions behind it stay unanswered

Compiled = tuple[Template, frozenset[str]]
_environment = cache(make_environment)


def render(arguments: JSON, blobs: list[bytes]) -> tuple[JSON, list[bytes]]:
    """One prompt. Arguments: "body", "query", "document", "variables", "special_tokens".

    Answers {"segments": [[kind, start, end], …] or null, "unread": names of variables the template never reads} and the text
    as UTF-8. Raises TemplateInvalid or TemplateLimit with the line of the template.
    """
    template, names = _compile(arguments["body"])
    variables: dict[str, JSON] = arguments["variables"]
    read = {name: value for name, value in variables.items() if name in names}
    context = {**arguments["special_tokens"], **read, "tools": None, "documents": None, "add_generation_prompt": False}
    given = {"query": arguments["query"], "document": arguments["document"]}

    def with_values(values: Mapping[str, str], most: int = 2 * MAX_OUTPUT) -> str:
        sides = {**given, **values}
        messages = [{"role": role, "content": sides[role]} for role in ("query", "document")]
        asked = {"instruction": values["instruction"]} if "instruction" in values else {}
        return _text(template, {**context, **asked, "messages": messages}, most)

    started = perf_counter()
    plain = with_values({}, MAX_OUTPUT)
    encoded = _encode(plain)
    segments = None
    if perf_counter() - started < SEGMENT_SECONDS:
        instruction = read.get("instruction")
        marked = given | ({"instruction": instruction} if isinstance(instruction, str) else {})
        try:
            segments = find_segments(plain, marked, with_values, default="instruction" in names)
        except TemplateInvalid:  # a template that takes the plain values and refuses the marked ones
            segments = None
    return {"segments": segments, "unread": [name for name in variables if name not in names]}, [encoded]


def check(arguments: JSON, blobs: list[bytes]) -> tuple[JSON, list[bytes]]:
    """The names a template reads without setting them, sorted; Jinja's own functions are left out."""
    _, names = _compile(arguments["body"])
    return sorted(names - set(_environment().globals)), []


def render_under(arguments: JSON, blobs: list[bytes]) -> tuple[JSON, list[bytes]]:
    """One prompt as another program makes it. Arguments as `render`; "settings": trim_blocks, lstrip_blocks and
    keep_trailing_newline; "roles" of the two messages. Answers the text as UTF-8; an error raises as there.
    """
    context = {**arguments["special_tokens"], **arguments["variables"]}
    context |= {"tools": None, "documents": None, "add_generation_prompt": False}
    sides = (arguments["query"], arguments["document"])
    context["messages"] = [{"role": r, "content": s} for r, s in zip(arguments["roles"], sides, strict=True)]
    template = _compile_with(arguments["body"], *arguments["settings"])
    return None, [_encode(_text(template, context, MAX_OUTPUT))]


def probe(arguments: JSON, blobs: list[bytes]) -> tuple[JSON, list[bytes]]:
    """What a template makes of other conversations. Arguments: "body", "special_tokens" and "asked", a list of "messages",
    "variables" and perhaps "settings" as in `render_under`.

    Answers {"names": as `check`, "known": per question whether there is a text} and a text per question as UTF-8.
    """
    template, names = _compile(arguments["body"])
    fixed = {**arguments["special_tokens"], "tools": None, "documents": None, "add_generation_prompt": False}
    started, texts = process_time(), list[bytes | None]()
    for asked in arguments["asked"]:
        if process_time() - started > PROBE_SECONDS:
            texts.append(None)
            continue
        read = {name: value for name, value in asked["variables"].items() if name in names}
        try:
            used = _compile_with(arguments["body"], *asked["settings"]) if "settings" in asked else template
            texts.append(_encode(_text(used, {**fixed, **read, "messages": asked["messages"]}, MAX_OUTPUT)))
        except TemplateInvalid:
            texts.append(None)
    known = [text is not None for text in texts]
    return {"names": sorted(names - set(_environment().globals)), "known": known}, [text or b"" for text in texts]


def steady(arguments: JSON, blobs: list[bytes]) -> tuple[JSON, list[bytes]]:
    """The template so written that no setting of Jinja and no editor adds or eats a byte of what it renders here."""
    _compile(arguments["body"])
    return rewrite(_environment(), arguments["body"]), []


@lru_cache(maxsize=KEPT)
def _compile(body: str) -> Compiled:
    return compile_template(_environment(), body)


@lru_cache(maxsize=KEPT)
def _compile_with(body: str, trim: bool, lstrip: bool, keep: bool) -> Template:
    return compile_template(make_environment(trim, lstrip, keep), body)[0]


def _text(template: Template, context: dict[str, Any], most: int) -> str:
    """The whole text, piece by piece: one that grows past `most` characters is stopped there."""
    pieces: list[str] = []
    size = 0
    try:
        for piece in template.root_render_func(template.new_context(context)):
            size += len(piece)
            if size > most:
                raise TemplateLimit(f"makes a prompt of more than {MAX_OUTPUT >> 20} MB")
            pieces.append(piece)
    except (TemplateLimit, MemoryError):
        raise
    except Exception as error:
        raise explain(error, template) from error
    return "".join(pieces)


def _encode(text: str) -> bytes:
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise TemplateInvalid("makes a prompt with half a character (a lone surrogate)") from None
    if len(data) > MAX_OUTPUT:
        raise TemplateLimit(f"makes a prompt of more than {MAX_OUTPUT >> 20} MB")
    return data
