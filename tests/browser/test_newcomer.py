"""From opening the page to an exported bundle with a better ranking, by somebody who never saw it: at most twelve actions."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import PATIENCE, Open

MOST = 12
WORDS = "Only the colour counts."


class Actions:
    """Counts what is done to the page; looking costs nothing."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def __call__(self, what: str, act: Callable[[], object]) -> None:
        self.done.append(what)
        act()


def ndcg(page: Page, side: str) -> float:
    shown = page.locator(f"#verdict [data-ndcg={side}]").inner_text()
    return float(re.sub(r"[^\d.]", "", shown))


def test_a_newcomer_exports_something_better(open_page: Open) -> None:
    do = Actions()
    opened: list[Page] = []
    do("open the page", lambda: opened.append(open_page()))
    page = opened[0]
    expect(page.locator("#look")).to_contain_text("anything red")  # the need is told, and so is what to do
    expect(page.locator("#look")).to_contain_text("edit B")

    box = page.locator("#instruction-b textarea, #instruction-b input").first
    do("point at the instruction of B", box.click)
    do("choose all of it", lambda: page.keyboard.press("ControlOrMeta+a"))
    do("type another one", lambda: page.keyboard.type(WORDS))
    expect(page.locator("#stale [data-stale=b]")).to_be_visible()
    do("Ctrl+Enter", lambda: page.keyboard.press("ControlOrMeta+Enter"))
    expect(page.locator("#stale [data-stale]")).to_have_count(0, timeout=PATIENCE)
    expect(page.locator("#verdict .run")).to_have_count(0, timeout=PATIENCE)
    assert ndcg(page, "b") > ndcg(page, "a")

    do("open Export", page.get_by_role("tab", name="Export").click)
    do("Check", page.locator("#export-check").click)
    expect(page.locator("#export-zip")).to_be_enabled(timeout=PATIENCE)
    with page.expect_download() as download:
        do("Download", page.locator("#export-zip").click)
    bundle = zipfile.ZipFile(download.value.path())
    assert WORDS in bundle.read("template.jinja").decode()
    manifest = json.loads(bundle.read("manifest.json"))
    assert manifest and "golden.jsonl" in bundle.namelist()
    assert len(do.done) <= MOST, do.done
