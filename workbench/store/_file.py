"""The SQLite file of the history: its tables, how older forms are carried forward, what is let go when it grows.

Knows nothing of what a run is beyond whose it is, when it was and whether it is pinned.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

from workbench.errors import WorkbenchError

KEPT = 2_000  # runs of one owner that are not pinned; the oldest go
KEPT_IN_ALL = 20_000
MOST_BYTES = 2 << 30
FOLD = 10.0  # seconds within which a run of a draft takes the place of the one before
STEPS: tuple[str, ...] = (
    """
    CREATE TABLE run (id TEXT PRIMARY KEY, owner TEXT NOT NULL, at REAL NOT NULL, times INTEGER NOT NULL DEFAULT 1,
        mark TEXT NOT NULL, question TEXT NOT NULL, model TEXT NOT NULL, words TEXT NOT NULL, head TEXT NOT NULL,
        body TEXT NOT NULL, name TEXT NOT NULL DEFAULT '', note TEXT NOT NULL DEFAULT '', pinned INTEGER NOT NULL DEFAULT 0);
    CREATE INDEX run_of ON run (owner, at DESC);
    CREATE INDEX run_asked ON run (owner, question, at DESC);
    CREATE TABLE tag (run TEXT NOT NULL REFERENCES run ON DELETE CASCADE, tag TEXT NOT NULL, PRIMARY KEY (run, tag));
    CREATE TABLE content (digest TEXT PRIMARY KEY, body TEXT NOT NULL);
    CREATE TABLE used (run TEXT NOT NULL REFERENCES run ON DELETE CASCADE, place INTEGER NOT NULL, digest TEXT NOT NULL,
        PRIMARY KEY (run, place));
    CREATE INDEX used_content ON used (digest);
    """,
    "ALTER TABLE run ADD COLUMN draft TEXT NOT NULL DEFAULT ''",
)


class StoreFailed(WorkbenchError):
    kind = "store_failed"


def opened(path: Path) -> sqlite3.Connection:
    """A connection to a file of the newest form; older forms are carried forward. Raises sqlite3.Error or StoreFailed."""
    db = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    try:
        db.row_factory = sqlite3.Row
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            db.execute(f"PRAGMA {pragma}")
        if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("it is damaged")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > len(STEPS):
            raise StoreFailed(
                "was written by a newer workbench", where=path.name, hint="Use that one, or start with another --data."
            )
        for at, step in enumerate(STEPS[version:], version + 1):
            db.executescript(f"BEGIN IMMEDIATE; {step}; PRAGMA user_version = {at}; COMMIT;")
    except BaseException:
        db.close()
        raise
    return db


def forget_oldest(db: sqlite3.Connection, owner: str) -> None:
    free = "pinned = 0 AND id IN (SELECT id FROM run WHERE pinned = 0"
    gone = db.execute(f"DELETE FROM run WHERE {free} AND owner = ? ORDER BY at DESC LIMIT -1 OFFSET ?)", (owner, KEPT)).rowcount
    gone += db.execute(f"DELETE FROM run WHERE {free} ORDER BY at DESC LIMIT -1 OFFSET ?)", (KEPT_IN_ALL,)).rowcount
    if gone:
        forget_contents(db)
    if _bytes(db) > MOST_BYTES:
        db.execute(f"DELETE FROM run WHERE {free} ORDER BY at LIMIT 50)")
        forget_contents(db)


def folded(db: sqlite3.Connection, owner: str, draft: str, now: float) -> str | None:
    """The id of the owner's last run, which is gone, where one of the same draft may stand in its place: nobody wrote on it."""
    last = db.execute("SELECT * FROM run WHERE owner = ? ORDER BY at DESC LIMIT 1", (owner,)).fetchone()
    if not draft or last is None or last["draft"] != draft or now - last["at"] > FOLD:
        return None
    tagged = db.execute("SELECT 1 FROM tag WHERE run = ?", (last["id"],)).fetchone()
    if last["pinned"] or last["name"] or last["note"] or tagged:
        return None
    db.execute("DELETE FROM run WHERE id = ?", (last["id"],))
    return str(last["id"])


def forget_contents(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM content WHERE digest NOT IN (SELECT digest FROM used)")


def _bytes(db: sqlite3.Connection) -> int:
    pages, free, size = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size"))
    return int((pages - free) * size)


def set_aside(path: Path) -> Path:
    """A damaged file under another name, never overwritten: its owner may still mend it."""
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    for end in ("", "-wal", "-shm"):
        if (part := path.with_name(path.name + end)).exists():
            os.replace(part, aside.with_name(aside.name + end))
    return aside
