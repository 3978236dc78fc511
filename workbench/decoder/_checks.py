"""What is refused before anything is decoded: files that end too early, and sizes nobody should unpack.

Knows nothing of pixels; reads only the few length fields with which formats describe themselves, so that a file that was
cut off is called that, instead of being decoded to half a picture or to fewer frames.
"""

from __future__ import annotations

import os
from typing import BinaryIO

from workbench.errors import MediaInvalid

MAX_PIXELS, MAX_ASPECT = 40_000_000, 200
NAMES = {"image": "a picture", "video": "a clip"}
BOXES = set(b"ftyp styp moov moof mdat mfra free skip wide uuid meta udta sidx pdin pnot emsg prft".split())


def unreadable(kind: str, reason: str) -> MediaInvalid:
    return MediaInvalid(f"cannot be read as {NAMES[kind]}: {reason}")


def too_large(what: str) -> MediaInvalid:
    return MediaInvalid(what, hint="Make it smaller: models shrink it anyway.")


def cut_off(kind: str, size: int) -> MediaInvalid:
    return unreadable(kind, f"the file is cut off after {size:,} bytes")


def size(width: int, height: int) -> None:
    """MediaInvalid for a picture or frame with no area, of more than 40 million pixels, or thinner than 1:200."""
    if width <= 0 or height <= 0:
        raise too_large(f"states no size, or more than {MAX_PIXELS // 10**6} million pixels")
    if width * height > MAX_PIXELS:
        raise too_large(f"is {width}×{height}: more than {MAX_PIXELS // 10**6} million pixels are not decoded")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise MediaInvalid(
            f"is {width}×{height}: thinner than 1:{MAX_ASPECT}", hint="Crop it or put it on a background."
        )


def whole(path: str, kind: str, form: str) -> None:
    """MediaInvalid when a file is shorter than it says itself. JPEG, BMP and TIFF have no such field: decoding tells."""
    length = os.path.getsize(path)
    if not length:
        raise unreadable(kind, "the file is empty")
    with open(path, "rb") as file:
        check = {"png": _png, "gif": _gif, "webp": _riff, "avi": _riff, "mp4": _boxes, "mkv": _ebml}.get(form)
        if check is not None and not check(file, length):
            raise cut_off(kind, length)


def _png(file: BinaryIO, length: int) -> bool:
    """Chunks of length, type, data and checksum, up to IEND."""
    at = 8
    while at + 12 <= length:
        file.seek(at)
        head = file.read(8)
        at += 12 + int.from_bytes(head[:4], "big")
        if head[4:] == b"IEND":
            return at <= length
    return False


def _riff(file: BinaryIO, length: int) -> bool:
    file.seek(4)
    return int.from_bytes(file.read(4), "little") + 8 <= length


def _gif(file: BinaryIO, length: int) -> bool:
    """Extensions and frames up to the trailer; an end between two of them passes, since some writers omit the trailer."""
    data = file.read()
    at = 13 + _palette(data[10:11])
    while at < length:
        if data[at] == 0x3B:
            return True
        if data[at] == 0x2C:
            at += 11 + _palette(data[at + 9 : at + 10])  # position, own palette, code size
        elif data[at] == 0x21:
            at += 2
        else:
            return True  # not a block: for the decoder to judge
        while at < length and data[at]:
            at += 1 + data[at]
        at += 1
    return at == length


def _palette(flags: bytes) -> int:
    return 3 << ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


def _boxes(file: BinaryIO, length: int) -> bool:
    """MP4 and MOV: boxes of size and type one after another, `moov` among them; unknown types at the end are padding."""
    at, moov = 0, False
    while at + 8 <= length:
        file.seek(at)
        head = file.read(16)
        span, name = int.from_bytes(head[:4], "big"), head[4:8]
        if span == 1:
            span = int.from_bytes(head[8:16], "big")
        if name not in BOXES or span < 8:
            return True  # size 0 reaches to the end of the file
        at, moov = at + span, moov or name == b"moov"
    return moov and at <= length


def _ebml(file: BinaryIO, length: int) -> bool:
    """WebM and MKV: a header, then a segment that states its size unless it was streamed."""
    head = file.read(4096)
    span, width = _vint(head[4:12])
    at = 4 + width + span
    if head[at : at + 4] != b"\x18\x53\x80\x67":
        return len(head) > at + 4 or length > len(head)
    span, width = _vint(head[at + 4 : at + 12])
    return span == (1 << 7 * width) - 1 or at + 4 + width + span <= length  # all ones: size unknown


def _vint(data: bytes) -> tuple[int, int]:
    """A number whose leading zero bits tell its length: (value, bytes)."""
    width = 9 - data[0].bit_length() if data and data[0] else 8
    return int.from_bytes(data[:width], "big") & ((1 << 7 * width) - 1), width
