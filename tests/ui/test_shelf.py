"""Pictures and clips of a data folder stay under their limit: the oldest go first, pinned runs keep theirs, and it is said."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.ui.test_past import request
from workbench.media import Library
from workbench.pool import LEXICAL, Bench
from workbench.store import Entry, Store
from workbench.types import Document, Image, Media
from workbench.ui import desk, shelf
from workbench.ui.loop import Loop
from workbench.ui.owner import owner_of
from workbench.ui.recall import NOTHING, Recall
from workbench.ui.rows import named, parts_of
from workbench.ui.shelf import Shelf

PNG = b"\x89PNG\r\n\x1a\n"
SIZE = 1000


@pytest.fixture
def library(bench: Bench, tmp_path: Path) -> Library:
    return Library(tmp_path / "media", bench.library._worker)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "history.db")


def file(library: Library, name: str, hours: float = 100.0) -> Media:
    """A picture of SIZE bytes that was brought so many hours ago."""
    part = library.add((PNG + name.encode()).ljust(SIZE, b"."), f"{name}.png")
    then = time.time() - 3600 * hours
    os.utime(library.path(part), (then, then))
    return part


def run(store: Store, *parts: Media, hours: float = 100.0) -> str:
    """A run that used these, so many hours ago."""
    made = store.add(Entry("me", str(time.monotonic()), "q", "m", "", {}, {}, [[], *(parts_of([p]) for p in parts)]))
    store._db.execute("UPDATE run SET at = ? WHERE id = ?", (time.time() - 3600 * hours, made))
    return made


def test_what_was_used_longest_ago_goes_first_and_no_pinned_runs_files(library: Library, store: Store) -> None:
    pinned, old, shared, newer, loose = (file(library, name) for name in ("pinned", "old", "shared", "newer", "loose"))
    store.pin("me", run(store, pinned, hours=90), True)
    run(store, old, shared, hours=50)
    run(store, shared, newer, hours=20)
    keeper = Shelf(library, store, 5 * SIZE)
    assert keeper.tidy(now=True) == 0

    def left(most: int) -> list[Media]:
        keeper.most = most * SIZE
        keeper.tidy(now=True)
        return [part for part in (pinned, old, shared, newer, loose) if library.has(part)]

    assert left(4) == [pinned, old, shared, newer]  # no run uses the other
    assert left(3) == [pinned, shared, newer]
    assert left(0) == [pinned]


def test_what_may_lie_in_an_open_page_stays(library: Library, store: Store) -> None:
    fresh, again, scored, gone = (file(library, name) for name in ("fresh", "again", "scored", "gone"))
    os.utime(library.path(fresh))
    library.add((PNG + b"again").ljust(SIZE, b"."), "again.png")  # brought a second time: the same file
    run(store, scored, hours=0.1)
    assert Shelf(library, store, 0).tidy(now=True) == 1
    assert [library.has(part) for part in (fresh, again, scored, gone)] == [True, True, True, False]


def test_it_does_not_look_at_every_run_and_nothing_else_is_deleted(
    library: Library, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keeper, part = Shelf(library, store, 0), file(library, "one")
    keeper.tidy()
    assert not library.has(part)
    other = file(library, "two")
    stranger = tmp_path / "media" / "notes.txt"
    stranger.write_text("mine")
    assert keeper.tidy() == 0 and library.has(other)
    monkeypatch.setattr(shelf, "EVERY", 0.0)
    assert keeper.tidy(now=True) == 1 and stranger.read_text() == "mine"
    assert Shelf().tidy(now=True) == 0  # a page without a history keeps everything


def test_a_file_that_is_brought_again_while_this_looks_stays(library: Library) -> None:
    part = file(library, "one")
    (listed,) = library.files()
    library.add((PNG + b"one").ljust(SIZE, b"."), "one.png")
    assert not library.drop(listed) and library.has(part)
    assert library.drop(library.files()[0]) and not library.drop(listed)


def test_a_run_says_what_it_lost_and_is_whole_otherwise(bench: Bench, library: Library, store: Store, tmp_path: Path) -> None:
    own = replace(bench, library=library)
    loop = Loop(own, tmp_path, None, store, shelf=Shelf(library, store, 0))
    recall = Recall(loop, store)
    part = file(library, "one", 0.0)
    assert isinstance(part, Image)
    items = named([], [Document("x", (part, desk.Text("red star"))), Document("y", (desk.Text("moon"),))])
    body = desk.body_of(own, LEXICAL)
    fields: list[Any] = [LEXICAL, "reference", "a red star", [], items, body, "", body, "two"]
    list(loop.on_rank(request(), *fields))
    assert library.has(part)  # used just now
    assert "let go to make room" not in recall.on_enter(request(), NOTHING)[3]
    store._db.execute("UPDATE run SET at = at - 7200")
    os.utime(library.path(part), (1.0, 1.0))
    assert loop.shelf.tidy(now=True) == 1
    head, rankings = recall.on_enter(request(), NOTHING)[3:5]
    assert "<b>1</b> <span>of its pictures and clips were let go" in head and "--media-quota" in head
    assert 'data-doc="x"' in rankings and 'data-doc="y"' in rankings
    assert len(store.page(owner_of(request()))[0]) == 1
