"""A batch of encodings as requests to servers and back: texts and media for /rerank, ids for /classify, numbers out.

Knows nothing of templates or rankings. A request that is refused is asked again document by document, so that one bad row
is one error and the others have their numbers.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workbench.errors import PromptInvalid, WorkbenchError
from workbench.media import Library
from workbench.scorers import Stop
from workbench.scorers._answers import classified, reranked
from workbench.scorers._endpoints import Endpoints, Refused
from workbench.scorers._probe import Probe, named
from workbench.types import JSON, ContentPart, Encoding, Image, Pair, Text, Video

ROWS = 16  # documents in one request: small enough that results stream and Stop acts soon


@dataclass(frozen=True, slots=True)
class Own(Encoding):
    """An encoding that the server's own template makes: the pair itself is sent, and the ids are what it showed of it."""


@dataclass(frozen=True, slots=True)
class Job:
    """One request: the rows of the batch it asks for, its path and body."""

    rows: tuple[int, ...]
    path: str
    body: dict[str, JSON]


class Jobs:
    """`whole`: a score may depend on the set, so all documents of a query travel in one request and are never split."""

    def __init__(self, endpoints: Endpoints, found: Probe, library: Library, whole: bool) -> None:
        self.endpoints, self.probe, self.library, self.whole = endpoints, found, library, whole
        self._differs = False

    def notes(self) -> list[str]:
        found = ["A score may depend on the whole set of documents and their order."] if self.whole else []
        if self._differs:
            found.append("It counts other tokens in /rerank than its /tokenize shows: the prompts shown are not those scored.")
        return found

    def numbers(self, batch: Sequence[Encoding], stop: Stop) -> Iterator[tuple[int, float | WorkbenchError]]:
        """(position in the batch, number without activation or the row's error), as answers come."""
        jobs = self._jobs(batch)
        while jobs:
            alone: list[Job] = []
            for i, answer in self.endpoints.each([(j.path, j.body) for j in jobs], stop):
                job = jobs[i]
                if isinstance(answer, Refused) and len(job.rows) > 1 and not self.whole:
                    alone += [self._job((row,), batch) for row in job.rows]
                    continue
                yield from self._read(job, answer, batch)
                if stop():
                    return
            jobs = [] if stop() else alone

    def _read(
        self, job: Job, answer: JSON | WorkbenchError, batch: Sequence[Encoding]
    ) -> Iterator[tuple[int, float | WorkbenchError]]:
        try:
            if isinstance(answer, WorkbenchError):
                raise answer
            if job.path == "/classify":
                numbers = classified(answer, len(job.rows))
            else:
                numbers, tokens = reranked(answer, len(job.rows))
                shown = sum(len(batch[row].token_ids) for row in job.rows)
                self._differs |= bool(tokens and shown and tokens != shown)
        except WorkbenchError as error:
            yield from ((row, error) for row in job.rows)
            return
        yield from zip(job.rows, numbers, strict=True)

    # ------------------------------------------------------------ requests
    def _jobs(self, batch: Sequence[Encoding]) -> list[Job]:
        """Rows that ask the same together, in pieces that are answered soon."""
        groups: dict[str, list[int]] = {}
        for i, encoding in enumerate(batch):
            groups.setdefault(self._question(encoding), []).append(i)
        size = max(map(len, groups.values()), default=1) if self.whole else ROWS
        return [
            self._job(tuple(rows[at : at + size]), batch)
            for rows in groups.values()
            for at in range(0, len(rows), size)
        ]  # fmt: skip

    def _question(self, encoding: Encoding) -> str:
        """Equal for rows that may share a request."""
        if not isinstance(encoding, Own):
            return ""
        pair = encoding.pair
        return json.dumps([repr(pair.query.content), repr(pair.limits), dict(pair.variables), sampling(pair)])

    def _job(self, rows: tuple[int, ...], batch: Sequence[Encoding]) -> Job:
        first = batch[rows[0]]
        if not isinstance(first, Own):
            ids = [list(batch[row].token_ids) for row in rows]
            return Job(rows, "/classify", {**named(self.probe.model), "input": ids, "use_activation": False})
        pair, limits = first.pair, first.pair.limits
        variables = dict(pair.variables)
        told = variables.get("instruction")  # a null is one that was given: only kwargs can say it
        body: dict[str, JSON] = {
            **named(self.probe.model),
            "query": contents(pair.query.content, self.library),
            "documents": [contents(batch[row].pair.document.content, self.library) for row in rows],
            "use_activation": False,
        }
        optional = {
            "instruction": variables.pop("instruction") if isinstance(told, str) else None,
            "chat_template_kwargs": variables or None,
            "max_tokens_per_query": limits.max_tokens_per_query,
            "max_tokens_per_doc": limits.max_tokens_per_doc,
            "truncate_prompt_tokens": limits.truncate_prompt_tokens,
            "truncation_side": limits.truncation_side,
            "mm_processor_kwargs": sampling(pair) or None,
        }
        body |= {name: value for name, value in optional.items() if value is not None}
        return Job(rows, self.endpoints.addresses[0].rerank, body)


def sent(pair: Pair, ignored: Sequence[str]) -> dict[str, JSON]:
    """The template's variables as a server is sent them: an explicit null is one that was given."""
    return {name: value for name, value in pair.variables.items() if name not in ignored}


def sampling(pair: Pair) -> dict[str, JSON]:
    """The pair's mm_processor_kwargs with what its pictures and clips ask for themselves."""
    return {**pair.media_options, **asked_of((*pair.query.content, *pair.document.content))}


def asked_of(content: Sequence[ContentPart]) -> dict[str, JSON]:
    """What pictures and clips ask for themselves, in vLLM's words, which hold for a whole request: PromptInvalid where they
    do not ask the same. Bounds on pixels reach pictures and clips alike, sampling reaches clips."""
    media = [part for part in content if not isinstance(part, Text)]
    clips = [part for part in media if isinstance(part, Video)]
    found: dict[str, JSON] = {}
    for name, asked in (
        ("fps", [clip.fps for clip in clips]),
        ("num_frames", [clip.frames for clip in clips]),
        ("min_pixels", [part.min_pixels if isinstance(part, Image) else 0 for part in media]),
        ("max_pixels", [part.max_pixels if isinstance(part, Image) else 0 for part in media]),
    ):
        if len(set(asked)) > 1:
            raise PromptInvalid(
                f"asks for {name} of its own, and another of the same prompt does not: vLLM samples all of a request alike",
                where=media[0].source, hint="Give them the same, or take it back.",
            )  # fmt: skip
        if any(asked):
            found[name] = asked[0]
    return found


def contents(content: Sequence[ContentPart], library: Library) -> JSON:
    """One side as a request writes it: its text, or parts with media as data URLs."""
    if all(isinstance(p, Text) for p in content):
        return "\n".join(p.text for p in content if isinstance(p, Text))
    return {"content": [_part(p, library) for p in content]}


def _part(part: ContentPart, library: Library) -> dict[str, JSON]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    kind, mime = ("image_url", "image/png") if isinstance(part, Image) else ("video_url", "video/mp4")
    data = base64.b64encode(library.path(part).read_bytes()).decode()  # the server goes by the bytes, not by the name
    return {"type": kind, kind: {"url": f"data:{mime};base64,{data}"}}
