"""What can serve or call an exported prompt: one function per target, and for each whether it would read the same token ids.

Knows nothing of how bundles are packed. Adding a target is one function and one line in TARGETS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from workbench.errors import PromptInvalid, RequestInvalid, WorkbenchError
from workbench.export._golden import Golden
from workbench.export._manifest import Outgoing
from workbench.export.targets import _clients, _engines, _libraries, _rules, _tei, _vllm
from workbench.export.targets._rules import Prompt, Rule, Two
from workbench.pool import Bench
from workbench.scorers._ids import ReadsIds, ReadsPairs

Files = Mapping[str, bytes]
Read = tuple[tuple[int, ...], tuple[int, ...]]  # ids and token types
TYPES = "it would give tokens other types than this tokenizer's settings do, by which the model tells query and document apart"
SHOWN = 8  # differences of one target that are written out


@dataclass(frozen=True, slots=True)
class Target:
    """`files` makes what it is served with; `rule` says which prompt it would make of a pair, `pair` how it joins the two
    texts where there is no template."""

    title: str
    files: Callable[[Outgoing], Files]
    rule: Rule = _rules.served
    pair: Rule = _rules.served


TARGETS: Mapping[str, Target] = {
    "vllm": Target("vLLM, `vllm serve`", _vllm.serve),
    "vllm-offline": Target("vLLM, offline Python", _vllm.offline),
    "docker-compose": Target("vLLM, docker compose", _vllm.compose),
    "kubernetes": Target("vLLM, Kubernetes", _vllm.kubernetes),
    "vllm-ascend": Target("vLLM-Ascend", _vllm.ascend),
    "sglang": Target("SGLang", _engines.sglang, _rules.sglang, _rules.pair_of_file),
    "text-embeddings-inference": Target("text-embeddings-inference", _tei.serve, pair=_rules.pair_of_file),
    "llama.cpp": Target("llama.cpp", _engines.llama_cpp, _rules.llama_cpp),
    "sentence-transformers": Target("sentence-transformers", _libraries.sentence_transformers, _rules.chat, _rules.pair),
    "transformers": Target("transformers, one Python file", _libraries.transformers, _rules.plain_jinja, _rules.pair),
    "sequence-classification": Target("a converted checkpoint folder", _libraries.sequence, _rules.chat),
    "langchain": Target("LangChain", _clients.langchain),
    "llama-index": Target("LlamaIndex", _clients.llama_index),
    "haystack": Target("Haystack", _clients.haystack),
    "litellm": Target("LiteLLM", _clients.litellm),
    "openapi": Target("OpenAPI client", _clients.openapi),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a target's token ids leave the golden ones: position, and the tokens on either side from there to where they meet."""

    covers: str
    at: int
    golden: tuple[tuple[int, str], ...]
    target: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One target: `why_not` is "" where it can take the prompt, `notes` what it cannot show, `same` pairs of `asked`."""

    name: str
    title: str
    why_not: str
    notes: tuple[str, ...] = ()
    same: int = 0
    asked: int = 0
    differences: tuple[Difference, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.why_not


def files(bench: Bench, out: Outgoing) -> Files:
    """The files of the outgoing target. Raises RequestInvalid for a name there is none of, PromptInvalid with why it cannot."""
    if out.target not in TARGETS:
        hint = f"There are: {', '.join(TARGETS)}."
        raise RequestInvalid(f"there is no target {out.target!r}", where="target", hint=hint)
    made = TARGETS[out.target].files(out)
    row = _row(bench, out, out.target)
    if not row.ok:
        raise PromptInvalid(
            f"{row.title}: {row.why_not}", where="target",
            hint="Choose another target, or write the template so that both read the same.",
        )  # fmt: skip
    return made


def compatibility(bench: Bench, out: Outgoing) -> tuple[Row, ...]:
    """A row for every target, in the order of TARGETS."""
    return tuple(_row(bench, out, name) for name in TARGETS)


def _row(bench: Bench, out: Outgoing, name: str) -> Row:
    target = TARGETS[name]
    try:
        target.files(out)
    except WorkbenchError as error:
        return Row(name, target.title, error.message)
    same, asked, why_not, differences, notes = 0, 0, "", list[Difference](), list[str]()
    for golden in out.golden:
        found = _read(bench, out, target.pair if out.pair else target.rule, golden)
        if isinstance(found, str):
            notes += [found] if found not in notes else []
            continue
        asked += 1
        if found == read_here(golden):
            same += 1
        elif found[0] == golden.encoding.token_ids:
            why_not = TYPES
        elif len(differences) < SHOWN:
            differences.append(difference(out, golden.case.covers, golden.encoding.token_ids, found[0]))
    why_not = f"it would read other tokens: {describe(differences[0])}" if differences else why_not
    return Row(name, target.title, why_not, tuple(notes), same, asked, tuple(differences))


def read_here(golden: Golden) -> Read:
    types = golden.encoding.type_ids
    return golden.encoding.token_ids, types if any(types) else ()


def _read(bench: Bench, out: Outgoing, rule: Rule, golden: Golden) -> Read | str:
    """What a target would make of a pair, or why it cannot be asked."""
    if rule is _rules.served:  # it is what golden pairs are prompted by
        return read_here(golden)
    if golden.encoding.media:
        return "pictures and clips are not taken"
    if golden.encoding.cut is not None:
        return "limits in tokens are not kept"
    match rule(bench, out, golden), out.scorer:
        case str(said), _:
            return said
        case Prompt(text, special), ReadsIds() as scorer:
            return tuple(scorer.tokenize(text, special)), ()
        case Two(query, document, from_file), ReadsPairs() as scorer:
            return scorer.joined(query, document, from_file=from_file)
    return "token ids cannot be compared: this model shows none"


def difference(out: Outgoing, covers: str, golden: tuple[int, ...], found: tuple[int, ...]) -> Difference:
    start = next((i for i, (a, b) in enumerate(zip(golden, found, strict=False)) if a != b), min(len(golden), len(found)))
    tail = 0
    while tail < min(len(golden), len(found)) - start and golden[-1 - tail] == found[-1 - tail]:
        tail += 1
    return Difference(covers, start, *(_named(out, ids[start : len(ids) - tail]) for ids in (golden, found)))


def _named(out: Outgoing, ids: tuple[int, ...]) -> tuple[tuple[int, str], ...]:
    return tuple((i, out.scorer.token(i)) for i in ids)


def describe(found: Difference) -> str:
    """One difference as a sentence."""
    golden, target = (" ".join(_tokens(side)) or "nothing" for side in (found.golden, found.target))
    return f"at token {found.at} {target} where {golden} is expected (pair: {found.covers})"


def _tokens(side: tuple[tuple[int, str], ...]) -> Iterator[str]:
    yield from (f"{i} {text!r}" for i, text in side[:6])
    if len(side) > 6:
        yield f"and {len(side) - 6} more"
