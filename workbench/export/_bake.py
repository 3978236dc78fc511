"""The template that leaves: its instruction and variables as defaults, its whitespace where nothing can add or eat a byte.

Knows nothing of models, scores or files; what it returns is proved elsewhere to render what was tuned.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping

from workbench.errors import PromptInvalid, RequestInvalid
from workbench.template import Renderer, Settings, split_facts
from workbench.types import JSON, Family

DEFAULT = re.compile(
    r"""(?P<head>\binstruction\s*\|\s*default\(\s*)(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?P<tail>\s*,\s*true\s*\))"""
)
FACT = re.compile(r'(?m)^(default_instruction\s*=\s*)"(?:[^"\\]|\\.)*"')
NAME = re.compile(r"[A-Za-z_]\w*\Z")
CLOSED = re.compile(r"(?:-\}\}|-%\}|-#\})\s*\Z")
TRANSFORMERS: Settings = (True, True, False)
OPENED = ("{{-", "{%-", "{#-")


def with_facts(body: str, family: Family) -> str:
    """The prompt as a family file again, where it begins so that the comment above it adds and eats no byte."""
    facts, prompt = split_facts(body)
    if facts or not prompt.startswith(("{%-", "{{-")):
        return body
    return split_facts(family.source)[0] + prompt


def bake(body: str, instruction: str | None, variables: Mapping[str, JSON]) -> str:
    """The template with these values as its defaults; a request that sends its own still wins.

    vLLM's --default-chat-template-kwargs does not reach scoring, so the file must carry them.
    """
    if instruction and DEFAULT.search(body):
        literal = jinja_literal(instruction)
        body = DEFAULT.sub(lambda m: m["head"] + literal + m["tail"], body)
        return _set_defaults(_fact(body, instruction), variables)
    given = {"instruction": instruction, **variables} if instruction else dict(variables)
    return _set_defaults(body, given)


def steady(renderer: Renderer, body: str) -> str:
    """The template from `{{-` to `-}}`, so that no environment or editor adds or eats a byte. Raises TemplateInvalid."""
    if body.startswith(OPENED) and CLOSED.search(body) and not _differing(renderer, body):
        return body
    return renderer.steady(body)


def prove_steady(renderer: Renderer, body: str, special_tokens: Mapping[str, str]) -> None:
    """Raises PromptInvalid where settings of Jinja or CRLF line ends still change a byte, as a clock in a template does."""
    if found := _differing(renderer, body, special_tokens):
        raise PromptInvalid(
            f"renders other bytes with {found} than with transformers' settings", where="template",
            hint="Begin it with {{- and end it with -}}, write newlines as '\\n' within, and read no clock.",
        )  # fmt: skip


def _differing(renderer: Renderer, body: str, special_tokens: Mapping[str, str] | None = None) -> str:
    """The first settings that render other bytes than transformers' own, with either line end; "" where there are none."""
    ends = {"": body, ", line ends CRLF": body.replace("\r\n", "\n").replace("\n", "\r\n")}
    asked: tuple[dict[str, JSON], ...] = ({}, {"instruction": "Only law."})

    def texts(settings: Settings, source: str) -> list[str]:
        return [
            renderer.render_under(settings, source, "two words", "a\nb", variables=v, special_tokens=special_tokens or {})
            for v in asked
        ]

    expected = texts(TRANSFORMERS, body)
    for trim, lstrip, keep in itertools.product((True, False), repeat=3):
        for end, source in ends.items():
            if texts((trim, lstrip, keep), source) != expected:
                return f"trim_blocks={trim}, lstrip_blocks={lstrip}, keep_trailing_newline={keep}{end}"
    return ""


def _fact(body: str, instruction: str) -> str:
    quoted = json.dumps(instruction, ensure_ascii=False).replace("#}", "#\\u007d").replace("\x7f", "\\u007f")
    return FACT.sub(lambda m: m[1] + quoted, body, count=1)


def _set_defaults(body: str, values: Mapping[str, JSON]) -> str:
    """`{%- set … -%}` lines behind the facts: they add no byte to the prompt."""
    lines = ""
    for name, value in values.items():
        if not NAME.match(name):
            raise RequestInvalid(f"{name!r} cannot be a template variable", where="variables")
        otherwise = f"{name} | default({jinja_literal(value)}, true)"
        if name != "instruction":
            otherwise = f"{name} if {name} is defined else {jinja_literal(value)}"
        lines += f"{{%- set {name} = {otherwise} -%}}\n"
    facts = re.match(r"\s*\{#.*?#\}\n?", body, re.S)
    at = facts.end() if facts else 0
    return body[:at] + lines + body[at:]


def jinja_literal(value: JSON) -> str:
    """A JSON value as Jinja source; text keeps every character whatever the file's line endings become."""
    if isinstance(value, str):
        return repr(value)  # on one line, with what editors hide or change spelled out; Jinja reads it as Python does
    if isinstance(value, list):
        return "[" + ", ".join(map(jinja_literal, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{jinja_literal(k)}: {jinja_literal(v)}" for k, v in value.items()) + "}"
    return {None: "none", True: "true", False: "false"}.get(value) or json.dumps(value)
