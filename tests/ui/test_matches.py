"""Why, for late interaction: what the sheet says each query token found is what a MaxSim by hand finds."""

from __future__ import annotations

import html
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import PIL.Image
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, ColPaliForRetrieval, ModernBertModel
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from tests.tiny import checkpoint
from tests.ui.test_past import SHOT, request
from workbench.pool import Bench
from workbench.types import ContentPart, Document, Encoding, Text
from workbench.ui import desk
from workbench.ui.inspecting import Inspector
from workbench.ui.loop import Loop
from workbench.ui.matches_view import matches_html
from workbench.ui.rows import named

NEAR = 1e-4
Match = tuple[int, str, float]  # id of the query token, what it found as the sheet names it, cosine
ROW = re.compile(
    r'<tr data-finds="([^"]*)"><td class="mono" translate="no" title="id (\d+)">.*?</td>'
    r'<td(?: class="mono" translate="no" title="id (\d+)")?>(.*?)</td><td class="digits">([-\d.]+)</td>',
    re.S,
)


@pytest.fixture
def inspector(bench: Bench, tmp_path: Path) -> Inspector:
    return Inspector(Loop(bench, tmp_path))


def event(**data: str) -> Any:
    return SimpleNamespace(_data=data)


def why(inspector: Inspector, model: Path, query: str, *content: ContentPart) -> tuple[str, str]:
    """(what the sheet offers, what it answers) for side B."""
    own = desk.body_of(inspector.loop.bench, str(model))
    fields = [str(model), "reference", query, [], named([], [Document("x", content)]), own, "", own, ""]
    name, *_ = inspector.on_open(event(do="open", doc="x"), request(), *fields)
    sides, offer = inspector.on_score(request(), name, *fields)
    assert 'data-logit="b"' in sides
    return offer, list(inspector.on_why(event(do="why", side="b", doc="x"), request(), *fields))[-1]


def rows(drawn: str) -> list[tuple[str, int, str, float]]:
    """Per line (place, id of the query token, id or tile it found, cosine)."""
    return [(place, int(q), d or html.unescape(words), float(v)) for place, q, d, words, v in ROW.findall(drawn)]


def unit(vectors: torch.Tensor) -> torch.Tensor:
    return vectors / vectors.norm(dim=-1, keepdim=True)


def agree(drawn: str, asked: list[int], near: torch.Tensor, named_: list[str]) -> None:
    """Every line names a document token that is as close as any, by vectors made without the workbench."""
    found = rows(drawn)
    assert [q for _, q, _, _ in found] == asked
    for i, (_, _, name, cosine) in enumerate(found):
        best = float(near[i].max())
        good = {named_[j] for j in range(len(named_)) if float(near[i][j]) >= best - NEAR}  # equal but for the last digit
        assert name in good and cosine == pytest.approx(best, abs=1e-3)
    assert f"<b>{float(near.max(dim=1).values.sum()):.2f}" in drawn


def test_a_text_is_marked_by_what_a_maxsim_by_hand_finds(inspector: Inspector, root: Path) -> None:
    folder, text = checkpoint("pylate", root / ".cache" / "tiny"), "a dog is of paris. what is gravity"
    offer, drawn = why(inspector, folder, "what is the cat", Text(text))
    assert "Every query token looks for its best document token." in offer
    tokenizer, model = AutoTokenizer.from_pretrained(folder), ModernBertModel.from_pretrained(folder).eval()
    weight = load_file(folder / "1_Dense/model.safetensors")["linear.weight"]
    q, d, mask = tokenizer.convert_tokens_to_ids(["[Q] ", "[D] ", "[MASK]"])

    def vectors(ids: list[int], seen: int) -> torch.Tensor:
        attended = torch.tensor([[1] * seen + [0] * (len(ids) - seen)])
        with torch.no_grad():
            return unit(model(torch.tensor([ids]), attention_mask=attended).last_hidden_state[0] @ weight.T)

    asked, told = (tokenizer(t)["input_ids"] for t in ("what is the cat", text))
    asked, told = [asked[0], q, *asked[1:]], [told[0], d, *told[1:]]
    padded = asked + [mask] * (12 - len(asked))
    skipped = tokenizer.convert_tokens_to_ids([".", "of"])
    kept = [i for i, t in enumerate(told) if t not in skipped]
    near = vectors(padded, len(asked)) @ vectors(told, len(told))[kept].T
    agree(drawn, padded, near, [str(told[i]) for i in kept])
    marked = [html.unescape(w) for w in re.findall(r'<mark class="for"[^>]*>(.*?)</mark>', drawn)]
    plain = re.sub(r"<[^>]+>", "", re.search(r'<p class="full"[^>]*>(.*?)</p>', drawn, re.S)[1])  # type: ignore[index]
    assert html.unescape(plain) == text and marked and all(w in text and w not in (".", "of") for w in marked)
    places = {place for place, *_ in rows(drawn)}
    assert set(" ".join(re.findall(r'data-found="([^"]*)"', drawn)).split()) <= places


