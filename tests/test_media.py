"""What a request may hold: every accepted shape gives the same parts, every bad one a sentence with its place; files are kept
by their hash and decoded in a worker that bad ones cannot hurt.
"""

from __future__ import annotations

import base64
import hashlib
import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import PIL.Image
import pytest

from tests.files import clip, encoded, noise, raw_png
from workbench.errors import MediaInvalid, RequestInvalid, WorkbenchError
from workbench.media import Library, MediaFacts, read_content
from workbench.media._cache import Cache
from workbench.types import Image, Text, Video
from workbench.worker import Worker

PNG, MP4 = encoded(noise()), clip([noise(seed=i) for i in range(10)])


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = Worker("workbench.decoder", seconds=20, memory_mb=2048, output_bytes=1 << 30)
    yield worker
    worker.close()


@pytest.fixture
def shelf(worker: Worker, tmp_path: Path) -> Library:
    return Library(tmp_path / "media", worker)


def data_url(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


# ---------------------------------------------------------------- the library
def test_a_file_is_kept_by_its_hash(shelf: Library, tmp_path: Path) -> None:
    part = shelf.add(PNG, "../../etc/passwd")
    assert part == Image(hashlib.sha256(PNG).hexdigest(), "../../etc/passwd")
    assert shelf.path(part).read_bytes() == PNG
    assert [p.name for p in (tmp_path / "media").iterdir()] == [f"{part.digest}.image"]
    assert shelf.add(PNG, "again").digest == part.digest
    assert len(list(tmp_path.rglob("*"))) == 2
    assert isinstance(shelf.add(MP4, "clip"), Video)
    assert len(shelf.add(PNG, "x" * 10_000).source) <= 200


def test_a_digest_is_never_a_path(shelf: Library) -> None:
    for digest in ("../../etc/passwd", "", "A" * 64, "0" * 63):
        with pytest.raises(MediaInvalid, match="not in the media library"):
            shelf.picture(Image(digest, "mine"))
    with pytest.raises(MediaInvalid, match=r"mine: is no longer in the media library"):
        shelf.probe(Image("0" * 64, "mine"))


def test_pictures_and_clips_come_back(shelf: Library) -> None:
    picture, moving = shelf.add(PNG, "p"), shelf.add(MP4, "c")
    assert isinstance(picture, Image) and isinstance(moving, Video)
    assert shelf.probe(picture) == MediaFacts(64, 48)
    facts = shelf.probe(moving)
    assert (facts.width, facts.height, facts.frames, facts.fps) == (64, 48, 10, 8.0)
    assert facts.seconds == pytest.approx(1.25)
    assert np.array_equal(shelf.picture(picture), noise())
    got = shelf.frames(moving, (9, 0, 0, 4))
    assert got.dtype == np.uint8 and got.shape == (4, 48, 64, 3)
    assert all(np.array_equal(a, noise(seed=i)) for a, i in zip(got, (9, 0, 0, 4), strict=True))
    assert shelf.frames(moving, (9, 0, 0, 4)) is got, "decoded twice"


def test_large_clips_are_fetched_in_several_answers(shelf: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.media._library.REPLY_BYTES", 2 * 48 * 64 * 3)
    moving = shelf.add(MP4, "c")
    assert isinstance(moving, Video)
    order = (3, 1, 7, 1, 5)
    assert all(np.array_equal(a, noise(seed=i)) for a, i in zip(shelf.frames(moving, order), order, strict=True))
    monkeypatch.setattr("workbench.media._library.CLIP_BYTES", 48 * 64 * 3)
    with pytest.raises(MediaInvalid, match=r"c: unpacks to .* 2 frames of 64×48"):
        shelf.frames(moving, (0, 1))


def test_decoding_leaves_no_memory_behind(tmp_path: Path) -> None:
    """200 MB suffice for 59 MB of frames, and do so again: frames are freed when they have been copied."""
    shown = [np.full((480, 640, 3), i, np.uint8) for i in range(64)]
    data = clip(shown, recipe=("mp4", "libx264", "yuv420p", {"preset": "ultrafast"}))
    worker = Worker("workbench.decoder", seconds=20, memory_mb=200, output_bytes=1 << 30, processes=1)
    try:
        library = Library(tmp_path, worker)
        moving = library.add(data, "c")
        assert isinstance(moving, Video)
        for last in range(61, 64):
            assert library.frames(moving, (*range(60), last)).shape == (61, 480, 640, 3)
    finally:
        worker.close()


def test_frames_that_are_not_there(shelf: Library) -> None:
    moving = shelf.add(MP4, "c")
    assert isinstance(moving, Video)
    for indices in ((), (10,), (-1,), tuple(range(10)) * 7):
        with pytest.raises(MediaInvalid, match="c: has 10 frames"):
            shelf.frames(moving, indices)
    assert shelf.frames(moving, (9,)).shape[0] == 1


def test_thumbnails(shelf: Library) -> None:
    for data, width in ((PNG, 40), (MP4, 6 * 40), (clip([noise()] * 2), 2 * 40)):
        small = PIL.Image.open(io.BytesIO(shelf.thumbnail(shelf.add(data, "x"), 30)))
        assert small.size == (width, 30)


def test_the_frames_of_any_clip_take_little_room_on_a_card(shelf: Library) -> None:
    """Noise is what JPEG is worst at; a very wide clip is the most of it."""
    for height, width in ((360, 640), (96, 1100)):
        part = shelf.add(clip([noise(height, width, i) for i in range(6)]), "x")
        strip = shelf.thumbnail(part)
        size = PIL.Image.open(io.BytesIO(strip)).size
        assert len(base64.b64encode(strip)) < 20_000 and size[0] / size[1] == pytest.approx(6 * width / height, rel=0.2)


def test_a_gif_is_a_picture_unless_it_is_asked_for_as_a_clip(shelf: Library) -> None:
    pictures = [PIL.Image.fromarray(np.full((8, 8, 3), c, np.uint8)) for c in (0, 255)]
    gif = encoded(pictures[0], "GIF", save_all=True, append_images=pictures[1:], duration=500)
    assert shelf.probe(shelf.add(gif, "g")).frames == 1
    assert shelf.probe(shelf.add(gif, "g", "video")).frames == 2


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        (b"", None, "x: is empty"),
        (b"hello, I am photo.png", "image", "x: is no picture of a known format: it starts with b'hello, I am "),
        (b"hello, I am clip.mp4", "video", "x: is no clip of a known format"),
        (b"BMW is no bitmap, says the text", None, "x: is no picture or clip of a known format"),
        (b"\0\0\0\x1cftypheic\0\0\0\0", "image", "x: is a HEIC or AVIF picture. Pictures may be PNG"),
        (MP4, "image", r"x: is a clip \(MP4 or MOV\), given as a picture. Send it as video_url."),
        (PNG, "video", r"x: is a picture \(PNG\), given as a clip. Send it as image_url."),
        (PNG + bytes(32 << 20), None, r"x: is 32.0 MB large; a picture may have 32 MB"),
    ],
)
def test_what_is_not_taken(shelf: Library, tmp_path: Path, data: bytes, kind: Any, message: str) -> None:
    with pytest.raises(MediaInvalid, match=message):
        shelf.add(data, "x", kind)
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(MediaInvalid, match=message):
        shelf.add_file(tmp_path / "x", kind)
    assert not (tmp_path / "media").exists(), "a refused file was stored"


