"""Real files, made here, come out as the pixels that went in; damaged, hostile and odd ones as a sentence."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from tests.files import LOSSLESS, Array, blocks, clip, encoded, noise, raw_png, with_orientation
from workbench import decoder
from workbench.errors import MediaInvalid

pytestmark = pytest.mark.filterwarnings("ignore:Corrupt EXIF data", "ignore:Truncated File Read")
Arguments = Callable[..., dict[str, Any]]
FORMATS = {"mp4": "mp4", "mov": "mp4", "mkv": "mkv", "webm": "mkv", "avi": "avi"}


@pytest.fixture
def file(tmp_path: Path) -> Arguments:
    def make(data: bytes, form: str, kind: str = "image") -> dict[str, Any]:
        path = tmp_path / "file"
        path.write_bytes(data)
        return {"path": str(path), "kind": kind, "format": form}

    return make


def picture(arguments: dict[str, Any]) -> Array:
    facts, blobs = decoder.picture(arguments, [])
    probed, _ = decoder.probe(arguments, [])
    assert (probed["width"], probed["height"]) == (facts["width"], facts["height"])
    return np.frombuffer(blobs[0], np.uint8).reshape(facts["height"], facts["width"], 3)


def frames(arguments: dict[str, Any], *indices: int) -> list[Array]:
    facts, blobs = decoder.frames({**arguments, "indices": list(indices)}, [])
    return [np.frombuffer(b, np.uint8).reshape(facts["height"], facts["width"], 3) for b in blobs]


# ---------------------------------------------------------------- pictures
@pytest.mark.parametrize(
    ("form", "options"),
    [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("WEBP", {"lossless": True})],
)
def test_lossless_pictures_come_out_as_they_went_in(file: Arguments, form: str, options: dict[str, Any]) -> None:
    assert np.array_equal(picture(file(encoded(noise(31, 17), form, **options), form.lower())), noise(31, 17))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("form", "options"), [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})])
def test_exif_orientation_is_applied_once(
    file: Arguments, orientation: int, form: str, options: dict[str, Any]
) -> None:
    stored = noise(24, 40)
    turned = {
        1: stored, 2: stored[:, ::-1], 3: stored[::-1, ::-1], 4: stored[::-1], 5: stored.swapaxes(0, 1),
        6: np.rot90(stored, -1), 7: np.rot90(stored, 2).swapaxes(0, 1), 8: np.rot90(stored),
    }  # fmt: skip
    got = picture(file(with_orientation(stored, orientation, form, **options), form.lower()))
    assert np.array_equal(got, turned[orientation])


def test_a_jpeg_from_a_phone_stands_upright(file: Arguments) -> None:
    got = picture(file(with_orientation(blocks(48, 64), 6, quality=95), "jpeg")).astype(int)
    assert got.shape == (64, 48, 3)
    assert np.abs(got - np.rot90(blocks(48, 64), -1)).mean() < 25  # chroma is halved: near, and nothing like the others
    assert np.abs(got - np.rot90(blocks(48, 64), 1)).mean() > 60


def test_a_damaged_exif_block_is_no_reason_to_refuse_a_picture(file: Arguments) -> None:
    data = encoded(noise(), "PNG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert np.array_equal(picture(file(data, "png")), noise())


def test_transparency_is_white(file: Arguments) -> None:
    rgba = np.dstack([noise(2, 3), np.array([[255, 0, 128], [255, 255, 0]], np.uint8)])
    alpha = rgba[..., 3:].astype(float) / 255
    expected = rgba[..., :3] * alpha + 255 * (1 - alpha)
    for form, options in (("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True, "exact": True})):
        assert np.abs(picture(file(encoded(rgba, form, **options), form.lower())) - expected).max() <= 1


def test_transparent_palettes_colours_and_greys_are_white(file: Arguments) -> None:
    palette = PIL.Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    palette.putpalette([10, 20, 30, 200, 100, 50, 0, 0, 255])
    for form in ("PNG", "GIF"):
        got = picture(file(encoded(palette, form, transparency=1), form.lower()))
        assert got.tolist() == [[[10, 20, 30], [255, 255, 255], [0, 0, 255]]]
    half = encoded(palette, "PNG", transparency=bytes([255, 0, 255]))
    assert picture(file(half, "png"))[0, 1].tolist() == [255, 255, 255]
    colours = np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8)
    assert picture(file(encoded(colours, "PNG", transparency=(4, 5, 6)), "png")).tolist() == [[[1, 2, 3], [255] * 3]]
    greys = np.array([[7, 9]], np.uint8)
    assert picture(file(encoded(greys, "PNG", transparency=9), "png")).tolist() == [[[7] * 3, [255] * 3]]


def test_sixteen_bits_are_scaled_and_not_clipped(file: Arguments) -> None:
    values = np.array([[0, 255, 256, 32768, 65535]], np.uint16)
    for form in ("PNG", "TIFF"):
        got = picture(file(encoded(PIL.Image.fromarray(values), form), form.lower()))
        assert got[0, :, 0].tolist() == [0, 1, 1, 128, 255]
        assert (got == got[..., :1]).all()
    colour = b"\0" + struct.pack(">6H", 0, 32768, 65535, 65535, 257, 0)
    assert picture(file(raw_png(2, 1, 16, 2, colour), "png")).tolist() == [[[0, 128, 255], [255, 1, 0]]]
    assert picture(file(raw_png(2, 1, 16, 4, b"\0" + struct.pack(">4H", 0, 65535, 0, 0)), "png")).tolist() == [
        [[0] * 3, [255] * 3]
    ]


def test_floating_samples_are_refused_rather_than_guessed(file: Arguments) -> None:
    data = encoded(PIL.Image.fromarray(np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)), "TIFF")
    with pytest.raises(MediaInvalid, match="32-bit samples"):
        decoder.picture(file(data, "tiff"), [])


def test_greys_bits_and_cmyk(file: Arguments) -> None:
    grey = noise()[..., 0]
    assert np.array_equal(picture(file(encoded(grey), "png")), np.dstack([grey] * 3))
    bits = PIL.Image.fromarray(grey > 127)
    assert np.array_equal(picture(file(encoded(bits), "png"))[..., 1] == 255, grey > 127)
    cmyk = PIL.Image.fromarray(np.full((16, 16, 3), (250, 20, 30), np.uint8)).convert("CMYK")
    assert np.abs(picture(file(encoded(cmyk, "JPEG", quality=95), "jpeg")).astype(int) - (250, 20, 30)).max() < 6


@pytest.mark.parametrize(("form", "options"), [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {})])
def test_of_an_animated_picture_the_first_frame_counts(file: Arguments, form: str, options: dict[str, Any]) -> None:
    shown = [PIL.Image.fromarray(np.full((9, 12, 3), c, np.uint8)) for c in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    data = encoded(shown[0], form, save_all=True, append_images=shown[1:], duration=100, **options)
    assert (picture(file(data, form.lower())) == (255, 0, 0)).all()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
def test_a_picture_cut_anywhere_is_an_error(file: Arguments, form: str) -> None:
    data = encoded(blocks(16, 24), form)
    for cut in range(0, len(data) - 1, 1 + len(data) // 60):
        with pytest.raises(MediaInvalid, match=r"cannot be read as a picture: .*(cut off|empty)"):
            decoder.picture(file(data[:cut], form.lower()), [])


def test_a_cut_picture_says_where(file: Arguments) -> None:
    data = encoded(noise(), "PNG")
    with pytest.raises(MediaInvalid, match="cannot be read as a picture: the file is cut off after 1,812 bytes"):
        decoder.probe(file(data[:1812], "png"), [])


def test_bombs_are_refused_by_their_header(file: Arguments) -> None:
    huge = raw_png(7000, 7000, 8, 2, b"")
    with pytest.raises(MediaInvalid, match=r"is 7000×7000: more than 40 million pixels"):
        decoder.picture(file(huge, "png"), [])
    with pytest.raises(MediaInvalid, match="more than 40 million pixels"):
        decoder.probe(file(raw_png(60000, 60000, 8, 2, b""), "png"), [])
    assert decoder.probe(file(raw_png(6000, 6000, 1, 0, bytes(6000 * 751)), "png"), [])[0]["width"] == 6000


def test_extreme_shapes(file: Arguments) -> None:
    assert picture(file(encoded(noise(1, 200)), "png")).shape == (1, 200, 3)
    with pytest.raises(MediaInvalid, match=r"is 201×1: thinner than 1:200"):
        decoder.probe(file(encoded(noise(1, 201)), "png"), [])


def test_text_with_the_name_of_a_picture(file: Arguments) -> None:
    for form in ("png", "jpeg", "gif", "webp", "bmp", "tiff"):
        with pytest.raises(MediaInvalid, match="cannot be read as a picture"):
            decoder.picture(file(b"hello, I am a picture, believe me " * 9, form), [])


def test_a_picture_of_another_format_than_sniffed_is_not_tried(file: Arguments) -> None:
    data = encoded(noise(), "TIFF")
    with pytest.raises(MediaInvalid):
        decoder.picture(file(data, "jpeg"), [])


# ---------------------------------------------------------------- clips
@pytest.mark.parametrize("form", list(LOSSLESS))
@pytest.mark.parametrize("size", [(48, 64), (35, 51)], ids=["even", "odd"])
def test_frames_are_exactly_those_encoded(file: Arguments, form: str, size: tuple[int, int]) -> None:
    shown = [noise(*size, seed=i) for i in range(7)]
    arguments = file(clip(shown, form), FORMATS[form], "video")
    facts, _ = decoder.probe(arguments, [])
    assert (facts["width"], facts["height"], facts["frames"]) == (size[1], size[0], 7)
    assert facts["fps"] == pytest.approx(8) and facts["seconds"] == pytest.approx(7 / 8, abs=0.01)
    for index, got in zip((6, 0, 3, 3), frames(arguments, 6, 0, 3, 3), strict=True):
        assert np.array_equal(got, shown[index])


def test_frames_shown_in_another_order_than_stored(file: Arguments) -> None:
    """B-frames: the packets are out of order, the frames are not."""
    shown = [np.full((64, 64, 3), 8 * i, np.uint8) for i in range(24)]
    data = clip(shown, recipe=("mp4", "libx264", "yuv420p", {"bf": "3", "qp": "1"}))
    arguments = file(data, "mp4", "video")
    assert decoder.probe(arguments, [])[0]["frames"] == 24
    means = [got.mean() for got in frames(arguments, *range(24))]
    assert np.abs(np.array(means) - 8 * np.arange(24)).max() < 5


def test_one_frame(file: Arguments) -> None:
    for form in LOSSLESS:
        arguments = file(clip([noise()], form), FORMATS[form], "video")
        assert decoder.probe(arguments, [])[0]["frames"] == 1
        assert np.array_equal(frames(arguments, 0)[0], noise())


def test_variable_frame_rate(file: Arguments) -> None:
    shown = [noise(seed=i) for i in range(5)]
    times = [0, 100, 150, 900, 1000]
    for form in ("mkv", "mp4"):
        arguments = file(clip(shown, form, rate=1000, times=times), form, "video")
        facts, _ = decoder.probe(arguments, [])
        assert facts["frames"] == 5 and 1.0 <= facts["seconds"] <= 1.2
        assert all(np.array_equal(a, b) for a, b in zip(frames(arguments, *range(5)), shown, strict=True))


@pytest.mark.parametrize("form", ["mkv", "webm"])
def test_a_stream_that_says_neither_count_nor_length(file: Arguments, form: str) -> None:
    shown = [noise(seed=i) for i in range(6)]
    arguments = file(clip(shown, form, options={"live": "1"}), "mkv", "video")
    facts, _ = decoder.probe(arguments, [])
    assert facts["frames"] == 6 and facts["seconds"] == pytest.approx(0.75, abs=0.05)
    assert facts["fps"] == pytest.approx(8, abs=0.5)
    assert np.array_equal(frames(arguments, 5)[0], shown[5])


@pytest.mark.parametrize("quarter", [1, 2, 3])
@pytest.mark.parametrize("flip", [False, True])
def test_a_clip_stands_upright(file: Arguments, quarter: int, flip: bool) -> None:
    data = clip([noise(32, 64)], "mov", turn=(90 * quarter, flip, False))
    arguments = file(data, "mp4", "video")
    [got] = frames(arguments, 0)
    facts, _ = decoder.probe(arguments, [])
    assert (facts["height"], facts["width"]) == got.shape[:2] == ((64, 32) if quarter != 2 else (32, 64))
    ways = [np.rot90(noise(32, 64), k) for k in range(4)]
    if not flip:
        assert np.array_equal(got, ways[quarter])
    else:
        assert any(np.array_equal(got[:, ::-1], w) for w in ways), "not a mirrored picture"


def test_a_gif_can_be_a_clip(file: Arguments) -> None:
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    shown = [PIL.Image.fromarray(np.full((9, 12, 3), c, np.uint8)) for c in colours]
    data = encoded(shown[0], "GIF", save_all=True, append_images=shown[1:], duration=200)
    arguments = file(data, "gif", "video")
    facts, _ = decoder.probe(arguments, [])
    assert facts["frames"] == 3 and facts["fps"] == pytest.approx(5, abs=1)
    assert [tuple(f[4, 6]) for f in frames(arguments, 0, 1, 2)] == colours


def test_frames_that_are_not_there(file: Arguments) -> None:
    arguments = file(clip([noise()] * 3), "mp4", "video")
    with pytest.raises(MediaInvalid, match="frame 9 is asked for, and only 3 can be decoded"):
        frames(arguments, 8)
    for wrong in ([], [-1], list(range(65))):
        with pytest.raises(MediaInvalid, match="1 to 64 frames"):
            frames(arguments, *wrong)


@pytest.mark.parametrize("form", list(LOSSLESS))
def test_a_clip_cut_anywhere_is_an_error(file: Arguments, form: str) -> None:
    data = clip([blocks(seed=i) for i in range(6)], form)
    for cut in [0, 3, 9, *range(20, len(data) - 1, 1 + len(data) // 40), len(data) - 1]:
        with pytest.raises(MediaInvalid, match=r"cannot be read as a clip: .*(cut off|empty)"):
            decoder.probe(file(data[:cut], FORMATS[form], "video"), [])


def test_what_is_no_clip(file: Arguments) -> None:
    for data, form in (
        (b"hello" * 99, "mp4"),
        (encoded(noise()), "mp4"),
        (encoded(noise()), "mkv"),
        (b"\0" * 99, "avi"),
    ):
        with pytest.raises(MediaInvalid, match="cannot be read as a clip"):
            decoder.probe(file(data, form, "video"), [])
    with pytest.raises(MediaInvalid, match="it is a picture"):
        decoder.probe(file(encoded(noise()), "png", "video"), [])
    with pytest.raises(MediaInvalid, match="it is a clip"):
        decoder.picture(file(clip([noise()]), "mp4"), [])


def test_a_playlist_named_as_a_clip_opens_no_other_file(file: Arguments, tmp_path: Path) -> None:
    (tmp_path / "secret.mp4").write_bytes(clip([noise()]))
    for text in (
        f"ffconcat version 1.0\nfile {tmp_path}/secret.mp4\n",
        f"#EXTM3U\n#EXTINF:1,\n{tmp_path}/secret.mp4\n",
    ):
        for form in ("mp4", "mkv", "avi"):
            with pytest.raises(MediaInvalid):
                decoder.probe(file(text.encode(), form, "video"), [])


def test_frames_too_large_to_decode(file: Arguments) -> None:
    stated = bytearray(clip([noise()], recipe=("avi", "rawvideo", "bgr24", {})))
    at = stated.index(b"strf") + 12
    stated[at : at + 8] = struct.pack("<ii", 30000, 30000)
    with pytest.raises(MediaInvalid, match="more than 40 million pixels"):
        decoder.probe(file(bytes(stated), "avi", "video"), [])
    hidden = bytearray(clip([noise()], "avi"))  # the container says 64×48, the frame inside 20000×20000
    at = hidden.index(b"IHDR") + 4
    hidden[at : at + 8] = struct.pack(">II", 20000, 20000)
    with pytest.raises(MediaInvalid, match="cannot be read as a clip"):
        decoder.probe(file(bytes(hidden), "avi", "video"), [])


# ---------------------------------------------------------------- thumbnails
def test_thumbnails(file: Arguments) -> None:
    facts, [data] = decoder.thumbnail({**file(encoded(blocks(48, 64)), "png"), "height": 24}, [])
    small = PIL.Image.open(io.BytesIO(data))
    assert small.format == "JPEG" and small.size == (32, 24) == (facts["width"], facts["height"])
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    shown = [np.full((48, 64, 3), c, np.uint8) for c in colours]
    arguments = file(clip(shown), "mp4", "video")
    facts, [data] = decoder.thumbnail({**arguments, "height": 24, "indices": [0, 1, 2]}, [])
    strip = np.array(PIL.Image.open(io.BytesIO(data))).astype(int)
    assert strip.shape == (24, 96, 3) and facts["frames"] == 3
    assert all(np.abs(strip[12, 16 + 32 * i] - c).max() < 12 for i, c in enumerate(colours))
    facts, _ = decoder.thumbnail({**file(encoded(noise(2, 400)), "png"), "height": 88}, [])
    assert facts["width"] <= 1024
