"""Pictures and clips to pixels: the tasks of the disposable process in which untrusted files are decoded.

Knows nothing of requests, prompts or scores, and never takes a file's word for anything it can check. Every task takes
`{"path", "kind": "image" | "video", "format"}` and its own arguments, and answers (JSON, blobs); a path and not the bytes,
because a clip of 256 MB should not travel through a pipe for every question. Unreadable files raise MediaInvalid.
"""

from __future__ import annotations

from workbench.decoder import _checks, _clips, _edits, _pictures
from workbench.types import JSON

STRIP_BYTES = 14_500  # of a clip's thumbnail: as text in a page it takes a third more, and 20 kB a card is enough


def probe(arguments: JSON, blobs: list[bytes]) -> tuple[JSON, list[bytes]]:
    """{"width", "height", "frames", "fps", "seconds"} of an upright picture or clip; the file is decoded to be believed."""
    path, kind, form = _file(arguments)
    if kind == "video":
        return _clips.facts(path, form), []
    width, height = _pictures.load(path, form).size
    return {"width": width, "height": height, "frames": 1, "fps": 0.0, "seconds": 0.0}, []


def picture(arguments: JSON, blobs: list[bytes]) -> tuple[JSON, list[bytes]]:
    """The picture as uint8 RGB, row by row: upright, transparency over white, the first frame of animated ones."""
    path, _, form = _file(arguments)
    image = _pictures.load(path, form)
    return {"width": image.width, "height": image.height}, [image.tobytes()]


def frames(arguments: JSON, blobs: list[bytes]) -> tuple[JSON, list[bytes]]:
    """The frames numbered `indices`, at most 64, one blob of uint8 RGB for each, in the order asked for."""
    path, _, form = _file(arguments)
    found, width, height = dict[int, bytes](), 0, 0
    for index, pixels in _clips.frames(path, form, arguments["indices"]):
        height, width, _ = pixels.shape
        found[index] = pixels.tobytes()
    return {"width": width, "height": height}, [found[i] for i in arguments["indices"]]


def thumbnail(arguments: JSON, blobs: list[bytes]) -> tuple[JSON, list[bytes]]:
    """A JPEG `height` pixels high; of a clip, its frames `indices` side by side, in STRIP_BYTES."""
    path, kind, form = _file(arguments)
    height = int(arguments["height"])
    if kind == "video":
        images = [_pictures.small(pixels, height) for _, pixels in _clips.frames(path, form, arguments["indices"])]
    else:
        images = [_pictures.small(_pictures.load(path, form), height)]
    strip = _pictures.side_by_side(images)
    data = _pictures.jpeg(strip, STRIP_BYTES if kind == "video" else 0)
    return {"width": strip.width, "height": strip.height, "frames": len(images)}, [data]


def covered(arguments: JSON, blobs: list[bytes]) -> tuple[JSON, list[bytes]]:
    """A copy of the picture as PNG, tile `tile` of `rows` × `columns` grey; `tile` None covers nothing."""
    path, _, form = _file(arguments)
    tile = arguments["tile"]
    return {}, [_edits.covered(_pictures.load(path, form), int(arguments["rows"]), int(arguments["columns"]), tile)]


def greyed(arguments: JSON, blobs: list[bytes]) -> tuple[JSON, list[bytes]]:
    """A copy of the clip without loss, the frames numbered `grey` grey."""
    path, _, form = _file(arguments)
    facts = _clips.facts(path, form)
    return {}, [_edits.greyed(_clips.every(path, form), facts["fps"], arguments["grey"])]


def _file(arguments: JSON) -> tuple[str, str, str]:
    path, kind, form = str(arguments["path"]), str(arguments["kind"]), str(arguments["format"])
    _checks.whole(path, kind, form)
    return path, kind, form