def test_files_that_cannot_be_read(shelf: Library, tmp_path: Path) -> None:
    for path in (tmp_path / "absent.png", tmp_path, Path("/dev/zero")):
        with pytest.raises(MediaInvalid, match="is no file that can be read"):
            shelf.add_file(path)
    with pytest.raises(MediaInvalid):
        shelf.add_file(Path("a\0b"))


def test_a_disk_that_refuses(worker: Worker, tmp_path: Path) -> None:
    (tmp_path / "media").write_text("a file where the folder should be")
    with pytest.raises(MediaInvalid, match="x: cannot be stored"):
        Library(tmp_path / "media", worker).add(PNG, "x")


def test_a_bad_file_is_one_bad_row(shelf: Library) -> None:
    bad = [shelf.add(PNG[:cut], "bad.png") for cut in (40, 500, len(PNG) - 5)]
    bad += [shelf.add(MP4[:cut], "bad.mp4") for cut in (40, 500, len(MP4) // 2, len(MP4) - 100, len(MP4) - 1)]
    for part in bad:
        for _ in range(2):  # the second time from memory, with the same words
            with pytest.raises(MediaInvalid, match=r"bad.\w+: cannot be read as a (picture|clip): .*cut off") as caught:
                shelf.probe(part)
            assert caught.value.where == part.source and caught.value.hint
    good = shelf.add(PNG, "good")
    assert isinstance(good, Image) and np.array_equal(shelf.picture(good), noise())


def test_a_clip_whose_bytes_are_damaged_never_passes_for_a_good_one(shelf: Library) -> None:
    """Lengths intact, content wrong: an error, or the true frames where the damage hit nothing; the process lives on."""
    rng = np.random.default_rng(0)
    for seed in range(12):
        broken = bytearray(MP4)
        at = int(rng.integers(32, len(MP4) - 400))
        broken[at : at + 300] = rng.bytes(300)
        part = shelf.add(bytes(broken), f"{seed}")
        assert isinstance(part, Video)
        try:
            got = shelf.frames(part, range(10))
        except MediaInvalid:
            continue
        changed = [i for i in range(10) if not np.array_equal(got[i], noise(seed=i))]
        assert len(changed) <= 3, "damage passed unnoticed"
    assert shelf.probe(shelf.add(MP4, "good")).frames == 10


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("time", "p.png: takes too long to decode. Make it smaller."),
        ("memory", "p.png: needs too much memory to decode. Make it smaller."),
        ("output", "p.png: unpacks to too many pixels. Make it smaller."),
        ("crash", "p.png: makes its decoder crash: the file is damaged. Save it again"),
        ("raise", r"p.png: cannot be decoded \(no such key\). Save it again"),
    ],
)
def test_what_kills_a_decoder_is_an_error_of_its_file(tmp_path: Path, limit: str, message: str) -> None:
    worker = Worker("tests.files.hostile", seconds=0.5, memory_mb=256, output_bytes=1 << 20, processes=1)
    try:
        library = Library(tmp_path, worker)
        for _ in range(2):
            with pytest.raises(MediaInvalid, match=message):
                library.probe(library.add(PNG + limit.encode(), "p.png"))
        assert library.probe(library.add(PNG, "good")) == MediaFacts(1, 1)
    finally:
        worker.close()


