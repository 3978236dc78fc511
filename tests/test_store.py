"""What is remembered stays: exact numbers, one owner's runs alone, through kills, damage, bounds and newer forms of the file."""

from __future__ import annotations

import contextlib
import sqlite3
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from workbench import store as shelves
from workbench.store import Entry, Search, Store, StoreFailed, _file


def entry(owner: str = "me", mark: str = "m", question: str = "q", **fields: object) -> Entry:
    given = {"model": "M", "words": "a red star", "head": {"query": "a red star"}, "body": {"n": 1}, "contents": ["q", "d"]}
    return Entry(owner, mark, question, **{**given, **fields})  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "history.db")


def test_what_goes_in_comes_out_exactly(store: Store, tmp_path: Path) -> None:
    logits = [struct.unpack("f", struct.pack("f", x))[0] for x in (0.1, -17.123456, 3.4e38, 1e-45)]
    body = {"logits": logits, "text": "<b>\ud800 \u202e 你好"}
    run = store.add(entry(body=body, contents=[[["text", "q", ""]], [["image", "0" * 64, "a.png"]]]))
    store.close()
    found = Store(tmp_path / "history.db").get(run)
    assert found and found.body == body and found.contents == ([["text", "q", ""]], [["image", "0" * 64, "a.png"]])
    assert len(run) >= 22 and found.owner == "me" and found.times == 1


def test_the_same_again_is_the_same_run(store: Store) -> None:
    one = store.add(entry())
    assert store.add(entry()) == one and store.get(one).times == 2  # type: ignore[union-attr]
    two = store.add(entry(mark="other"))
    assert two != one and store.add(entry()) not in (one, two)  # something else came between: the loop went on


def test_runs_of_a_draft_fold_into_the_last_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    one = store.add(entry(mark="1", draft="d", contents=["q", "r"]))
    assert store.add(entry(mark="2", draft="d", contents=["q", "re"])) == one
    (kept,), _ = store.page("me")
    assert kept.id == one and store.get(one).contents == ("q", "re")  # type: ignore[union-attr]
    assert sorted(c for c, *_ in store.contents()) == ["q", "re"]  # what only the one before said is gone
    assert store.add(entry(mark="3", draft="other")) != one  # other documents, another model
    assert store.add(entry(mark="4", draft="d", owner="you")) != one
    runs = [store.add(entry(mark=f"5{i}", draft="d")) for i in range(2)]
    assert runs[0] == runs[1]
    asked = store.add(entry(mark="51"))  # scored by hand with the same result: it is a run now that stays
    assert asked == runs[1] and store.add(entry(mark="6", draft="d")) != asked
    monkeypatch.setattr(_file, "FOLD", -1.0)
    assert store.add(entry(mark="7", draft="d")) != store.add(entry(mark="8", draft="d"))  # too long ago


@pytest.mark.parametrize("write", ["pin", "rename", "annotate", "tag"])
def test_a_draft_that_somebody_wrote_on_stays(store: Store, write: str) -> None:
    run = store.add(entry(mark="1", draft="d"))
    value = {"pin": True, "tag": ["law"]}.get(write, "mine")
    assert getattr(store, write)("me", run, value)
    assert store.add(entry(mark="2", draft="d")) != run and store.get(run)


def test_owners_never_see_each_other_without_a_link(store: Store) -> None:
    mine, theirs = store.add(entry("me")), store.add(entry("you"))
    assert [k.id for k in store.page("me")[0]] == [mine] and store.page("nobody") == ([], 0)
    assert [k.id for k in store.asked("you", "q")] == [theirs]
    assert store.get(theirs)  # whoever was given the id
    assert store.get("x") is None
    for change in (
        store.pin("me", theirs, True), store.rename("me", theirs, "x"), store.annotate("me", theirs, "x"),
        store.tag("me", theirs, ["x"]), store.delete("me", theirs),
    ):  # fmt: skip
        assert change is False
    found = store.get(theirs)
    assert found and (found.pinned, found.name, found.note, found.tags) == (False, "", "", ())


def test_lists_are_newest_first_paged_and_searched(store: Store) -> None:
    runs = [store.add(entry(mark=str(i), question=f"q{i % 2}", words=f"run {i} 50%_x", model=f"M{i % 3}")) for i in range(7)]
    page, count = store.page("me", first=2, most=3)
    assert [k.id for k in page] == runs[::-1][2:5] and count == 7 and page[0].body is None
    store.rename("me", runs[0], "Gold \ud800")
    store.annotate("me", runs[1], "why not")
    store.tag("me", runs[2], [" law ", "law", "", "pets"])
    assert store.get(runs[2]).tags == ("law", "pets")  # type: ignore[union-attr]

    def found(**search: str) -> list[int]:
        return sorted(runs.index(k.id) for k in store.page("me", Search(**search))[0])

    assert found(text="gold") == [0] and found(text="WHY") == [1] and found(text="pet") == [2] and found(tag="law") == [2]
    assert found(model="M1") == [1, 4] and found(question="q1") == [1, 3, 5] and found(text="run 4") == [4]
    assert found(text="50%_x") == list(range(7)) and found(text="5__x") == [] and found(text="'; DROP TABLE run") == []
    assert [runs.index(k.id) for k in store.asked("me", "q0", most=3)] == [2, 4, 6]
    assert store.labels("me") == (["law", "pets"], ["M0", "M2", "M1"]) and store.labels("you") == ([], [])


