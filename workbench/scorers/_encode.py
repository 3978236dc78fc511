"""One rendered prompt to the exact ids a decoder model is given: media expanded, control tokens harmless, the cut made.

Knows nothing of weights or scores. Order of the steps is part of each recipe: the reference expands clips in the text and cuts
last, keeping the suffix; vLLM cuts the ids first and expands media into what is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from workbench.errors import MediaInvalid, PromptInvalid
from workbench.media import Library
from workbench.scorers._cuts import drop, plain_cut
from workbench.scorers._pictures import FixedPixels
from workbench.scorers._spans import moved, original, without
from workbench.scorers._tokens import Span, Tokens
from workbench.scorers._vision import PixelRecipe, plan, recipe
from workbench.types import JSON, Encoding, Family, Image, Media, MediaInput, Pair, Parity, Text

USER = ("instruction", "query", "document")


@dataclass(frozen=True, slots=True)
class Encoder:
    """What a decoder checkpoint needs to turn a pair into ids. `window`: its longest prompt by the model card,
    `model_window`: by its position embeddings, which is what vLLM goes by; both in tokens."""

    tokens: Tokens
    family: Family
    library: Library
    image_config: Mapping[str, JSON]
    video_config: Mapping[str, JSON]
    window: int
    model_window: int
    image_id: int = -1
    video_id: int = -1
    fixed: FixedPixels | None = None  # pictures of one size, where the model takes no other
    framed: bool = True  # the tokenizer adds its special tokens; a chat template writes them itself

    def rules(self, pair: Pair) -> PixelRecipe:
        return recipe(self.family, self.image_config, self.video_config, pair.parity, pair.media_options)

    def plain_rules(self, parity: Parity) -> PixelRecipe:
        """As `rules` without a request's options: what decides the pixels of items whose size is planned."""
        return recipe(self.family, self.image_config, self.video_config, parity, {})

    def encode(self, pair: Pair) -> Encoding:
        media = _as_prompted(pair) if pair.parity == "reference" else pair.prompts[0].media
        items = tuple(self._plan(part, self.rules(pair)) for part in media) if media else ()
        return self._reference(pair, items) if pair.parity == "reference" else self._vllm(pair, items)

    def _plan(self, part: object, rules: PixelRecipe) -> MediaInput:
        try:
            if self.fixed is not None:
                self.library.probe(part)  # type: ignore[arg-type]
                return self.fixed.plan(part)  # type: ignore[arg-type]
            return plan(part, self.library.probe(part), rules)  # type: ignore[arg-type]
        except MediaInvalid as error:
            if not error.where:
                raise MediaInvalid(error.message, where=getattr(part, "source", ""), hint=error.hint) from error
            raise

    # ------------------------------------------------------------ reference
    def _reference(self, pair: Pair, items: tuple[MediaInput, ...]) -> Encoding:
        text = pair.prompts[0].text
        places = list(self._placeholders(pair))
        self._match(places, items)
        untrusted = without(self._user_spans(pair), [(a, b) for a, b, _ in places])
        expanded, pieces = self._expand_text(text, places, items)
        breaks = [moved((at, at), pieces)[0] for at in self._breaks(pair)]
        ids, spans, forged = self.tokens.encode(expanded, [moved(s, pieces) for s in untrusted], breaks, self.framed)
        spans = [original(s, pieces) for s in spans]
        ids, spans = self._expand_pads(ids, spans, items)
        encoding = Encoding(pair, tuple(ids), tuple(spans), items, None, tuple(original(s, pieces) for s in forged))
        return self._keep_suffix(encoding)

    def _user_spans(self, pair: Pair) -> list[Span]:
        prompt = pair.prompts[0]
        if prompt.segments is not None:
            return [(s.start, s.end) for s in prompt.segments if s.kind in USER]
        parts = (*pair.query.content, *pair.document.content)
        given = [p.text for p in parts if isinstance(p, Text)] + [
            v for v in pair.variables.values() if isinstance(v, str)
        ]
        if any(self.tokens.find_control(t) for t in given):
            raise PromptInvalid(
                "holds control tokens, and this template changes its values so that they cannot be told from its own",
                where="prompt", hint="Insert the values unchanged, or score with parity vllm, which neutralises nothing.",
            )  # fmt: skip
        return []

    def _breaks(self, pair: Pair) -> list[int]:
        """Where the family's own script joins ids instead of text: around the separator behind the query and the document."""
        prompt, apart = pair.prompts[0], self.family.separator
        if not apart:
            return []
        if prompt.segments is None:
            raise PromptInvalid(
                "cannot be tokenized as this model's script does: the template changes its values", where="prompt",
                hint="Insert the values unchanged, or score with parity vllm.",
            )  # fmt: skip
        ends = [s.end for s in prompt.segments if s.kind in ("query", "document")]
        return [at for end in ends if prompt.text.startswith(apart, end) for at in (end, end + len(apart))]

    def _placeholders(self, pair: Pair) -> Iterator[tuple[int, int, str]]:
        """(start, end, "image" | "video") of the placeholders that stand for real media: those a side opens with."""
        prompt, names = pair.prompts[0], self.family.template.placeholders
        kinds = [(names.image, "image"), (names.video, "video")]
        if prompt.segments is None:
            at = 0
            while found := min(
                ((i, t, k) for t, k in kinds if t and (i := prompt.text.find(t, at)) >= 0), default=None
            ):
                yield found[0], found[0] + len(found[1]), found[2]
                at = found[0] + len(found[1])
            return
        count = {"query": _media_count(pair.query.content), "document": _media_count(pair.document.content)}
        for segment in prompt.segments:
            at = segment.start
            for _ in range(count.get(segment.kind, 0)):
                hit = next(((t, k) for t, k in kinds if t and prompt.text.startswith(t, at)), None)
                if hit is None:
                    break
                yield at, at + len(hit[0]), hit[1]
                at += len(hit[0])

    @staticmethod
    def _match(places: Sequence[tuple[int, int, str]], items: Sequence[MediaInput]) -> None:
        wanted = ["image" if isinstance(i.part, Image) else "video" for i in items]
        if [k for _, _, k in places] != wanted:
            raise PromptInvalid(
                f"has {len(places)} media placeholders ({', '.join(k for *_, k in places) or 'none'}) "
                f"for {len(wanted)} media ({', '.join(wanted) or 'none'})",
                where="prompt", hint="The template must insert each side's content once, query first, unchanged.",
            )  # fmt: skip

    def _expand_text(
        self, text: str, places: Sequence[tuple[int, int, str]], items: Sequence[MediaInput]
    ) -> tuple[str, list[tuple[int, int, int]]]:
        """The text with each clip written out, and pieces (start in the result, start and end in `text`) to go back by."""
        names, out, pieces, at = self.family.template.placeholders, "", [], 0
        for (a, b, kind), item in zip(places, items, strict=True):
            pieces.append((len(out), at, -1))
            out += text[at:a]
            pieces.append((len(out), a, b))
            out += _clip_text(item, names.video) if kind == "video" else text[a:b]
            at = b
        pieces.append((len(out), at, -1))
        return out + text[at:], pieces

    def _keep_suffix(self, encoding: Encoding) -> Encoding:
        """Cuts as the reference scripts do: the end of the document goes first, then that of the rest of the body; suffix, media
        and control tokens stay."""
        limits, n = encoding.pair.limits, len(encoding.token_ids)
        asked = limits.truncate_prompt_tokens
        limit = min(v for v in (self.window, limits.max_length, asked if asked != -1 else None) if v is not None)
        if n <= limit:
            return encoding
        if encoding.prompt.segments is None:
            raise PromptInvalid(
                f"has {n} tokens where {limit} fit, and this template's suffix cannot be told from its values",
                where="prompt", hint="Shorten the document, or insert the values unchanged so that the cut is safe.",
            )  # fmt: skip
        body = [(s.start, s.end) for s in encoding.prompt.segments if s.kind not in ("system", "suffix")]
        media = {p for a, b in self._media_spans(encoding) for p in range(a, b)}
        spare = [
            i for i, ((a, b), t) in enumerate(zip(encoding.spans, encoding.token_ids, strict=True))
            if t not in self.tokens.control_ids and i not in media and any(x <= a and b <= y for x, y in body)
        ]  # fmt: skip
        document = [s for s in encoding.prompt.segments if s.kind == "document"]
        spare.sort(key=lambda i: any(s.start <= encoding.spans[i][0] and encoding.spans[i][1] <= s.end for s in document))
        if len(spare) < n - limit:
            raise PromptInvalid(
                f"needs {n - len(spare)} tokens for what must stay, where {limit} fit", where="prompt",
                hint="Use fewer or smaller pictures, fewer frames, or a larger limit.",
            )  # fmt: skip
        return drop(encoding, sorted(spare[len(spare) - (n - limit) :]))

    def _media_spans(self, encoding: Encoding) -> list[Span]:
        """Token ranges [a, b) that belong to media: all tokens sharing a placeholder's characters."""
        places = {(a, b) for a, b, _ in self._placeholders(encoding.pair)}
        return [(i, i + 1) for i, s in enumerate(encoding.spans) if s in places]

    # ------------------------------------------------------------ vllm
    def _vllm(self, pair: Pair, items: tuple[MediaInput, ...]) -> Encoding:
        ids, spans, _ = self.tokens.encode(pair.prompts[0].text, framed=self.framed)
        asked, cut = pair.limits.truncate_prompt_tokens, None
        limit = self.model_window if asked == -1 else asked
        window = min(self.model_window, pair.limits.max_length or self.model_window)
        if limit is not None and len(ids) > limit:
            ids, spans, cut = plain_cut(ids, spans, limit, pair)
        found = [self.image_id if isinstance(i.part, Image) else self.video_id for i in items]
        if [t for t in ids if t in (self.image_id, self.video_id) and t >= 0] != found:
            raise PromptInvalid(
                "does not hold one placeholder for each picture and clip, in their order", where="prompt",
                hint="Truncation may have removed one, or the text itself spells a media token.",
            )  # fmt: skip
        ids, spans = self._expand_pads(ids, spans, items, whole_clip=True)
        if len(ids) > window:
            raise PromptInvalid(
                f"is {len(ids)} tokens long, and the model's window is {window}", where="prompt",
                hint="vLLM refuses this too: shorten the document or set truncate_prompt_tokens.",
            )  # fmt: skip
        return Encoding(pair, tuple(ids), tuple(spans), items, cut)

    def _expand_pads(
        self, ids: list[int], spans: list[Span], items: Sequence[MediaInput], *, whole_clip: bool = False
    ) -> tuple[list[int], list[Span]]:
        """Each pad id becomes as many as its picture or frame group has tokens; with `whole_clip` one pad is a whole clip."""
        pads = iter(self._pads(items, whole_clip))
        out: list[int] = []
        places: list[Span] = []
        for token, span in zip(ids, spans, strict=True):
            more = next(pads, [token]) if token in (self.image_id, self.video_id) and token >= 0 else [token]
            out += more
            places += [span] * len(more)
        return out, places

    def _pads(self, items: Sequence[MediaInput], whole_clip: bool) -> Iterator[list[int]]:
        for item in items:
            groups = item.grid[0]
            if isinstance(item.part, Image):
                yield [self.image_id] * item.tokens
            elif whole_clip:
                # transformers ≥ 5.10 expands the bare pad, so the outer vision pair of the placeholder stays around it.
                text = _clip_text(item, self.family.template.placeholders.video)
                ids, _, _ = self.tokens.encode(text)
                yield [t for i in ids for t in ([i] * (item.tokens // groups) if i == self.video_id else [i])]
            else:
                yield from ([self.video_id] * (item.tokens // groups) for _ in range(groups))


def _clip_text(item: MediaInput, placeholder: str) -> str:
    """`<0.3 seconds>` and a placeholder for every group of frames."""
    return "".join(f"<{t:.1f} seconds>{placeholder}" for t in item.timestamps)


def _as_prompted(pair: Pair) -> tuple[Media, ...]:
    """The media in the order of their sides in the prompt; they are given query first."""
    prompt, first = pair.prompts[0], _media_count(pair.query.content)
    sides = [s.kind for s in prompt.segments or () if s.kind in ("query", "document")]
    if sides[:1] == ["document"] and "query" in sides:
        return (*prompt.media[first:], *prompt.media[:first])
    return prompt.media


def _media_count(content: Sequence[object]) -> int:
    return sum(not isinstance(p, Text) for p in content)
