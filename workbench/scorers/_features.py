"""What a vision tower made of pictures and clips, on disk for the next start: one file each, the least lately read goes first.

Knows nothing of towers. A file that cannot be read is removed and counts as not there; a disk that is full keeps nothing new.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import threading
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from workbench.scorers._packed import Visual

SUFFIX = ".safetensors"


class Features:
    """At most `limit` bytes in `folder`, for models of any name: `owner` says which weights, dtype and device made them."""

    def __init__(self, folder: Path, limit: int, owner: str) -> None:
        self._folder, self._limit, self._owner = folder, limit, owner
        self._lock, self._held = threading.Lock(), -1  # bytes; -1: not counted yet

    def get(self, name: str, device: torch.device) -> Visual | None:
        path = self._path(name)
        try:
            found = load_file(path, device=str(device))
            os.utime(path)
            return Visual(found["features"], found["deep"])
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError, KeyError):
            with contextlib.suppress(OSError):
                path.unlink()
            return None

    def put(self, name: str, visual: Visual) -> None:
        tensors = {"features": visual.features.contiguous().cpu(), "deep": visual.deep.contiguous().cpu()}
        with self._lock, contextlib.suppress(OSError, SafetensorError):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._make_room(visual.bytes())
            with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as file:
                part = Path(file.name)
            try:
                save_file(tensors, part)
                part.replace(self._path(name))  # a reader finds the whole file or none
            finally:
                part.unlink(missing_ok=True)

    def _make_room(self, wanted: int) -> None:
        if self._held >= 0 and self._held + wanted <= self._limit:
            self._held += wanted
            return
        kept = sorted(((s := p.stat()).st_mtime, s.st_size, p) for p in self._folder.glob(f"*{SUFFIX}"))
        self._held = wanted + sum(size for _, size, _ in kept)
        for _, size, path in kept:
            if self._held <= self._limit:
                return
            path.unlink(missing_ok=True)
            self._held -= size

    def _path(self, name: str) -> Path:
        return self._folder / (hashlib.blake2b(f"{self._owner}|{name}".encode(), digest_size=16).hexdigest() + SUFFIX)


def weights_of(folder: Path) -> str:
    """What names the weights of a checkpoint's folder without reading them: its files, their sizes and times, and its config."""
    config = (folder / "config.json").read_bytes() if (folder / "config.json").is_file() else b""
    files = [(p.name, (s := p.stat()).st_size, s.st_mtime_ns) for p in sorted(folder.glob(f"*{SUFFIX}"))]
    return hashlib.blake2b(config + repr(files).encode(), digest_size=16).hexdigest()
