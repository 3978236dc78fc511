"""Which format a file is in, by its first bytes; the list of formats that are taken at all, and how large they may be.

Knows nothing of how they are decoded, and believes neither names nor declared media types.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from workbench.errors import MediaInvalid

Kind: TypeAlias = Literal["image", "video"]
PICTURES = ("png", "jpeg", "webp", "gif", "bmp", "tiff")
CLIPS = ("mp4", "mkv", "avi", "gif")
NAMES = {"mp4": "MP4 or MOV", "mkv": "WebM or MKV", "jpeg": "JPEG", "webp": "WebP"}
MAX_BYTES: dict[Kind, int] = {"image": 32 << 20, "video": 256 << 20}
NOUNS: dict[Kind, str] = {"image": "picture", "video": "clip"}
HEAD = 32  # bytes that tell the format
TAKEN = "Pictures may be PNG, JPEG, WebP, GIF, BMP or TIFF, clips MP4, MOV, WebM, MKV, AVI or GIF."
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF87a", "gif"), (b"GIF89a", "gif"),
    (b"II*\0", "tiff"), (b"MM\0*", "tiff"), (b"II+\0", "tiff"), (b"MM\0+", "tiff"), (b"\x1a\x45\xdf\xa3", "mkv"),
)  # fmt: skip
_STILL_BRANDS = (b"heic", b"heix", b"heif", b"mif1", b"msf1", b"avif", b"avis")


def sniff(head: bytes) -> str:
    """A name of PICTURES or CLIPS, "" for any other format."""
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head[:4] == b"RIFF":
        return {b"WEBP": "webp", b"AVI ": "avi"}.get(head[8:12], "")
    if head[:2] == b"BM" and head[14:18] in (b"\x0c\0\0\0", b"\x28\0\0\0", b"\x38\0\0\0", b"\x6c\0\0\0", b"\x7c\0\0\0"):
        return "bmp"
    if head[4:8] == b"ftyp":
        return "" if head[8:12] in _STILL_BRANDS else "mp4"
    return "mp4" if head[4:8] in (b"moov", b"mdat", b"wide", b"skip", b"free") else ""


def kind_of(head: bytes, source: str, wanted: Kind | None) -> Kind:
    """What a file is to be taken as; MediaInvalid when it is of no known format, or not of the kind that was asked for."""
    form = sniff(head)
    if not form:
        still = head[4:8] == b"ftyp"
        raise MediaInvalid("is a HEIC or AVIF picture" if still else _unknown(head, wanted), where=source, hint=TAKEN)
    kind: Kind = wanted or ("image" if form in PICTURES else "video")
    if form in (PICTURES if kind == "image" else CLIPS):
        return kind
    other: Kind = "video" if kind == "image" else "image"
    name = NAMES.get(form, form.upper())
    raise MediaInvalid(
        f"is a {NOUNS[other]} ({name}), given as a {NOUNS[kind]}", where=source, hint=f"Send it as {other}_url."
    )


def _unknown(head: bytes, wanted: Kind | None) -> str:
    noun = NOUNS[wanted] if wanted else "picture or clip"
    return f"is no {noun} of a known format: it starts with {bytes(head[:12])!r}"


def check_size(size: int, kind: Kind, source: str) -> None:
    if size > MAX_BYTES[kind]:
        raise MediaInvalid(
            f"is {size / 2**20:.1f} MB large; a {NOUNS[kind]} may have {MAX_BYTES[kind] >> 20} MB",
            where=source, hint="Make it smaller: models shrink it anyway.",
        )  # fmt: skip
