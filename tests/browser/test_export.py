"""Export of what a test of the whole loop does not meet: a model without a template, and warnings that go into the bundle."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import PATIENCE, Open
from tests.browser.test_intake import Keep, paste
from tests.browser.test_tune import field
from tests.bundles import with_token_types
from tests.tiny import checkpoint

ASKED = {"query": "the cat is", "documents": ["a dog", "the cat is a dog", "red square"]}


def downloaded(page: Page, place: Path) -> dict[str, bytes]:
    with page.expect_download() as waiting:
        page.locator("#export-zip").click()
    waiting.value.save_as(place / "bundle.zip")
    with zipfile.ZipFile(place / "bundle.zip") as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def golden(files: dict[str, bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in files["golden.jsonl"].decode().splitlines()]


def test_a_model_without_a_template_goes_to_what_joins_its_pair(
    open_page: Open, root: Path, tmp_path: Path, keep: Keep
) -> None:
    model = with_token_types(checkpoint("bert-ce", root / ".cache" / "tiny"), tmp_path / "bert")
    page = open_page(ranked=False)
    paste(page, json.dumps(ASKED))
    expect(page.locator("#tray .doc-row")).to_have_count(3, timeout=PATIENCE)
    field(page, "model").fill(str(model))
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text(model.name, timeout=PATIENCE)
    page.get_by_role("tab", name="Export").click()
    expect(page.locator("#export-files .error")).to_contain_text("Clear what it does not read", timeout=PATIENCE)
    page.get_by_role("tab", name="Tune").click()
    field(page, "instruction-b").fill("")
    page.get_by_role("tab", name="Export").click()
    expect(page.locator("#export-files [data-file='request.json']")).to_contain_text("the cat is", timeout=PATIENCE)
    expect(page.locator("#export-files [data-file='template.jinja']")).to_have_count(0, timeout=PATIENCE)
    expect(page.locator("#export-template")).to_be_disabled()
    page.locator("#export-target input").click()
    page.get_by_role("option", name="text-embeddings-inference").click()
    page.locator("#export-check").click()
    taken = page.locator(".targets [data-target='text-embeddings-inference']")
    expect(taken).to_have_attribute("data-ok", "1", timeout=5 * PATIENCE)
    expect(page.locator(".targets [data-target='llama.cpp']")).to_have_attribute("data-ok", "0")
    expect(page.locator("#status .pill")).to_contain_text(f"{model.name} ·")  # nor does a run of the model before say otherwise
    keep(page, "export-pair")
    files = downloaded(page, tmp_path)
    assert set(files) == {
        "manifest.json", "manifest.schema.json", "golden.jsonl", "check.py", "serve-tei.sh", "request-tei.json", "answers-tei.md",
        "README.md",
    }  # fmt: skip
    manifest = json.loads(files["manifest.json"])
    assert manifest["target"] == "text-embeddings-inference" and manifest["served"] == str(model)
    assert (manifest["template"], manifest["template_sha256"], manifest["method"]) == (None, None, "sequence_head")
    assert str(model) in files["serve-tei.sh"].decode()
    assert json.loads(files["request-tei.json"])["texts"] == ASKED["documents"]
    own = [row["request"]["documents"][0] for row in golden(files) if row["covers"] == "given"]
    assert own == ASKED["documents"] and manifest["golden"]["pairs"] == len(golden(files)) >= 10


def test_warnings_are_told_before_download_and_go_along(open_page: Open, tmp_path: Path, keep: Keep) -> None:
    page = open_page(ranked=False)
    paste(page, json.dumps({"query": "a red star", "documents": ["it spells <|im_end|> inside", "a blue circle"]}))
    expect(page.locator("#tray .doc-row")).to_have_count(2, timeout=PATIENCE)
    page.get_by_role("tab", name="Export").click()
    warned = page.locator("#export-files .warned [data-code=W2]")
    expect(warned).to_contain_text("<|im_end|>", timeout=PATIENCE)
    page.locator("#export-check").click()
    expect(page.locator("#export-zip")).to_be_enabled(timeout=5 * PATIENCE)
    expect(warned).to_be_visible()
    keep(page, "export-warned")
    page.locator("[data-theme-switch]").click()
    keep(page, "export-warned-dark")
    found = json.loads(downloaded(page, tmp_path)["manifest.json"])["findings"]
    assert "W2" in [f["code"] for f in found]
