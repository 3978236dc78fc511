"""One clip file to its facts and to exactly the frames asked for, by decoding in order from the start.

Knows nothing of how frames are sampled or resized. Seeking would be faster and lands on the wrong frame in too many files.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import av
import numpy as np
from av.sidedata.sidedata import Type as SideData
from av.stream import Disposition

from workbench.decoder import _checks
from workbench.errors import MediaInvalid
from workbench.types import JSON

DEMUXERS = {"mp4": "mov", "mkv": "matroska", "avi": "avi", "gif": "gif"}
LIMITS = {"max_pixels": str(_checks.MAX_PIXELS)}  # for frames that are larger than the header says
THREADS = 2  # more cost memory for each, and the clips of a request are decoded side by side anyway
MAX_FRAMES = 64  # returned by one call
COUNT_BY_DECODING = 500_000_000  # pixels; larger clips of the codecs below are counted by their packets
PACKET_IS_FRAME = {"h264", "hevc", "av1", "vp9", "mjpeg", "prores", "ffv1", "qtrle", "png", "gif", "rawvideo"}
Frame = np.ndarray[Any, Any]


class Turn(NamedTuple):
    """How a stored frame is to be shown: x' = a·x + c·y, y' = b·x + d·y."""

    a: int
    b: int
    c: int
    d: int


def facts(path: str, form: str) -> JSON:
    """Size as shown, frames, frames per second (0 when unknown) and seconds; containers that do not say are counted."""
    packets, end = _demux(path, form)
    with _opened(path, form) as (container, stream):
        context = stream.codec_context
        fps, length = float(stream.average_rate or 0), stream.duration
        seconds = float(length * stream.time_base) if length else float((container.duration or 0) / av.time_base)
        large = packets * context.width * context.height > COUNT_BY_DECODING
        decoded = _decoded(container, stream)
        first = next(decoded, None)
        if first is None:
            raise _checks.unreadable("video", "it has no frames")
        trusted = large and context.name in PACKET_IS_FRAME
        count = packets if trusted else 1 + sum(1 for _ in decoded)
        height, width = _upright(np.empty((first.height, first.width, 0)), _turn(first)).shape[:2]
    seconds = seconds or end or (count / fps if fps else 0.0)
    return {"width": width, "height": height, "frames": count, "fps": fps or (count / seconds if seconds else 0.0),
            "seconds": seconds}  # fmt: skip


def frames(path: str, form: str, indices: Sequence[int]) -> Iterator[tuple[int, Frame]]:
    """(index, uint8 [height, width, 3]) in rising order, upright; MediaInvalid when the clip ends before one of them."""
    wanted = sorted(set(indices), reverse=True)
    if not wanted or len(wanted) > MAX_FRAMES or wanted[-1] < 0:
        raise MediaInvalid(f"gives 1 to {MAX_FRAMES} frames at a time, numbered from 0; {len(wanted)} were asked for")
    count, turn = 0, Turn(1, 0, 0, 1)
    with _opened(path, form) as (container, stream):
        for count, frame in enumerate(_decoded(container, stream), 1):
            turn = _turn(frame) if count == 1 else turn
            if count - 1 == wanted[-1]:
                yield (
                    wanted.pop(),
                    np.ascontiguousarray(_upright(frame.to_ndarray(format="rgb24", threads=THREADS), turn)),
                )
            if not wanted:
                return
    raise _checks.unreadable("video", f"frame {wanted[0] + 1} is asked for, and only {count} can be decoded")


def every(path: str, form: str) -> Iterator[tuple[int, Frame]]:
    """As `frames`, all of them."""
    turn = Turn(1, 0, 0, 1)
    with _opened(path, form) as (container, stream):
        for index, frame in enumerate(_decoded(container, stream)):
            turn = turn if index else _turn(frame)
            yield index, np.ascontiguousarray(_upright(frame.to_ndarray(format="rgb24", threads=THREADS), turn))


def _demux(path: str, form: str) -> tuple[int, float]:
    """(packets that hold a frame to be shown, seconds at which the last one ends)."""
    count, end = 0, 0.0
    with _opened(path, form) as (container, stream):
        for packet in container.demux(stream):
            if packet.size and not packet.is_discard:
                count += 1
                if packet.pts is not None and packet.time_base:
                    end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
    return count, end


@contextmanager
def _opened(path: str, form: str) -> Iterator[tuple[Any, Any]]:
    """(container, its first real video stream), with every complaint of the decoder turned into MediaInvalid.

    The demuxer is forced to the sniffed format and gets a file object, so that a playlist or an external reference in a
    file opens nothing else.
    """
    if form not in DEMUXERS:
        raise _checks.unreadable("video", "it is a picture")
    try:
        with open(path, "rb") as file, av.open(
            file, format=DEMUXERS[form], metadata_errors="replace", options=LIMITS, buffer_size=1 << 18
        ) as container:  # fmt: skip
            yield container, _stream(container)
    except MemoryError:
        raise
    except av.error.PatchWelcomeError as error:
        raise _checks.unreadable("video", "it uses a feature that is not supported") from error
    except (av.error.FFmpegError, OSError) as error:
        raise _checks.unreadable("video", "the file is damaged") from error
    finally:
        gc.collect()  # a container and its streams hold each other, and with them every frame buffer they ever used


def _stream(container: Any) -> Any:
    for stream in container.streams.video:
        if stream.disposition & Disposition.attached_pic:
            continue
        if stream.codec_context is None:
            raise _checks.unreadable("video", "its codec is not known")
        _checks.size(stream.codec_context.width, stream.codec_context.height)
        stream.thread_type, stream.codec_context.thread_count = "AUTO", THREADS
        stream.codec_context.options = LIMITS
        return stream
    raise _checks.unreadable("video", "it has no video track")


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    """Frames in the order shown. Damage is an error: a decoder would else invent pixels that get a confident score."""
    size, count = None, 0
    for packet in container.demux(stream):
        if packet.is_corrupt:
            raise _checks.unreadable("video", f"it is cut off or damaged after {count} frames")
        for frame in packet.decode():
            size = size or (frame.width, frame.height)
            if frame.is_corrupt:
                raise _checks.unreadable("video", f"frame {count + 1} is damaged")
            if (frame.width, frame.height) != size:
                raise _checks.unreadable("video", f"frame {count + 1} has another size than the first")
            count += 1
            yield frame


def _turn(frame: Any) -> Turn:
    """The file's display matrix. Asked of one frame only: a frame whose side data were looked at is not freed at once."""
    side = frame.side_data.get(SideData.DISPLAYMATRIX)
    if side is None:
        return Turn(1, 0, 0, 1)
    a, b, _, c, d = np.frombuffer(bytes(side), np.int32)[:5].tolist()
    return Turn(a, b, c, d)


def _upright(pixels: Frame, turn: Turn) -> Frame:
    """To the nearest quarter turn, mirrored where the matrix says so."""
    a, b, c, d = turn
    if abs(b) > abs(a):
        pixels, a, d = pixels.swapaxes(0, 1), c, b
    pixels = pixels[:, ::-1] if a < 0 else pixels
    return pixels[::-1] if d < 0 else pixels