def test_a_closed_worker_is_no_fault_of_the_file(tmp_path: Path) -> None:
    worker = Worker("tests.files.hostile", seconds=5, memory_mb=256, output_bytes=1 << 20)
    worker.close()
    library = Library(tmp_path, worker)
    with pytest.raises(MediaInvalid, match="p: cannot be decoded now"):
        library.probe(library.add(PNG, "p"))


def test_a_bomb_is_an_error_of_its_file(shelf: Library) -> None:
    bomb = shelf.add(raw_png(30000, 30000, 8, 2, b""), "bomb.png")
    with pytest.raises(MediaInvalid, match=r"bomb.png: is more than 40 million pixels large. Make it smaller"):
        shelf.probe(bomb)
    with pytest.raises(MediaInvalid, match=r"long.png: is 402×2: thinner than 1:200. Crop it"):
        shelf.probe(shelf.add(encoded(noise(2, 402)), "long.png"))


def test_many_threads(shelf: Library) -> None:
    parts = [shelf.add(encoded(noise(seed=i)), f"{i}") for i in range(6)]
    moving, bad = shelf.add(MP4, "c"), shelf.add(PNG[:700], "bad")
    assert isinstance(moving, Video)

    def work(n: int) -> bool:
        part = parts[n % 6]
        assert isinstance(part, Image)
        right = np.array_equal(shelf.picture(part), noise(seed=n % 6))
        right &= np.array_equal(shelf.frames(moving, (n % 10,))[0], noise(seed=n % 10))
        with pytest.raises(MediaInvalid):
            shelf.probe(bad)
        return right and len(shelf.thumbnail(part)) > 100

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(48)))


