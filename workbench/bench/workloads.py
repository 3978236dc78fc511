"""What is timed: the documents, queries and edits of each workload, from a fixed seed.

Knows nothing of models or clocks. Words are w0, w1, … of the random shapes' vocabulary, one token each.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from workbench.errors import RequestInvalid

HEAD, QUERY, TAIL = 56, 16, 10  # words of instructions, of the query, and behind the document: as in Qwen3-Reranker's prompt


@dataclass(frozen=True, slots=True)
class Call:
    """One timed step: prompts that are scored together. `warm`: what was scored before is remembered.

    `rows`: (front, document, tail) as words; `pictures`: index of the picture that stands before each document, or ().
    """

    name: str
    rows: tuple[tuple[str, str, str], ...]
    warm: bool = False
    pictures: tuple[int, ...] = ()
    requests: int = 1


@dataclass(frozen=True, slots=True)
class Workload:
    """Calls in order; every round of a measurement runs them all. `asks`: rows of one request, where there are many."""

    calls: tuple[Call, ...]
    pictures: tuple[bytes, ...] = ()
    apart: tuple[Call, ...] = field(default=())


def words(rng: random.Random, count: int) -> str:
    return " ".join(f"w{rng.randrange(20000, 140000)}" for _ in range(count))


def make(name: str, *, documents: int, tokens: int, queries: int = 8) -> Workload:
    """Workload `name` with `documents` of about `tokens` words each. Raises RequestInvalid for an unknown one."""
    if name not in WORKLOADS:
        raise RequestInvalid(f"{name!r} is not a workload", hint=f"There are: {', '.join(WORKLOADS)}.")
    return WORKLOADS[name](random.Random(7), documents, tokens, queries)


def _lengths(rng: random.Random, documents: int, tokens: int) -> list[int]:
    return [max(1, tokens + rng.randint(-tokens // 4, tokens // 4)) for _ in range(documents)]


def _rerank(rng: random.Random, documents: int, tokens: int, queries: int) -> Workload:
    """One query against all documents."""
    front, tail = f"{words(rng, HEAD)} {words(rng, QUERY)}", words(rng, TAIL)
    rows = tuple((front, words(rng, n), tail) for n in _lengths(rng, documents, tokens))
    return Workload((Call("all new", rows),))


def _requests(rng: random.Random, documents: int, tokens: int, queries: int) -> Workload:
    """As `vllm bench serve --dataset-name random-rerank`: requests of one query each with `queries` documents."""
    head, tail = words(rng, HEAD), words(rng, TAIL)
    rows = []
    for _ in range(max(1, documents // queries)):
        front = f"{head} {words(rng, QUERY)}"
        rows += [(front, words(rng, n), tail) for n in _lengths(rng, queries, tokens)]
    return Workload((Call("all new", tuple(rows), requests=max(1, documents // queries)),))


def _edit(rng: random.Random, documents: int, tokens: int, queries: int) -> Workload:
    """A whole score, then what a person does next: nothing, one document, the instruction, the tail, four of each together."""
    system, query = words(rng, 43), words(rng, QUERY)
    asked = [words(rng, HEAD - 43) for _ in range(4)]
    tails = [words(rng, TAIL) for _ in range(4)]
    texts = [words(rng, n) for n in _lengths(rng, documents, tokens)]

    def rows(instruction: int = 0, tail: int = 0, edited: int | None = None) -> tuple[tuple[str, str, str], ...]:
        front = f"{system} {asked[instruction]} {query}"
        return tuple((front, f"{t} w20007" if i == edited else t, tails[tail]) for i, t in enumerate(texts))

    return Workload((
        Call("all new", rows()),
        Call("the same again", rows(), warm=True),
        Call("one document", rows(edited=0), warm=True),
        Call("the instruction", rows(instruction=1), warm=True),
        Call("the tail", rows(tail=1), warm=True),
        Call("four instructions together", tuple(r for i in range(4) for r in rows(instruction=i))),
        Call("four tails together", tuple(r for i in range(4) for r in rows(tail=i))),
    ))  # fmt: skip


def _vision(rng: random.Random, documents: int, tokens: int, queries: int) -> Workload:
    """Pictures as documents; then the instruction changes."""
    query = words(rng, QUERY)
    fronts = [f"{words(rng, HEAD)} {query}" for _ in range(2)]
    tail, at = words(rng, TAIL), tuple(range(documents))
    first, second = (tuple((front, "", tail) for _ in range(documents)) for front in fronts)
    return Workload(
        (Call("all new", first, pictures=at), Call("the instruction", second, warm=True, pictures=at)),
        tuple(_picture(rng) for _ in range(documents)),
        (Call("as many text tokens", tuple((fronts[0], words(rng, 64), tail) for _ in range(documents))),),
    )


def _queryset(rng: random.Random, documents: int, tokens: int, queries: int) -> Workload:
    """Several queries, each against the same documents, in one call."""
    head, tail = words(rng, HEAD), words(rng, TAIL)
    texts = [words(rng, n) for n in _lengths(rng, documents, tokens)]
    asked = [words(rng, QUERY) for _ in range(queries)]
    return Workload((Call("all new", tuple((f"{head} {q}", t, tail) for q in asked for t in texts)),))


def _growth(rng: random.Random, documents: int, tokens: int, queries: int) -> Workload:
    """One query against 16 documents, then four times as many, and so on up to `documents`."""
    (whole,) = _rerank(rng, documents, tokens, queries).calls
    counts = [n for n in (16 * 4**i for i in range(8)) if n < documents] + [documents]
    return Workload(tuple(Call(f"{n} documents", whole.rows[:n]) for n in counts))


def _picture(rng: random.Random, side: int = 256) -> bytes:
    """A random picture as an uncompressed bitmap file: 64 tokens of a Qwen3-VL at 256 × 256."""
    small = [[rng.randbytes(3) for _ in range(8)] for _ in range(8)]
    body = b"".join(small[y * 8 // side][x * 8 // side] for y in range(side) for x in range(side))
    out = io.BytesIO()
    size = 54 + len(body)
    out.write(b"BM" + size.to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little"))
    out.write((40).to_bytes(4, "little") + side.to_bytes(4, "little") * 2 + b"\1\0\30\0" + bytes(4))
    out.write(len(body).to_bytes(4, "little") + bytes(16) + body)
    return out.getvalue()


Make = Callable[[random.Random, int, int, int], Workload]
WORKLOADS: dict[str, Make] = {
    "rerank": _rerank, "requests": _requests, "edit": _edit, "vision": _vision, "queryset": _queryset,
    "growth": _growth,
}  # fmt: skip
