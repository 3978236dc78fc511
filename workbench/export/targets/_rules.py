"""The prompt each program makes of a pair by its own rules: Jinja settings, roles, names of variables, special tokens.

Knows nothing of files. A rule answers with the text or the two texts, or with a sentence on what it cannot be asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from workbench.errors import PromptInvalid
from workbench.export._bake import TRANSFORMERS
from workbench.export._golden import Golden
from workbench.export._manifest import Outgoing
from workbench.pool import Bench
from workbench.template import Settings
from workbench.types import Document, Query, Text

SGLANG_HEAD = (
    "{%- set instruction = instruct -%}\n"
    "{%- set messages = [{'role': 'query', 'content': messages[0].content}, "
    "{'role': 'document', 'content': messages[1].content}] -%}\n"
)
PLAIN: Settings = (False, False, False)


@dataclass(frozen=True, slots=True)
class Prompt:
    """`special`: tokenized with what the tokenizer puts around a text."""

    text: str
    special: bool = True


@dataclass(frozen=True, slots=True)
class Two:
    """Query and document for the tokenizer to join; `from_file`: by tokenizer.json and nothing else, always with token types."""

    query: str
    document: str
    from_file: bool = False


Rule = Callable[[Bench, Outgoing, Golden], Prompt | Two | str]


def served(bench: Bench, out: Outgoing, golden: Golden) -> Prompt | str:
    """vLLM's own, by which golden pairs are prompted; its clients send query and documents and nothing else."""
    return Prompt(golden.encoding.prompt.text)


def pair(bench: Bench, out: Outgoing, golden: Golden) -> Two | str:
    """transformers' tokenizer called with both texts."""
    return Two(*sides(golden))


def pair_of_file(bench: Bench, out: Outgoing, golden: Golden) -> Two | str:
    """The tokenizers library called with both texts, or transformers' tokenizer asked for token types by name."""
    return Two(*sides(golden), from_file=True)


def chat(bench: Bench, out: Outgoing, golden: Golden) -> Prompt | str:
    """transformers' apply_chat_template with the roles query and document: it adds no special tokens."""
    return _rendered(bench, out, out.template, golden, TRANSFORMERS, special=False)


def plain_jinja(bench: Bench, out: Outgoing, golden: Golden) -> Prompt | str:
    """The template under Jinja's plain settings, then the tokenizer as it is."""
    return _rendered(bench, out, out.template, golden, PLAIN)


def sglang(bench: Bench, out: Outgoing, golden: Golden) -> Prompt | str:
    """Two messages of the role user, plain Jinja, the instruction as `instruct` and only where it is not empty."""
    return _rendered(bench, out, SGLANG_HEAD + out.template, golden, PLAIN, roles=("user", "user"), variable="instruct")


def llama_cpp(bench: Bench, out: Outgoing, golden: Golden) -> Prompt | str:
    """{query} replaced in the stored prompt, then {document}; no special tokens are added."""
    if golden.case.instruction:
        return "an instruction cannot be sent: the tuned one is in the prompt"
    query, document = sides(golden)
    return Prompt(stored_prompt(out).replace("{query}", query).replace("{document}", document), special=False)


def stored_prompt(out: Outgoing) -> str:
    """The prompt with {query} and {document} in their places. Raises PromptInvalid where it is no plain text around both."""
    prompt = next(g.encoding.prompt for g in out.golden if g.case.instruction is None and not g.encoding.media)
    kinds = [s.kind for s in prompt.segments or () if s.kind in ("query", "document")]
    if sorted(kinds) != ["document", "query"]:
        raise PromptInvalid("its rerank prompt is a text with one {query} and one {document}, and this template is not")
    names = {"query": "{query}", "document": "{document}"}
    parts = [names.get(s.kind) or prompt.text[s.start : s.end] for s in prompt.segments or ()]
    if "".join(parts).count("{query}") != 1 or "".join(parts).count("{document}") != 1:
        raise PromptInvalid("the template itself says {query} or {document}, which llama.cpp replaces")
    return "".join(parts)


def sides(golden: Golden) -> tuple[str, str]:
    query, document = (_text(side) for side in (golden.case.query, golden.case.document))
    return query, document


def _text(side: Query | Document) -> str:
    return "\n".join(p.text for p in side.content if isinstance(p, Text))


def _rendered(
    bench: Bench, out: Outgoing, body: str, golden: Golden, settings: Settings, *, special: bool = True,
    roles: tuple[str, str] = ("query", "document"), variable: str = "instruction",
) -> Prompt:  # fmt: skip
    variables = {variable: golden.case.instruction} if golden.case.instruction else {}
    query, document = sides(golden)
    text = bench.renderer.render_under(
        settings, body, query, document, variables=variables, special_tokens=out.scorer.special_tokens, roles=roles
    )
    return Prompt(text, special)