def test_a_page_is_marked_by_what_a_maxsim_by_hand_finds(inspector: Inspector, root: Path) -> None:
    folder, path = checkpoint("colpali", root / ".cache" / "tiny"), next(SHOT.glob("*.png"))
    _, drawn = why(inspector, folder, "the cat", inspector.loop.bench.library.add_file(path))
    tokenizer, model = AutoTokenizer.from_pretrained(folder), ColPaliForRetrieval.from_pretrained(folder).eval()
    processor = SiglipImageProcessorPil.from_pretrained(folder)

    def vectors(text: str, **more: Any) -> tuple[list[int], torch.Tensor]:
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            found = model(ids, attention_mask=torch.ones_like(ids), token_type_ids=torch.zeros_like(ids), **more).embeddings[0]
        return ids[0].tolist(), found

    asked, q = vectors("<bos>Question: the cat" + "<pad>" * 10 + "\n")
    pixels = processor(PIL.Image.open(path).convert("RGB"), return_tensors="pt")["pixel_values"]
    told, d = vectors("<image>" * 16 + "<bos>Describe the image.\n", pixel_values=pixels)
    names = [f"tile {at // 4 + 1}, {at % 4 + 1}" for at in range(16)] + [str(i) for i in told[16:]]
    agree(drawn, asked, q @ d.T, names)
    tiles = re.findall(r'<i class="for" data-found="tile-(\d)-(\d)"[^>]*><?b?>?(\d*)', drawn)
    assert [(int(r), int(c)) for r, c, _ in tiles] == [(r, c) for r in range(4) for c in range(4)]
    expected = [sum(name == f"tile {r + 1}, {c + 1}" for _, _, name, _ in rows(drawn)) for r in range(4) for c in range(4)]
    assert [int(n or 0) for _, _, n in tiles] == expected and sum(expected) > 0
    _, drawn = why(inspector, folder, "the cat", Text("a dog"))  # a text for the same model has words and no tiles
    assert 'class="tiles"' not in drawn and "a dog" in html.unescape(re.sub(r"<[^>]+>", "", drawn))


def test_foreign_tokens_are_no_markup(inspector: Inspector, root: Path) -> None:
    nasty = "<b>${alert(1)}</b> red"
    _, drawn = why(inspector, checkpoint("colbert", root / ".cache" / "tiny"), nasty, Text(nasty))
    assert "<b>$" not in drawn and "&lt;" in drawn


def test_a_match_of_nothing_is_drawn_as_nothing(inspector: Inspector, root: Path) -> None:
    bench, model = inspector.loop.bench, str(checkpoint("colbert", root / ".cache" / "tiny"))
    rows_ = [Document("x", (Text("a dog"),))]
    [encoding] = bench.preview(bench.variant(model=model), desk.Query("q", (Text("cat"),)), rows_)
    assert isinstance(encoding, Encoding)
    assert "<mark" not in matches_html(bench.library, "a", encoding, [], str)
