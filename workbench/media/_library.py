"""Files by the hash of their bytes, and what a worker process decodes of them, remembered while memory lasts.

Knows nothing of image or video libraries: no untrusted byte is decoded in this process.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import MediaInvalid
from workbench.media import _files, _formats
from workbench.media._cache import Cache
from workbench.media._files import Stored
from workbench.media._formats import Kind
from workbench.types import JSON, Image, Media, Video
from workbench.worker import Worker, WorkerFailed, WorkerLimit

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
CACHE_BYTES = 512 << 20
REPLY_BYTES = 256 << 20  # of frames in one answer of the worker
MAX_FRAMES = 64
CLIP_BYTES = 2 << 30  # of frames at once: 64 of 3840×2160
STRIP_FRAMES = 6
FAILURE_SECONDS = 60.0  # a bad file is not decoded again at every keystroke
LABEL = 200  # characters of a source that are kept
HINTS: dict[Kind, str] = {
    "image": "Save it again as PNG or JPEG.",
    "video": "Convert it to MP4 (H.264), e.g. with `ffmpeg -i IN OUT.mp4`.",
}
SMALLER: dict[Kind, str] = {"image": "Make it smaller.", "video": "Make it shorter or smaller."}
LIMITS = {
    "time": "takes too long to decode",
    "memory": "needs too much memory to decode",
    "output": "unpacks to too many pixels",
    "crash": "makes its decoder crash: the file is damaged",
}


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """Size in pixels as shown (turned upright); of a clip also its frames, frames per second (0 = unknown) and seconds."""

    width: int
    height: int
    frames: int = 1
    fps: float = 0.0
    seconds: float = 0.0


class Library:
    """Content-addressed store of original files under `folder`; names that users give are labels, never paths.

    Safe to use from many threads. Arrays are shared with later callers: do not write to them.
    """

    def __init__(self, folder: Path, worker: Worker, features: int = 0) -> None:
        """`features`: bytes that models may keep on disk, beside the files, of what they made of them; 0: nothing."""
        self._folder, self._worker = folder, worker
        self.features = (folder.parent / "features", features) if features else None
        self._cache, self._failures = Cache(CACHE_BYTES), dict[tuple[str, Kind], tuple[float, str, str]]()

    # ------------------------------------------------------------ in
    def add(self, data: bytes, source: str, kind: Kind | None = None) -> Media:
        """Keeps a file and returns what stands for it. `kind` None: as its first bytes say.

        MediaInvalid when it is empty, too large, of no known format or not of this kind. Nothing is decoded yet.
        """
        source = source if len(source) <= LABEL else source[: LABEL - 1] + "…"
        if not data:
            raise MediaInvalid("is empty", where=source)
        kind = _formats.kind_of(data[: _formats.HEAD], source, kind)
        _formats.check_size(len(data), kind, source)
        digest = hashlib.sha256(data).hexdigest()
        part: Media = Image(digest, source) if kind == "image" else Video(digest, source)
        self._write(self.path(part), data, source)
        return part

    def add_file(self, path: Path, kind: Kind | None = None, source: str = "") -> Media:
        """As `add`, reading no more of the file than its kind may have; `source` is its name unless given."""
        source = source or path.name
        try:
            if not path.is_file():
                raise MediaInvalid("is no file that can be read", where=source, hint="Check the path.")
            with path.open("rb") as file:
                head = file.read(_formats.HEAD)
                if head:
                    _formats.check_size(path.stat().st_size, _formats.kind_of(head, source, kind), source)
                data = head + file.read(max(_formats.MAX_BYTES.values()))
        except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
            raise MediaInvalid(f"cannot be read ({getattr(error, 'strerror', '') or error})", where=source) from error
        return self.add(data, source, kind)

    def path(self, part: Media) -> Path:
        """Where the original file lies."""
        if not re.fullmatch("[0-9a-f]{64}", part.digest):
            raise MediaInvalid("is not in the media library", where=part.source)
        return self._folder / f"{part.digest}.{_kind(part)}"

    def has(self, part: Media) -> bool:
        return self.path(part).is_file()

    def files(self) -> list[Stored]:
        """Everything that is kept."""
        return _files.listed(self._folder)

    def drop(self, file: Stored) -> bool:
        """Lets a file go, unless it was added again meanwhile; whether it went."""
        return _files.drop(file)

    def _write(self, path: Path, data: bytes, source: str) -> None:
        """All of it or nothing, so that a file under a digest always holds the bytes of that digest."""
        try:
            if path.exists() and path.stat().st_size == len(data):
                os.utime(path)  # brought again: it is in use now
                return
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self._folder, suffix=".part")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                os.replace(temporary, path)
            except BaseException:
                os.unlink(temporary)
                raise
        except OSError as error:
            raise MediaInvalid(f"cannot be stored ({error.strerror})", where=source) from error

    # ------------------------------------------------------------ out
    def probe(self, part: Media) -> MediaFacts:
        """Size and length; MediaInvalid when the file cannot be decoded."""
        return self._cache.get(("facts", part.digest, _kind(part)), lambda: self._probe(part), lambda _: 200)

    def picture(self, part: Image) -> Pixels:
        """uint8 [height, width, 3], upright, transparency over white."""
        return self._cache.get(("picture", part.digest), lambda: self._picture(part), lambda a: a.nbytes)

    def frames(self, part: Video, indices: Sequence[int]) -> Pixels:
        """uint8 [frames, height, width, 3]: exactly the frames numbered `indices` (from 0, in any order, repeats allowed)."""
        key = ("frames", part.digest, tuple(indices))
        return self._cache.get(key, lambda: self._frames(part, tuple(indices)), lambda a: a.nbytes)

    def thumbnail(self, part: Media, height: int = 88) -> bytes:
        """A JPEG `height` pixels high; of a clip, up to six of its frames side by side."""
        key = ("thumbnail", part.digest, _kind(part), height)
        return self._cache.get(key, lambda: self._thumbnail(part, height), len)

    def strip(self, part: Video, indices: Sequence[int], height: int = 88) -> bytes:
        """A JPEG of exactly the frames numbered `indices`, side by side, each once and in rising order."""
        key = ("strip", part.digest, tuple(indices), height)
        wanted = sorted(set(indices))
        return self._cache.get(key, lambda: self._ask("thumbnail", part, indices=wanted, height=height)[1][0], len)

    # ------------------------------------------------------------ copies
    def covered(self, part: Image, rows: int, columns: int, tile: int | None) -> bytes:
        """PNG of the picture (of at most 2 million pixels) with one tile of a grid grey; None covers nothing."""
        return self._ask("covered", part, rows=rows, columns=columns, tile=tile)[1][0]

    def greyed(self, part: Video, frames: Sequence[int]) -> bytes:
        """The clip again without loss, some of its frames grey."""
        return self._ask("greyed", part, grey=list(frames))[1][0]

    @contextmanager
    def borrowed(self) -> Iterator[Callable[[bytes, str], Media]]:
        """`add` for files that are only needed within the block; those that were there before stay."""
        fresh: list[Path] = []

        def add(data: bytes, source: str) -> Media:
            known = {path.name for path in self._folder.glob(f"{hashlib.sha256(data).hexdigest()}.*")}
            part = self.add(data, source)
            if self.path(part).name not in known:
                fresh.append(self.path(part))
            return part

        try:
            yield add
        finally:
            for path in fresh:
                path.unlink(missing_ok=True)

    def _probe(self, part: Media) -> MediaFacts:
        facts, _ = self._ask("probe", part)
        return MediaFacts(**facts)

    def _picture(self, part: Image) -> Pixels:
        facts, blobs = self._ask("picture", part)
        return np.frombuffer(bytearray(blobs[0]), np.uint8).reshape(facts["height"], facts["width"], 3)

    def _frames(self, part: Video, indices: tuple[int, ...]) -> Pixels:
        facts, distinct = self.probe(part), sorted(set(indices))
        one = facts.width * facts.height * 3
        if not 0 < len(indices) <= MAX_FRAMES or distinct[0] < 0 or distinct[-1] >= facts.frames:
            message = f"has {facts.frames} frames; {len(indices)} of them up to number {max(indices, default=-1)} are asked for"
            raise MediaInvalid(
                message, where=part.source, hint=f"At most {MAX_FRAMES} are given at once, from number 0."
            )
        if one * len(indices) > CLIP_BYTES:
            message = (
                f"unpacks to {one * len(indices) >> 20:,} MB: {len(indices)} frames of {facts.width}×{facts.height}"
            )
            raise MediaInvalid(message, where=part.source, hint=SMALLER["video"])
        out = np.empty((len(indices), facts.height, facts.width, 3), np.uint8)
        step = max(1, REPLY_BYTES // one)
        for some in (distinct[i : i + step] for i in range(0, len(distinct), step)):
            _, blobs = self._ask("frames", part, indices=some)
            for index, blob in zip(some, blobs, strict=True):
                out[[i for i, wanted in enumerate(indices) if wanted == index]] = np.frombuffer(blob, np.uint8).reshape(
                    out.shape[1:]
                )
        return out

    def _thumbnail(self, part: Media, height: int) -> bytes:
        facts = self.probe(part)
        indices = sorted({round(i) for i in np.linspace(0, facts.frames - 1, STRIP_FRAMES)})
        return self._ask("thumbnail", part, indices=indices, height=min(max(height, 8), 512))[1][0]

    def _ask(self, task: str, part: Media, **arguments: JSON) -> tuple[JSON, list[bytes]]:
        kind, path = _kind(part), self.path(part)
        until, message, hint = self._failures.get((part.digest, kind), (0.0, "", ""))
        if time.monotonic() < until:
            raise MediaInvalid(message, where=part.source, hint=hint)
        try:
            with path.open("rb") as file:
                form = _formats.sniff(file.read(_formats.HEAD))
            return self._worker.call(task, {"path": str(path.absolute()), "kind": kind, "format": form, **arguments})
        except OSError as error:
            raise MediaInvalid("is no longer in the media library", where=part.source, hint="Add it again.") from error
        except WorkerFailed as error:
            if error.kind in ("start", "closed"):  # no fault of the file
                raise MediaInvalid(f"cannot be decoded now: {error.message}", where=part.source) from error
            known = error.kind == MediaInvalid.kind
            message, hint = (
                error.message if known else f"cannot be decoded ({error.message})",
                error.hint or HINTS[kind],
            )
        except WorkerLimit as error:
            message, hint = LIMITS[error.kind], HINTS[kind] if error.kind == "crash" else SMALLER[kind]
        if len(self._failures) > 1000:
            self._failures.clear()
        self._failures[part.digest, kind] = (time.monotonic() + FAILURE_SECONDS, message, hint)
        raise MediaInvalid(message, where=part.source, hint=hint)


def _kind(part: Media) -> Kind:
    return "image" if isinstance(part, Image) else "video"
