"""The rules whose findings stop nothing: what is likely not meant, or will differ elsewhere.

Each takes the evidence and yields findings; none renders, scores or guesses.
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.lint._evidence import Evidence, texts_of
from workbench.lint._finding import Finding
from workbench.types import Encoding

FLAT, ENOUGH = 0.02, 3  # logits within this are one; documents that say something about a spread
ROOM = 0.25  # share of the window that a document should have


def whitespace(e: Evidence) -> Iterator[Finding]:
    """W1: against the model's own prompt, blanks and newlines alone differ, and not the last token."""
    here, there = e.encoding, e.reference
    if (
        here is None
        or there is None
        or here.token_ids == there.token_ids
        or here.token_ids[-1:] != there.token_ids[-1:]
    ):
        return
    ours, own = (x.pair.prompts[0].text for x in (here, there))
    if ours != own and "".join(ours.split()) == "".join(own.split()):
        words = ours[: next((i for i, (a, b) in enumerate(zip(ours, own, strict=False)) if a != b), 0)].split()
        behind = f", first behind `{words[-1][-24:].replace('`', chr(39))}`" if words else ""
        yield Finding("W1", f"Only whitespace differs from the model's own prompt{behind}; the last token is the same.")


def control(e: Evidence) -> Iterator[Finding]:
    """W2: a text spells a control token."""
    if e.encoding is None:
        return
    if e.encoding.neutralised:
        start, end = e.encoding.neutralised[0]
        word = e.encoding.prompt.text[start:end]
        yield Finding(
            "W2",
            f"A text spells the control token `{word}`: it is encoded as plain words here, and acts in vLLM.",
            "document",
        )
    elif e.encoding.pair.parity == "vllm" and (words := forged(e.encoding, e)):
        yield Finding("W2", f"A text spells the control token `{words[0]}`, and as in vLLM it acts as one.", "document")


def forged(encoding: Encoding, e: Evidence) -> list[str]:
    """Control tokens of the prompt that a value spells too."""
    values = [*texts_of(e.query), *texts_of(e.document), str(encoding.pair.variables.get("instruction") or "")]
    drawn = zip(encoding.token_ids, encoding.spans, strict=True)
    spelled = {encoding.prompt.text[a:b] for i, (a, b) in drawn if i in e.controls and b > a}
    return sorted(word for word in spelled if any(word in value for value in values))


def labels(e: Evidence) -> Iterator[Finding]:
    """W3: a label that no single token stands for cannot be read at one position."""
    for label, tokens in e.labels.items():
        if tokens != 1:
            yield Finding("W3", f"The label `{label}` takes {tokens} tokens, and the score is read at one.", "target")


def features(e: Evidence) -> Iterator[Finding]:
    """W4: a target lacks what the prompt needs."""
    for target in e.targets:
        if target.lacks:
            yield Finding("W4", _of(target.title, target.lacks), "target")


def elsewhere(e: Evidence) -> Iterator[Finding]:
    """W5: another program makes other bytes of the same template."""
    chat = e.family.scorer == "reward"  # the tokenizer's own chat template, which every program renders as transformers does
    if e.probes and not e.probes.settled and not chat:
        yield Finding("W5", "Jinja's plain settings, which SGLang and scripts use, render other bytes.")
    for target in e.targets:
        if target.differs:
            yield Finding("W5", _of(target.title, target.differs), "target")


def _of(title: str, said: str) -> str:
    """The sentence with the target's name in front, unless it begins with it."""
    sentence = f"{said.rstrip('.')}."
    return sentence if sentence.startswith(title) else f"{title}: {sentence}"


def flat(e: Evidence) -> Iterator[Finding]:
    """W6: documents that all score alike were probably never read."""
    if len(e.scores) >= ENOUGH and max(e.scores) - min(e.scores) < FLAT:
        sentence = f"All {len(e.scores)} documents score alike: the template is probably not applied."
        yield Finding("W6", sentence, "prompt")


def room(e: Evidence) -> Iterator[Finding]:
    """W7: everything but the document fills most of the window."""
    if e.encoding is None or not e.window or e.encoding.prompt.segments is None:
        return
    places = [(s.start, s.end) for s in e.encoding.prompt.segments if s.kind == "document"]
    spans = e.encoding.spans
    rest = sum(not any(a <= start and end <= b for a, b in places) for start, end in spans)
    if places and e.window - rest < ROOM * e.window:
        left = max(e.window - rest, 0)
        yield Finding("W7", f"Of a window of {e.window:,} tokens, {left:,} are left for the document.", "prompt")


def order(e: Evidence) -> Iterator[Finding]:
    """W8: the document comes first, where the model's own prompt has the query first."""
    if e.probes is None or not e.probes.document_first:
        return
    segments = e.reference.pair.prompts[0].segments if e.reference else None
    kinds = [s.kind for s in segments or () if s.kind in ("query", "document")]
    if kinds[:1] != ["document"]:
        yield Finding(
            "W8",
            "The document stands in front of the query: prompts of one query share no front, and pictures on both sides are"
            " given to the wrong one.",
        )