def test_contents_are_kept_once_and_go_with_their_last_run(store: Store) -> None:
    one = store.add(entry(mark="1", contents=["shared", "one"]))
    two = store.add(entry(mark="2", contents=["shared", "two"]))
    assert sorted(c for c, *_ in store.contents()) == ["one", "shared", "two"]
    assert store.delete("me", one) and sorted(c for c, *_ in store.contents()) == ["shared", "two"]
    assert store.delete("me", two) and list(store.contents()) == [] and not store.delete("me", two)


def test_the_oldest_go_and_the_pinned_stay(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_file, "KEPT", 3)
    first = store.add(entry(mark="0"))
    store.pin("me", first, True)
    runs = [store.add(entry(mark=str(i), contents=[i])) for i in range(1, 6)]
    assert {k.id for k in store.page("me")[0]} == {first, *runs[-3:]}
    assert sorted((c for c, *_ in store.contents()), key=str) == [3, 4, 5, "d", "q"]


def test_a_full_file_lets_old_runs_go(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_file, "MOST_BYTES", 400_000)
    for i in range(120):
        store.add(entry(mark=str(i), contents=[f"{i}" * 3000]))
    count = store.page("me")[1]
    assert 0 < count < 120 and store.page("me")[0][0].head


KILLED = """
import os, sys
from pathlib import Path
from tests.test_store import entry
from workbench.store import Store
store = Store(Path(sys.argv[1]))
for i in range(100000):
    print(store.add(entry(mark=str(i), contents=[str(i) * 500])), flush=True)
"""


def test_a_killed_process_loses_nothing_it_acknowledged(tmp_path: Path, root: Path) -> None:
    path = tmp_path / "history.db"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], cwd=root, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    said = [process.stdout.readline().strip() for _ in range(40)]
    process.kill()
    said += process.stdout.read().split("\n")[:-1]
    process.wait(10)
    store = Store(path)
    assert not store.said and all(store.get(run) for run in said) and len(said) >= 40
    assert store.add(entry())


@pytest.mark.parametrize("damage", ["head", "middle"])
def test_a_damaged_file_is_set_aside(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "history.db"
    store = Store(path)
    for i in range(200):
        store.add(entry(mark=str(i), contents=[str(i) * 500]))
    store.close()
    data = bytearray(path.read_bytes())
    if damage == "head":
        data[:100] = b"x" * 100
    else:
        data[4096 : len(data) - 4096] = b"\xa5" * (len(data) - 8192)
    path.write_bytes(data)
    again = Store(path)
    (aside,) = tmp_path.glob("history.db.damaged-*")
    assert aside.read_bytes() == data and aside.name in again.said
    assert again.page("me") == ([], 0) and again.add(entry())


def test_an_older_file_is_carried_forward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "history.db"
    before = Store(path)
    run = before.add(entry())
    before.close()
    steps = (*_file.STEPS, "ALTER TABLE run ADD COLUMN colour TEXT NOT NULL DEFAULT 'grey'")
    monkeypatch.setattr(_file, "STEPS", steps)
    after = Store(path)
    assert after.get(run) and after.add(entry(mark="2"))
    after.close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == len(steps)
        assert {row[0] for row in db.execute("SELECT colour FROM run")} == {"grey"}
    monkeypatch.setattr(_file, "STEPS", steps[:-1])
    with pytest.raises(StoreFailed, match="newer workbench"):
        Store(path)
    assert not list(tmp_path.glob("*.damaged-*"))


def test_a_step_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "history.db"
    run = Store(path).add(entry())
    monkeypatch.setattr(_file, "STEPS", (*_file.STEPS, "CREATE TABLE new (x); ALTER TABLE nothing ADD COLUMN y"))
    with pytest.raises(StoreFailed):
        Store(path)
    monkeypatch.undo()
    assert Store(path).get(run) and not list(tmp_path.glob("*.damaged-*"))


def test_many_threads_and_two_stores_write_at_once(tmp_path: Path) -> None:
    stores = [Store(tmp_path / "history.db") for _ in range(2)]

    def write(at: int) -> None:
        for i in range(10):
            stores[at % 2].add(entry(f"owner{at}", mark=str(i)))

    threads = [threading.Thread(target=write, args=(at,)) for at in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [stores[0].page(f"owner{at}")[1] for at in range(6)] == [10] * 6


def test_a_full_disk_is_a_sentence(store: Store) -> None:
    run = store.add(entry())
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreFailed, match=r"could not be written.*--data"):
        store.add(entry(mark="2", contents=["x" * 100_000]))
    assert store.get(run) and store.page("me")[1] == 1


def test_it_can_be_told_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "history.db").mkdir()
    with pytest.raises(StoreFailed, match="cannot be opened"):
        Store(tmp_path / "history.db")
    assert shelves.Store is Store
