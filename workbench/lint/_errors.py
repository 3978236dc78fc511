"""The rules whose findings stop an export: what is scored is not what was meant.

Each takes the evidence and yields findings; none renders, scores or guesses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from workbench.errors import TemplateInvalid
from workbench.lint._evidence import Evidence, texts_of
from workbench.lint._finding import Finding, Place
from workbench.lint._probes import spoken
from workbench.template import RESERVED
from workbench.types import Encoding, Image, Segment, Text

VALUES = ("instruction", "query", "document")


def syntax(e: Evidence) -> Iterator[Finding]:
    """E1: it does not compile or render."""
    if isinstance(e.outcome, TemplateInvalid) and e.pair is None:
        where = f", line {e.outcome.line}" if e.outcome.line else ""
        said = e.outcome.message.rstrip(".").replace("`", "'")
        yield Finding("E1", f"The template does not render{where}: `{said}`.", span=_line(e.template, e.outcome.line))


def unread(e: Evidence) -> Iterator[Finding]:
    """E2: the text is the same whatever the query or the document says."""
    for side, read in (("query", e.probes.query), ("document", e.probes.document)) if e.probes else ():
        if not read:
            yield Finding("E2", f"The {side} never reaches the prompt.", side)


def roles(e: Evidence) -> Iterator[Finding]:
    """E3: it waits for a message that nobody sends."""
    if e.probes is None or _same_tokens(e):
        return
    for role in e.probes.roles:
        sentence = f"No message has the role `{role}`: what waits for one is never rendered."
        yield Finding("E3", sentence, span=_quoted(e.template, role))
    if e.probes.parts:
        yield Finding(
            "E3",
            "It reads contents as lists of parts, and every content is one text.",
            span=_found(e.template, "content"),
        )


def silent(e: Evidence) -> Iterator[Finding]:
    """E4: an instruction is given and changes no byte."""
    given = e.pair.variables.get("instruction") if e.pair else None
    read = e.probes.instruction if e.probes else not (e.prompt and "instruction" in e.prompt.unused)
    if isinstance(given, str) and given.strip() and not read:
        yield Finding("E4", "The instruction is given and no byte of the prompt depends on it.", "instruction")


def tail(e: Evidence) -> Iterator[Finding]:
    """E6: the score is read at the last token, and that is another one, or the turn it stands in was never opened."""
    here, there = e.encoding, e.reference
    if here is None or there is None or not (here.token_ids and there.token_ids) or _cut(here) or _cut(there):
        return
    if _kind_at_end(there) in VALUES or _kind_at_end(here) in VALUES:
        return
    end = (len(e.template.rstrip()) - 1, len(e.template.rstrip()))
    last, own = here.token_ids[-1], there.token_ids[-1]
    if last != own:
        words = f"`{_shown(e.token(last))}` ({last}) instead of `{_shown(e.token(own))}` ({own})"
        yield Finding("E6", f"The score is read at the last token: {words}.", span=end)
    elif missing := _missing(e, here, there):
        yield Finding("E6", f"The end of the model's own prompt is missing: `{_shown(missing)}`.", span=end)


def wrapped(e: Evidence) -> Iterator[Finding]:
    """E5: the prompt's own head or tail stands in it twice."""
    wrap = e.wrap
    if wrap is None:
        return
    for name, side in (("query", e.query), ("document", e.document)):
        if any(wrap.around(text) for text in texts_of(side)):
            yield Finding("E5", f"The {name} is wrapped already: it brings the prompt's own words along.", name)
            return
    segments = e.prompt.segments if e.prompt else None
    if e.prompt is None or not segments:
        return
    words = [e.prompt.text[s.start : s.end] for s in segments if s.kind not in VALUES]
    if wrap.copies(words[-1]) > 1 or (wrap.head and sum(w.count(wrap.head) for w in words) > 1):
        yield Finding("E5", "The prompt is wrapped twice: its own words stand around themselves.")


