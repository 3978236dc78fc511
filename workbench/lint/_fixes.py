"""Changes that may mend a finding: candidates only, of which one is offered after it was tried.

Knows nothing of whether a candidate helps: that is found out by looking at the evidence again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from workbench.errors import WorkbenchError
from workbench.lint._evidence import Evidence
from workbench.lint._finding import Finding, Fix
from workbench.lint._probes import spoken
from workbench.template import Renderer, split_facts

TAG = re.compile(r"\{%.*?%\}\n?|\{\{.*?\}\}\n?", re.S)
STRING = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""", re.S)
ENDS_IN_STRING = re.compile(r"""(?P<quote>['"])(?P<rest>\s*-?\}\}\s*)\Z""")
SYSTEM = re.compile(
    r"""messages\s*\|\s*selectattr\(\s*['"]role['"]\s*,\s*['"](?:eq|equalto|==)['"]\s*,\s*['"]ROLE['"]\s*\)"""
    r"""[^{}]*?\|\s*default\(\s*(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\s*(?:,\s*true\s*)?\)"""
)
PARTS = re.compile(r"""(?P<content>\.content|\[['"]content['"]\])\s*\[\s*0\s*\]\s*(?:\.text|\[['"]text['"]\])""")

Candidates = Callable[[Evidence, Finding, Renderer], Iterator[Fix]]


def roles(e: Evidence, found: Finding, renderer: Renderer) -> Iterator[Fix]:
    if "parts" in found.sentence:
        yield Fix("Read the text", PARTS.sub(lambda m: m["content"], e.template))
        return
    role = found.sentence.split("`")[1]
    pattern = re.compile(SYSTEM.pattern.replace("ROLE", re.escape(role)))
    yield Fix("Read the instruction", pattern.sub(lambda m: f"instruction | default({m['text']}, true)", e.template))
    for side in ("query", "document"):
        yield Fix(f"Write '{side}'", _renamed(e.template, role, side))


def _renamed(template: str, role: str, side: str) -> str:
    """Every literal of the role as one of the side, from the last to the first; comments stay as they are."""
    for match in reversed(list(re.finditer(rf"""(['"]){re.escape(role)}\1""", spoken(template)))):
        template = template[: match.start() + 1] + side + template[match.end() - 1 :]
    return template


def silent(e: Evidence, found: Finding, renderer: Renderer) -> Iterator[Fix]:
    """The template's own instruction becomes the default of the one that is given."""
    words, label = e.family.default_instruction, "Read the instruction"
    if words:
        for match in STRING.finditer(e.template):
            if words in match[0]:
                yield Fix(label, e.template[: match.start()] + _reading(match[0], words) + e.template[match.end() :])
        yield Fix(label, e.template.replace(words, "{{ instruction | default(" + repr(words) + ", true) }}"))
    yield Fix("Clear the instruction", clear=True)


def _reading(literal: str, words: str) -> str:
    """The literal with a given instruction in place of these words in it."""
    quote, at = literal[0], literal.index(words)
    read = f"(instruction | default({quote}{words}{quote}, true))"
    parts = [literal[:at] + quote, read, quote + literal[at + len(words) :]]
    return "(" + " ~ ".join(part for part in parts if part != quote * 2) + ")"


def tail(e: Evidence, found: Finding, renderer: Renderer) -> Iterator[Fix]:
    """What the model's own prompt ends with and this one lacks, written into its last literal or behind it."""
    reference, prompt = e.reference, e.prompt
    segments = reference.pair.prompts[0].segments if reference else None
    if reference is None or prompt is None or not segments or segments[-1].kind != "suffix":
        return
    own = reference.pair.prompts[0].text[segments[-1].start :]
    for text in dict.fromkeys((prompt.text, prompt.text.rstrip())):
        kept = next((k for k in range(len(own), 0, -1) if text.endswith(own[:k])), 0)
        more = own[kept:]
        if not kept or not more:
            continue
        label = "Add the newline" if not more.strip() else "Add what is missing"
        if match := ENDS_IN_STRING.search(e.template):
            at = match.start()
            yield Fix(label, e.template[:at] + _escaped(more, match["quote"]) + e.template[at:])
        yield Fix(label, e.template.rstrip() + "\n{{- " + repr(more) + " -}}\n")


def wrapped(e: Evidence, found: Finding, renderer: Renderer) -> Iterator[Fix]:
    if found.where in ("query", "document"):
        yield Fix("Unwrap the documents" if found.where == "document" else "Unwrap the query", unwrap=e.wrap)
        return
    words = [word for text in (e.wrap.tail, e.wrap.head) for word in text.split()[:1]] if e.wrap else []
    for match in TAG.finditer(e.template):
        if any(word in match[0] for word in words):
            yield Fix("Remove the wrapping", e.template[: match.start()] + e.template[match.end() :])


def reserved(e: Evidence, found: Finding, renderer: Renderer) -> Iterator[Fix]:
    if "`add_generation_prompt`" in found.sentence:
        yield Fix("Render it always", re.sub(r"\badd_generation_prompt\b", "true", e.template))


def elsewhere(e: Evidence, found: Finding, renderer: Renderer) -> Iterator[Fix]:
    if found.where == "template":
        try:
            yield Fix("Settle the whitespace", renderer.steady(e.template))
        except WorkbenchError:
            return


def whitespace(e: Evidence, found: Finding, renderer: Renderer) -> Iterator[Fix]:
    if e.reference is not None and e.own_body:
        yield Fix("Take the model's own", split_facts(e.own_body)[1])


CANDIDATES: Mapping[str, Candidates] = {
    "E3": roles, "E4": silent, "E5": wrapped, "E6": tail, "E9": reserved, "W1": whitespace, "W5": elsewhere,
}  # fmt: skip


def _escaped(text: str, quote: str) -> str:
    return repr(text)[1:-1].replace("\\'", "'").replace(quote, "\\" + quote)
