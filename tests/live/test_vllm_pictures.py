"""The workbench beside a real vLLM that sees: pictures of every mode, and clips, give the same ids, usage and scores."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from tests.live.conftest import SEEING, asking, scored_here, scored_there
from workbench import wire
from workbench.errors import PromptInvalid
from workbench.pool import Bench
from workbench.scorers.vllm import Remote
from workbench.types import Encoding

ROOT = Path(__file__).resolve().parents[2]
MARKS = {f"{kind}_url": f"<|vision_start|><|{kind}_pad|><|vision_end|>" for kind in ("image", "video")}
OTHER = "{{- 'Q: ' ~ messages[0].content ~ '\\nD: ' ~ messages[1].content ~ ' yes?\\n' -}}"


def picture(mode: str, width: int, height: int, seed: int, kind: str = "PNG") -> dict[str, Any]:
    """Noise, so that every pixel counts."""
    bands = {"RGB": 3, "RGBA": 4, "L": 1, "LA": 2, "P": 1, "1": 1, "CMYK": 4}[mode]
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, bands), dtype=np.uint8)
    drawn = PIL.Image.fromarray(noise[:, :, 0] if bands == 1 else noise, {"P": "L", "1": "L"}.get(mode, mode))
    out = io.BytesIO()
    (drawn.convert(mode) if drawn.mode != mode else drawn).save(out, kind)
    url = f"data:image/{kind.lower()};base64,{base64.b64encode(out.getvalue()).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def parts(*found: dict[str, Any]) -> dict[str, Any]:
    return {"content": list(found)}


def clip(name: str) -> dict[str, Any]:
    data = base64.b64encode((ROOT / "assets" / "scenes" / f"{name}.mp4").read_bytes()).decode()
    return {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{data}"}}


GREY, ALPHA, RED = picture("L", 70, 50, 1), picture("RGBA", 64, 96, 2), picture("RGB", 96, 64, 3)
DOCUMENTS: dict[str, Any] = {
    "a picture": parts(RED),
    "greyscale": parts(GREY, text("grey")),
    "RGBA": parts(ALPHA, text("see through")),
    "grey with alpha": parts(picture("LA", 64, 64, 4)),
    "a palette": parts(picture("P", 80, 48, 5)),
    "black and white": parts(picture("1", 64, 64, 6)),
    "CMYK": parts(picture("CMYK", 64, 64, 7, "JPEG")),
    "JPEG": parts(picture("RGB", 90, 61, 8, "JPEG")),
    "tiny": parts(picture("RGB", 7, 9, 9)),
    "wide": parts(picture("RGB", 600, 20, 10)),
    "large": parts(picture("RGB", 701, 523, 11)),
    "two with words between": parts(RED, text("then"), GREY, text("é😀")),
    "words in front": parts(text("first"), RED),
    "words alone": "a plain text",
    "a clip": parts(clip("large-orange-triangle-disappear")),
    "a clip with words": parts(clip("blue-ring-left"), text("moves")),
    "a clip and a picture": parts(clip("three-orange-triangles-down"), GREY, text("both")),
}
QUERIES: dict[str, Any] = {"a text asks": "red noise", "a picture asks": parts(ALPHA), "both ask": parts(GREY, text("like it"))}


@pytest.fixture(scope="module")
def ask(seeing_server: str) -> Any:
    return asking(seeing_server)


@pytest.fixture(scope="module")
def here(bench: Bench, tiny_qwen3_vl: Path) -> Bench:
    return scored_here(bench, tiny_qwen3_vl, SEEING)


@pytest.fixture(scope="module")
def there(bench: Bench, seeing_server: str) -> Bench:
    return scored_there(bench, seeing_server)


def spelled(content: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With the placeholders in the text: /tokenize would put a line break behind those it adds, which /rerank does not."""
    media = [part for part in content if part["type"] != "text"]
    words = "\n".join(part["text"] for part in content if part["type"] == "text")
    return [*media, text("".join(MARKS[part["type"]] for part in media) + words)] if media and words else content


def shown(ask: Any, query: Any, document: Any) -> list[int]:
    sides = [spelled(side["content"]) if isinstance(side, dict) else side for side in (query, document)]
    messages = [{"role": role, "content": side} for role, side in zip(("query", "document"), sides, strict=True)]
    body = {"messages": messages, "add_special_tokens": True, "add_generation_prompt": False}
    answer = ask("/tokenize", body)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["tokens"])


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_ids_usage_and_score_are_the_servers(ask: Any, here: Bench, query: Any, document: Any) -> None:
    body = {"query": query, "documents": [document], "use_activation": False}
    ours, theirs = wire.answer_rerank(here, wire.read_rerank(body, here), details=True), ask("/rerank", body)
    assert theirs.status_code == 200, theirs.text
    assert ours["pairs"][0]["error"] is None
    assert ours["pairs"][0]["token_ids"] == shown(ask, query, document)
    assert ours["usage"] == theirs.json()["usage"]
    assert ours["results"][0]["relevance_score"] == pytest.approx(theirs.json()["results"][0]["relevance_score"], abs=1e-4)


@pytest.mark.parametrize(
    "body",
    [
        {"queries": "red", "documents": parts(RED)},
        {"text_1": parts(GREY), "text_2": [parts(RED), "red", parts(ALPHA, text("x"))]},
        {"data_1": [parts(RED), "red"], "data_2": ["red", parts(GREY)]},
    ],
    ids=["1:1", "1:N", "N:N"],
)
def test_score_is_the_servers(ask: Any, here: Bench, body: dict[str, Any]) -> None:
    theirs, ours = ask("/score", body).json(), wire.answer_score(here, wire.read_score(body, here))
    assert [d["score"] for d in ours["data"]] == pytest.approx([d["score"] for d in theirs["data"]], abs=1e-4)
    assert ours["usage"] == theirs["usage"]


def test_a_ranking_of_all_is_the_servers(ask: Any, here: Bench, there: Bench) -> None:
    body = {"query": parts(RED, text("red")), "documents": list(DOCUMENTS.values()), "instruction": "Find noise 🌼"}
    theirs = ask("/rerank", body).json()
    for bench in (here, there):
        ours = wire.answer_rerank(bench, wire.read_rerank(body, bench))
        assert [r["index"] for r in ours["results"]] == [r["index"] for r in theirs["results"]]
        assert [r["relevance_score"] for r in ours["results"]] == pytest.approx(
            [r["relevance_score"] for r in theirs["results"]], abs=1e-4
        )
        assert ours["usage"] == theirs["usage"]


def test_the_servers_prompt_is_shown_and_another_template_is_refused_before_it_is_scored(here: Bench, there: Bench) -> None:
    body = {"query": "red", "documents": [parts(RED, text("x")), "words"]}
    mine, served = (wire.read_rerank(body, b) for b in (here, there))
    for a, b in zip(
        here.preview(mine.variant, mine.query, mine.rows), there.preview(served.variant, served.query, served.rows), strict=True
    ):
        assert isinstance(a, Encoding) and isinstance(b, Encoding) and a.token_ids == b.token_ids
    other = wire.read_rerank({**body, "template": OTHER}, there)
    refused, taken = there.preview(other.variant, other.query, other.rows)
    assert isinstance(refused, PromptInvalid) and isinstance(taken, Encoding)
    scorer = there.pool.get(there.model)
    assert isinstance(scorer, Remote) and scorer.probe.faults == ()