def test_the_cache_keeps_to_its_budget_and_makes_each_thing_once() -> None:
    cache, made = Cache(100), list[int]()

    def make(n: int, size: int = 40) -> int:
        return cache.get(n, lambda: made.append(n) or n, lambda _: size)  # type: ignore[func-returns-value]

    assert [make(n) for n in (1, 2, 1, 3)] == [1, 2, 1, 3] and made == [1, 2, 3]
    make(1), make(2)
    assert made == [1, 2, 3, 2], "the least recently used goes first"
    make(9, 101), make(9, 101)
    assert made[-2:] == [9, 9], "what is larger than the budget is not kept"
    started, made = threading.Barrier(8), []

    def slow() -> int:
        started.wait()
        return cache.get("slow", lambda: made.append(0) or 5, lambda _: 1)  # type: ignore[func-returns-value]

    with ThreadPoolExecutor(8) as pool:
        assert [f.result() for f in [pool.submit(slow) for _ in range(8)]] == [5] * 8
    assert made == [0]


# ---------------------------------------------------------------- content
def test_every_shape_of_text(shelf: Library) -> None:
    for value in (
        "hi",
        ["hi"],
        {"text": "hi"},
        {"content": "hi"},
        {"content": ["hi"]},
        [{"type": "text", "text": "hi"}],
        {"type": "text", "text": "hi"},
        {"content": [{"text": "hi"}], "role": "user"},
        {"text": "hi", "image": None},
    ):
        assert read_content(value, shelf) == (Text("hi"),), value
    assert read_content("", shelf) == (Text(""),)
    assert read_content([], shelf) == ()


def test_every_shape_of_a_picture(shelf: Library, tmp_path: Path) -> None:
    (tmp_path / "a b.png").write_bytes(PNG)
    url = data_url(PNG)
    wrapped = url[:40] + "\n" + url[40:]
    for given in (url, wrapped, "data:image/png," + quote(PNG), "DATA:;BASE64," + url.split(",")[1], "a b.png",
                  f"file://{tmp_path}/a%20b.png", str(tmp_path / "a b.png")):  # fmt: skip
        for value in (
            {"image": given},
            {"image_url": given},
            {"image": [given]},
            {"image_url": {"url": given}},
            {"content": [{"type": "image_url", "image_url": {"url": given, "detail": "auto"}}]},
            [{"type": "image_url", "image_url": given}],
        ):
            [part] = read_content(value, shelf, base=tmp_path)
            assert isinstance(part, Image) and part.digest == hashlib.sha256(PNG).hexdigest()
    [part] = read_content({"image": url}, shelf)
    assert isinstance(part, Image) and part.source == "data:image/png, 9 kB"


def test_mixed_content_keeps_its_order(shelf: Library) -> None:
    picture, moving = data_url(PNG), data_url(MP4, "video/mp4")
    parts = [
        {"type": "text", "text": "one"},
        {"type": "video_url", "video_url": {"url": moving}},
        {"type": "text", "text": "two"},
        {"type": "image_url", "image_url": {"url": picture}},
    ]
    assert [type(p) for p in read_content({"content": parts}, shelf)] == [Text, Video, Text, Image]
    card = {"text": "a dog", "image": picture, "video": moving}
    assert [type(p) for p in read_content(card, shelf)] == [Video, Image, Text], "the card's order: media, then text"


