"""The inspector of a late-interaction model in the real page: what each query token found, on the picture and on the text."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PATIENCE, ROOT, _address, opened_pages
from tests.tiny import checkpoint

Keep = Callable[[Page, str], None]
SHOWN = """[...document.querySelectorAll('#inspector-why [data-finds]')]
    .findIndex((line) => document.querySelector(`#inspector-why [data-found~="${line.dataset.finds}"]`))"""  # the first of them


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an app over a tiny ColPali."""
    log = tmp_path_factory.mktemp("late") / "log"
    model = str(checkpoint("colpali", Path(ROOT) / ".cache" / "tiny"))
    with log.open("w") as out:
        app = subprocess.Popen(
            [sys.executable, "app.py", "--port", "0", "--device", "cpu", "--model", model], cwd=ROOT, stdout=out,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield _address(app, log)
    finally:
        app.terminate()
        app.wait(60)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_why_shows_what_each_query_token_found(browser: Browser, pages: str, keep: Keep, scheme: str) -> None:
    with opened_pages(browser, pages) as opened:
        page = opened(1440, 900, scheme, ranked=False)
        cards = page.locator("#lists .card[data-side=b]:not(.failed)")
        expect(cards.first).to_be_visible(timeout=2 * PATIENCE)
        expect(page.locator("#verdict .run")).to_have_count(0, timeout=PATIENCE)
        why, lines = page.locator("#inspector-why"), page.locator("#inspector-why [data-finds]")
        for kind, found in ((".th img", ".veil i.for"), (".th-text", "mark")):
            cards.filter(has=page.locator(kind)).first.locator(".what").click()
            expect(page.locator("#inspector [data-logit=b]")).to_be_visible(timeout=PATIENCE)
            page.locator("#inspector-offer [data-do=why][data-side=b]").click()
            expect(lines.first).to_be_visible(timeout=PATIENCE)
            expect(why.locator(found).first).to_be_visible()
            why.scroll_into_view_if_needed()
            lines.nth(page.evaluate(SHOWN)).hover()
            expect(why.locator(".lit")).not_to_have_count(0)
            why.evaluate("e => e.closest('#inspector').scrollTop = e.offsetTop - 60")
            keep(page, f"why-late-{found.strip('.').split()[0]}-{scheme}")
            page.keyboard.press("Escape")