def cut(e: Evidence) -> Iterator[Finding]:
    """E7: truncation took the end, or a picture's place."""
    if e.encoding is not None and _cut(e.encoding):
        yield Finding("E7", "The cut took the end of the prompt, where the score is read.", "prompt")
    elif e.uncut is not None and e.uncut.media and e.encoding is None:
        yield Finding("E7", "The cut took the place of a picture or clip.", "prompt")


def media(e: Evidence) -> Iterator[Finding]:
    """E8: places for pictures and clips, against the pictures and clips."""
    marks = e.family.template.placeholders
    if e.encoding is not None or e.prompt is None or e.uncut is not None or not (marks.image or marks.video):
        return
    asked = [p for side in (e.query, e.document) for p in side.content if not isinstance(p, Text)]
    sides = {
        name: any(not isinstance(p, Text) for p in side.content)
        for name, side in (("query", e.query), ("document", e.document))
    }
    if e.probes and any(sides[name] and not getattr(e.probes, name) for name in sides):
        return  # E2 says it
    wanted = [sum(isinstance(p, Image) is kind for p in asked) for kind in (True, False)]
    found = [e.prompt.text.count(mark) if mark else 0 for mark in (marks.image, marks.video)]
    if wanted != found:
        yield Finding(
            "E8", f"It has {sum(found)} places for pictures and clips, and {sum(wanted)} are given.", "prompt"
        )


def reserved(e: Evidence) -> Iterator[Finding]:
    """E9: a name that is the renderer's own."""
    for name in sorted(RESERVED & e.variant.variables.keys()):
        yield Finding("E9", f"`{name}` is the renderer's own name: no request can set it.", "request")
    for name in (n for n in e.probes.empty if n not in e.own_body) if e.probes else ():
        sentence = f"`{name}` is always false or empty here and in vLLM: what waits for it is never rendered."
        yield Finding("E9", sentence, span=_found(e.template, name))


# ---------------------------------------------------------------- reading the evidence
def _same_tokens(e: Evidence) -> bool:
    return e.encoding is not None and e.reference is not None and e.encoding.token_ids == e.reference.token_ids


def _cut(encoding: Encoding) -> bool:
    return encoding.cut is not None and encoding.cut.suffix_lost


def _kind_at_end(encoding: Encoding) -> str:
    """Where the last token comes from; "" where it is not known. Tokens that the tokenizer appends come from nowhere."""
    segments = encoding.pair.prompts[0].segments
    last: Segment | None = segments[-1] if segments else None
    own = bool(last) and encoding.spans[-1][1] > encoding.spans[-1][0]
    return last.kind if last and own else ""


def _missing(e: Evidence, here: Encoding, there: Encoding) -> str:
    """The first control token of the reference's tail that does not stand at the end here, "" where all do."""
    wanted = _controls(e, there)
    found = _controls(e, here)[-len(wanted) :] if wanted else []
    gone = next((w for w, f in zip(wanted, [-1] * (len(wanted) - len(found)) + found, strict=True) if w != f), None)
    return "" if gone is None else e.token(gone)


def _controls(e: Evidence, encoding: Encoding) -> list[int]:
    """Control tokens behind the last value; all of the prompt's where its segments are not known."""
    segments = encoding.pair.prompts[0].segments
    start = max((s.end for s in segments if s.kind in VALUES), default=0) if segments else 0
    drawn = zip(encoding.token_ids, encoding.spans, strict=True)
    return [i for i, (a, b) in drawn if a >= start and b > a and i in e.controls]


def _shown(text: str) -> str:
    return text.replace("\n", "↵").replace("\t", "⇥").replace("`", "'")


def _line(template: str, line: int) -> Place | None:
    lines = template.splitlines(keepends=True)
    if not 0 < line <= len(lines):
        return None
    start = sum(map(len, lines[: line - 1]))
    return start, start + len(lines[line - 1].rstrip("\r\n"))


def _quoted(template: str, word: str) -> Place | None:
    match = re.search(rf"""(['"]){re.escape(word)}\1""", spoken(template))
    return match.span() if match else None


def _found(template: str, word: str) -> Place | None:
    at = spoken(template).find(word)
    return (at, at + len(word)) if at >= 0 else None
