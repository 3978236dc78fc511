"""The inspector as plain functions: what is shown of a pair is what is scored, and its code gives the same numbers."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.tiny import checkpoint
from tests.ui.test_past import SHOT, request
from workbench import wire
from workbench.pool import LEXICAL, Bench
from workbench.store import Store
from workbench.types import Document, Encoding, Text, Video
from workbench.ui import desk
from workbench.ui.inspecting import Inspector
from workbench.ui.inspector_view import content_html
from workbench.ui.loop import Loop
from workbench.ui.rows import named

NASTY = "</script><img src=x onerror=alert(1)>${alert(1)}{{7*7}} `x` \u202e 'END'\nEND\n\"\"\" $HOME $(id)"


@pytest.fixture
def inspector(bench: Bench, tmp_path: Path) -> Inspector:
    return Inspector(Loop(bench, tmp_path, None, Store(tmp_path / "history.db")))


def event(**data: str) -> Any:
    return SimpleNamespace(_data=data)


def values(inspector: Inspector, model: str = LEXICAL, *rows: Document) -> list[Any]:
    given = rows or (Document("x", (Text("One red star. Two moons."),)), Document("y", (Text(NASTY),)))
    own = desk.body_of(inspector.loop.bench, model)
    return [model, "reference", "a red star", [], named([], given), own, "one", own, "two"]


def opened(inspector: Inspector, fields: list[Any], doc: str) -> tuple[str, str, str, str]:
    """(title, all of the body, why, its answer) once the scores are there."""
    name, title, body, sides, more, why, drawn = inspector.on_open(event(do="open", doc=doc, side="b"), request(), *fields)
    if name:
        assert "data-logit" not in sides and "scored when the model is free" in sides and why == ""
        sides, why = inspector.on_score(request(), name, *fields)
    return title, body + sides + more, why, drawn


def codes(body: str) -> dict[str, str]:
    found = re.findall(r'data-code="B as (\w+)">(.*?)</pre>', body, re.S)
    return {name: html.unescape(text) for name, text in found}


def test_a_pair_is_shown_as_it_is_scored(inspector: Inspector, tiny_qwen3: Path) -> None:
    fields = values(inspector, str(tiny_qwen3))
    list(inspector.loop.on_rank(request(), *fields))
    title, body, offer, drawn = opened(inspector, fields, "x")
    asked = desk.read(inspector.loop.bench, *fields)
    for side in "ab":
        (result,) = inspector.loop.bench.rank(asked.variants[side], asked.query, asked.rows[:1])
        assert result.score and result.encoding
        assert f'data-logit="{side}">{result.score.logit:.4f}<' in body and f"{result.score.value:.6f}" in body
        assert " ".join(map(str, result.encoding.token_ids)) in body
        assert f"yes <b class=\"digits\">{result.score.detail['true']:.4f}" in body
    assert "One red star. Two moons." in body and "document 1 of 2" in title and drawn == ""
    assert body.count("of 2</td>") == 2  # this pair in the run before, under A and under B
    assert "3 forwards a side" in offer and "about" in offer


def test_a_pair_opens_at_once_while_a_run_goes(
    inspector: Inspector, tiny_qwen3: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scorer is held fast in the run's first batch: all but the scores is there; they come when it goes on."""
    fields = values(inspector, str(tiny_qwen3))
    scorer = inspector.loop.bench.pool.get(str(tiny_qwen3))
    held, free, asked_for, score = threading.Event(), threading.Event(), list[int](), scorer.score

    def blocked(batch: Any, *more: Any, **words: Any) -> Any:
        asked_for.append(len(batch))
        held.set()
        assert free.wait(120)
        yield from score(batch, *more, **words)

    monkeypatch.setattr(scorer, "score", blocked)
    with ThreadPoolExecutor(2) as pool:
        run = pool.submit(lambda: list(inspector.loop.on_rank(request(), *fields)))
        assert held.wait(120)
        try:
            looked = pool.submit(inspector.on_open, event(do="open", doc="x"), request(), *fields)
            name, title, body, sides, more, why, _ = looked.result(60)
            asked = desk.read(inspector.loop.bench, *fields)
            encoding = desk.preview(inspector.loop.bench, asked, 0)["b"]
            assert isinstance(encoding, Encoding) and " ".join(map(str, encoding.token_ids)) in sides
            assert "One red star." in body and "document 1 of 2" in title and "curl" in more and why == ""
            assert name == "x" and not run.done() and len(asked_for) == 1  # opening it asked the model for nothing
        finally:
            free.set()
        run.result(120)
    sides, why = inspector.on_score(request(), name, *fields)
    assert 'data-logit="b"' in sides and "a side" in why


def test_a_pair_that_was_left_while_it_was_scored_draws_nothing(inspector: Inspector, monkeypatch: pytest.MonkeyPatch) -> None:
    fields, rank = values(inspector), Bench.rank

    def left(self: Bench, *given: Any) -> Any:
        inspector.on_halt(request())  # another card was clicked, or the sheet was closed
        return rank(self, *given)

    monkeypatch.setattr(Bench, "rank", left)
    assert all(isinstance(x, dict) for x in inspector.on_score(request(), "x", *fields))