BAD: list[tuple[Any, str]] = [
    (None, "documents[3]: is null. Expected a string"),
    (7, "documents[3]: is a number"),
    (True, "documents[3]: is true or false"),
    ({}, "documents[3]: has neither text, image nor video, but nothing"),
    ({"title": "x"}, "documents[3]: has neither text, image nor video, but 'title'"),
    ({"content": None}, "documents[3].content: is null"),
    ({"content": [["x"]]}, "documents[3].content[0]: is a list"),
    ([{"text": 5}], "documents[3][0]: has a number for its text"),
    (["a", {"type": "audio_url"}], "documents[3][1]: has the unknown part type 'audio_url'"),
    ([{"type": ["text"], "text": "x"}], "documents[3][0]: has the unknown part type ['text']"),
    ([{"type": "image_url"}], 'documents[3][0]: is of type image_url and has no "image_url"'),
    ([{"type": "text", "image_url": "x"}], 'documents[3][0]: is of type text and has no "text"'),
    ([{"type": "image_url", "image_url": {"uri": "x"}}], "documents[3][0]: has an object for its image"),
    ({"video": ["a.png", "b.png"]}, "documents[3]: has a list for its video"),
    (["ok", "half \ud83d"], "documents[3][1]: has half a character (the lone surrogate '\\ud83d') at position 5"),
    ("x" * 2_000_001, "documents[3]: has 2,000,001 bytes of text; at most 2,000,000"),
    ("é" * 1_000_001, "documents[3]: has 2,000,002 bytes of text"),
    ({"image": "https://example.com/a.png"}, "is a web address, and fetching is off. Send the file itself"),
    ({"image": "HTTP://169.254.169.254/"}, "is a web address, and fetching is off"),
    ({"image": "ftp://x/y.png"}, "is a ftp: address, which is never opened"),
    ({"image": "gopher:x"}, "is a gopher: address"),
    ({"image": "photo.png"}, "documents[3] (photo.png): is the path of a file, and this door reads no files"),
    ({"image": "file:///etc/passwd"}, "is the path of a file, and this door reads no files"),
    ({"image": ""}, "documents[3]: is the path of a file"),
    ({"image": "data:image/png;base64"}, "documents[3] (data:image/png): is a data: URL without a comma"),
    ({"image": "data:image/png;base64,!!!"}, "documents[3] (data:image/png): is not valid base64"),
    ({"image": "data:image/png;base64,iVBORw0KGgoAAA"}, "is not valid base64"),
    ({"image": "data:image/png;base64,é"}, "is not valid base64"),
    ({"image": "data:image/png;base64,"}, "documents[3] (data:image/png, 0 B): is empty"),
    ({"image": "data:image/png,\ud83d"}, "is not percent-encoded data"),
    ({"image": "\ud83d.png"}, "documents[3] (�.png): is the path of a file"),
    ({"image": "data:text/plain,hello"}, "documents[3] (data:text/plain, 5 B): is no picture of a known format"),
    ({"content": ["x", {"type": "image_url", "image_url": data_url(MP4)}]}, "documents[3].content[1] (data:image/png, "),
    ({"image": [data_url(PNG), 5]}, "documents[3].image[1]: has a number for its image"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "message"), BAD, ids=[m[:60] for _, m in BAD])
def test_bad_content_is_a_sentence_with_its_place(shelf: Library, value: Any, message: str) -> None:
    with pytest.raises(WorkbenchError) as caught:
        read_content(value, shelf, where="documents[3]")
    assert isinstance(caught.value, RequestInvalid | MediaInvalid)
    assert message in str(caught.value) and len(str(caught.value)) < 500
    assert caught.value.where.startswith("documents[3]")
    str(caught.value).encode()


def test_a_huge_data_url_is_refused_before_it_is_decoded(shelf: Library) -> None:
    with pytest.raises(MediaInvalid, match="MB large; a picture may have 32 MB"):
        read_content({"image": "data:image/png;base64," + "A" * (97 << 20)}, shelf)


def test_files_are_relative_to_the_base(shelf: Library, tmp_path: Path) -> None:
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "p.png").write_bytes(PNG)
    [part] = read_content({"image": "p.png"}, shelf, base=tmp_path / "cases")
    assert isinstance(part, Image) and part.source == "p.png"
    with pytest.raises(MediaInvalid, match=r"query \(q.png\): is no file that can be read. Check the path."):
        read_content({"image": "q.png"}, shelf, base=tmp_path, where="query")
