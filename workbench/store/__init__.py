"""What is remembered: every scoring run as plain values in one SQLite file, whose it is, and what its owner wrote on it.

Knows nothing of models, rankings or screens; heads and bodies come in and go out as the JSON they were given.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workbench.store._file import StoreFailed, folded, forget_contents, forget_oldest, opened, set_aside
from workbench.types import JSON

__all__ = ["Entry", "Kept", "Search", "Store", "StoreFailed"]

WORDS = 4_000  # characters of a name, a note or all tags


@dataclass(frozen=True, slots=True)
class Entry:
    """What one press of Score gave, before it is kept. `contents`: query and documents in order, each kept once for all runs.

    `mark` tells runs that asked the same and got the same; `question` those of one query and its documents' needs; `words`
    are what a search looks at; `head` is what a list shows, `body` the rest. `draft`: what somebody is still typing at, "" for a
    run that was asked for; of runs of one draft that follow each other closely the last stays.
    """

    owner: str
    mark: str
    question: str
    model: str
    words: str
    head: JSON
    body: JSON
    contents: Sequence[JSON]
    draft: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """One remembered run. `times`: how often it was scored with the same result; `body` and `contents` only where asked for."""

    id: str
    owner: str
    at: float  # seconds since 1970
    times: int
    question: str
    model: str
    head: JSON
    name: str = ""
    note: str = ""
    pinned: bool = False
    tags: tuple[str, ...] = ()
    body: JSON = None
    contents: tuple[JSON, ...] = ()


@dataclass(frozen=True, slots=True)
class Search:
    """Which runs a list shows; "" = any."""

    text: str = ""
    tag: str = ""
    model: str = ""
    question: str = ""


@dataclass
class Store:
    """One file. Safe to use from many threads, and beside other processes. `lasting`: it outlives the program.

    `said`: what went wrong with the file before, for the page to say. Raises StoreFailed.
    """

    path: Path
    lasting: bool = True
    said: str = ""
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _db: sqlite3.Connection = field(init=False)

    def __post_init__(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                self._db = opened(self.path)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):  # locked, or no room: nothing is wrong with the file
                    raise
                aside = set_aside(self.path)
                self.said = f"The history could not be read ({error}). It lies in {aside.name}, and a new one begins."
                self._db = opened(self.path)
        except (OSError, sqlite3.Error) as error:
            raise StoreFailed(f"the history cannot be opened ({error})", where=self.path.name) from error

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextlib.contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """One transaction; what it acknowledges is on the disk."""
        with self._lock:
            try:
                with self._db:
                    self._db.execute("BEGIN IMMEDIATE")
                    yield self._db
            except sqlite3.Error as error:
                hint = "Free space, or start with another --data." if "full" in str(error) else ""
                raise StoreFailed(f"the history could not be written ({error})", hint=hint) from error

    def _rows(self, question: str, values: Sequence[object]) -> list[sqlite3.Row]:
        with self._lock:
            try:
                return self._db.execute(question, tuple(values)).fetchall()
            except sqlite3.Error as error:
                raise StoreFailed(f"the history could not be read ({error})") from error

    # ------------------------------------------------------------ in
    def add(self, entry: Entry) -> str:
        """The run's id, unguessable. A run that asks what its owner's last one asked, with the same result, is that one again."""
        now = time.time()
        with self._changing() as db:
            last = db.execute("SELECT id, mark FROM run WHERE owner = ? ORDER BY at DESC LIMIT 1", (entry.owner,)).fetchone()
            if last and last["mark"] == entry.mark:
                asked_for = "" if entry.draft else ", draft = ''"
                db.execute(f"UPDATE run SET at = ?, times = times + 1{asked_for} WHERE id = ?", (now, last["id"]))
                return str(last["id"])
            before = folded(db, entry.owner, entry.draft, now)
            run = before or secrets.token_urlsafe(16)
            _insert(db, run, now, entry)
            if before:
                forget_contents(db)
            forget_oldest(db, entry.owner)
        return run

    # ------------------------------------------------------------ out
    def page(self, owner: str, search: Search = Search(), *, first: int = 0, most: int = 50) -> tuple[list[Kept], int]:
        """(runs without their bodies, newest first; how many there are in all)."""
        where, values = "owner = ?", [owner]
        for column in ("model", "question"):
            if wanted := getattr(search, column):
                where, values = f"{where} AND {column} = ?", [*values, wanted]
        if search.tag:
            where, values = f"{where} AND id IN (SELECT run FROM tag WHERE tag = ?)", [*values, search.tag]
        for word in search.text.lower().split()[:8]:
            like = "%" + _whole(word).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
            where += " AND (words LIKE ? ESCAPE '\\' OR lower(name || ' ' || note) LIKE ? ESCAPE '\\'"
            where += " OR id IN (SELECT run FROM tag WHERE lower(tag) LIKE ? ESCAPE '\\'))"
            values += [like] * 3
        count = self._rows(f"SELECT count(*) AS n FROM run WHERE {where}", values)[0]["n"]
        found = self._rows(f"SELECT * FROM run WHERE {where} ORDER BY at DESC LIMIT ? OFFSET ?", [*values, most, first])
        return [self._kept(row) for row in found], count

    def get(self, run: str) -> Kept | None:
        """A whole run, by whoever knows its id: that is what a link is."""
        found = self._rows("SELECT * FROM run WHERE id = ?", [run])
        return self._kept(found[0], whole=True) if found else None

    def asked(self, owner: str, question: str, most: int = 60) -> list[Kept]:
        """The last runs of one question with their bodies, oldest first."""
        found = self._rows(
            "SELECT * FROM run WHERE owner = ? AND question = ? ORDER BY at DESC LIMIT ?", [owner, question, most]
        )
        return [self._kept(row, whole=True) for row in reversed(found)]

    def labels(self, owner: str) -> tuple[list[str], list[str]]:
        """(tags, models) that the owner's runs have."""
        tags = self._rows("SELECT DISTINCT tag FROM tag JOIN run ON run.id = tag.run WHERE owner = ? ORDER BY tag", [owner])
        models = self._rows("SELECT model, max(at) AS last FROM run WHERE owner = ? GROUP BY model ORDER BY last DESC", [owner])
        return [row["tag"] for row in tags], [row["model"] for row in models]

    def contents(self) -> Iterator[tuple[JSON, float, bool]]:
        """(what runs refer to, when the last of them was scored, is one of them pinned)"""
        found = self._rows(
            "SELECT content.body, max(run.at) AS last, max(run.pinned) AS pinned FROM content JOIN used USING (digest)"
            " JOIN run ON run.id = used.run GROUP BY content.digest", [],
        )  # fmt: skip
        for row in found:
            yield json.loads(row["body"]), row["last"], bool(row["pinned"])

    def _kept(self, row: sqlite3.Row, *, whole: bool = False) -> Kept:
        tags = tuple(r["tag"] for r in self._rows("SELECT tag FROM tag WHERE run = ? ORDER BY tag", [row["id"]]))
        kept = {k: row[k] for k in ("id", "owner", "at", "times", "question", "model", "name", "note")}
        body, contents = None, tuple[JSON, ...]()
        if whole:
            body = json.loads(row["body"])
            used = "SELECT content.body FROM used JOIN content USING (digest) WHERE run = ? ORDER BY place"
            contents = tuple(json.loads(r["body"]) for r in self._rows(used, [row["id"]]))
        return Kept(**kept, head=json.loads(row["head"]), pinned=bool(row["pinned"]), tags=tags, body=body, contents=contents)

    # ------------------------------------------------------------ what an owner writes on a run
    def pin(self, owner: str, run: str, pinned: bool) -> bool:
        return self._set("pinned", owner, run, int(pinned))

    def rename(self, owner: str, run: str, name: str) -> bool:
        return self._set("name", owner, run, _whole(name.strip()[:WORDS]))

    def annotate(self, owner: str, run: str, note: str) -> bool:
        return self._set("note", owner, run, _whole(note[:WORDS]))

    def tag(self, owner: str, run: str, tags: Sequence[str]) -> bool:
        """Replaces all its tags."""
        wanted = sorted({t for t in (_whole(tag).strip()[:60] for tag in tags) if t})[:20]
        with self._changing() as db:
            if not db.execute("SELECT 1 FROM run WHERE id = ? AND owner = ?", (run, owner)).fetchone():
                return False
            db.execute("DELETE FROM tag WHERE run = ?", (run,))
            db.executemany("INSERT INTO tag VALUES (?, ?)", [(run, tag) for tag in wanted])
        return True

    def delete(self, owner: str, run: str) -> bool:
        """Whether there was such a run of this owner; it is gone, and what only it referred to."""
        with self._changing() as db:
            gone = db.execute("DELETE FROM run WHERE id = ? AND owner = ?", (run, owner)).rowcount
            forget_contents(db)
        return bool(gone)

    def _set(self, column: str, owner: str, run: str, value: object) -> bool:
        with self._changing() as db:
            found = db.execute(f"UPDATE run SET {column} = ? WHERE id = ? AND owner = ?", (value, run, owner))
        return bool(found.rowcount)


def _insert(db: sqlite3.Connection, run: str, now: float, entry: Entry) -> None:
    given = (entry.owner, now, entry.mark, entry.question, entry.model, _whole(entry.words), entry.draft)
    db.execute(
        "INSERT INTO run (id, owner, at, mark, question, model, words, draft, head, body) VALUES (?,?,?,?,?,?,?,?,?,?)",
        (run, *given, _text(entry.head), _text(entry.body)),
    )
    for place, content in enumerate(entry.contents):
        body = _text(content)
        digest = hashlib.sha256(body.encode()).hexdigest()
        db.execute("INSERT OR IGNORE INTO content VALUES (?, ?)", (digest, body))
        db.execute("INSERT INTO used VALUES (?, ?, ?)", (run, place, digest))


def _text(value: JSON) -> str:
    """Floats as Python writes them: read back, they are the same floats."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def _whole(text: str) -> str:
    """Without lone surrogates, which SQLite has no bytes for."""
    return text.encode("utf-8", "replace").decode()