def test_every_step_of_a_process_reward_is_shown(inspector: Inspector, root: Path) -> None:
    said = "Two and two.\n\nThat is <b>four</b>.\n\nSo it is five."
    fields = values(inspector, str(checkpoint("step-reward", root / ".cache" / "tiny")), Document("x", (Text(said),)))
    fields[6] = fields[8] = None  # it reads no instruction
    list(inspector.loop.on_rank(request(), *fields))
    _, body, *_ = opened(inspector, fields, "x")
    asked = desk.read(inspector.loop.bench, *fields)
    (result,) = inspector.loop.bench.rank(asked.variants["b"], asked.query, asked.rows)
    assert result.score
    steps: Any = result.score.detail["steps"]
    drawn = re.findall(r'<li( class=worst)?><span[^>]*>(.*?)</span><b class="digits">(.*?)</b><span[^>]*>(.*?)</span></li>', body)
    assert len(steps) == 3 and len(drawn) == 2 * 3  # of both sides
    assert [html.unescape(text) for _, text, *_ in drawn[:3]] == said.split("\n\n")
    assert [value for *_, value, _ in drawn[:3]] == [f"{s['value']:.4f}" for s in steps]
    (worst,) = (i for i, (mark, *_) in enumerate(drawn[:3]) if mark)
    assert steps[worst]["logit"] == min(s["logit"] for s in steps) == result.score.logit and "<b>four" not in body


def test_nothing_foreign_is_markup(inspector: Inspector) -> None:
    title, body, offer, _ = opened(inspector, values(inspector), "y")
    for drawn in (title, body, offer):
        assert "<img src=x" not in drawn and "</script>" not in drawn
    assert html.escape(NASTY, quote=True) in body


def test_what_the_browser_sends_is_checked(inspector: Inspector) -> None:
    fields = values(inspector)
    assert "no longer in the list" in opened(inspector, fields, "<b>")[1]
    for nonsense in (event(do="x"), SimpleNamespace(_data=None)):
        name, *rest = inspector.on_open(nonsense, request(), *fields)
        assert name == "" and all(isinstance(x, dict) for x in rest)
    assert all(isinstance(x, dict) for x in inspector.on_score(request(), "", *fields))  # it was closed while it waited
    assert "no longer in the list" in inspector.on_score(request(), "<b>", *fields)[0]
    assert isinstance(next(inspector.on_why(event(do="why", side="<b>"), request(), *fields)), dict)
    assert "no longer in the list" in list(inspector.on_why(event(do="why", side="a", doc="?"), request(), *fields))[-1]


def test_a_row_that_cannot_be_read_says_why(inspector: Inspector) -> None:
    fields = values(inspector)
    fields[4] = [{"id": "d1", "label": "f.png", "grade": None, "parts": [], "error": ["is bad", "f.png", "Do this."]}]
    for name in ("d1", "0"):
        assert "is bad" in opened(inspector, fields, name)[1]


def test_the_code_of_a_pair_gives_its_score(inspector: Inspector, tiny_qwen3_vl: Path, tmp_path: Path, root: Path) -> None:
    """curl's body and the lines of Python, run as they stand, give the logit that the sheet shows."""
    bench, picture = inspector.loop.bench, next(SHOT.glob("*.png"))
    part = bench.library.add_file(picture)
    fields = values(inspector, str(tiny_qwen3_vl), Document("x", (part, Text(NASTY))))
    fields[7] += "{{- ' edited' -}}"
    body = opened(inspector, fields, "x")[1]
    said = codes(body)
    shown = float(re.search(r'data-logit="b">([-\d.]+)<', body)[1])  # type: ignore[index]

    shell, count = re.subn(r"^curl -s \S+/rerank -H '[^']*' -d @-", "cat", said["curl"])  # what the server would be sent
    sent = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, timeout=60, check=True)
    request_ = wire.read_rerank(json.loads(sent.stdout), bench)
    assert count == 1
    (result,) = bench.rank(request_.variant, request_.query, request_.rows)
    assert result.score and result.score.logit == pytest.approx(shown, abs=1e-4)

    (tmp_path / picture.name).write_bytes(picture.read_bytes())
    script = f"import sys; sys.path.insert(0, {str(root)!r})\n{said['Python']}"
    ran = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    assert float(ran.stdout.split()[0]) == pytest.approx(shown, abs=1e-3)


def test_why_streams_and_stops(inspector: Inspector) -> None:
    fields = values(inspector)
    steps = list(inspector.on_why(event(do="why", side="b", doc="x"), request(), *fields))
    assert "0 of 2" in steps[0] and steps[-1].count("data-change=") == 2 and "Approximate" in steps[-1]
    assert 'class="for"' in steps[-1]
    running = inspector.on_why(event(do="why", side="b", doc="x"), request("s"), *fields)
    next(running)
    inspector.on_halt(request("s"))
    assert "stopped" in list(running)[-1]
    inspector.on_halt(request("another"))


def test_clips_play_and_show_their_frames(inspector: Inspector, tiny_qwen3_vl: Path) -> None:
    part = inspector.loop.bench.library.add_file(next(SHOT.glob("*.mp4")))
    assert isinstance(part, Video)
    body = opened(inspector, values(inspector, str(tiny_qwen3_vl), Document("x", (part,))), "x")[1]
    assert "<video controls" in body and 'src="data:video/mp4;base64,' in body
    assert "vision token" in body and body.count('<span class="frame"') >= 4 and re.search(r'"when">[\d.]+ s<', body)


def test_a_large_clip_is_not_sent_to_the_page(inspector: Inspector, monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.ui import inspector_view

    monkeypatch.setattr(inspector_view, "PLAYED", 10)
    part = inspector.loop.bench.library.add_file(next(SHOT.glob("*.mp4")))
    assert "too large to be played" in content_html(inspector.loop.bench.library, [part])
