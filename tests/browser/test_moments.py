"""Times in the reader's own zone, and labels that a reader writes, in the real page."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PATIENCE, Open

Keep = Callable[[Page, str], None]
TOKYO = timezone(timedelta(hours=9))


def test_times_are_the_readers_own(browser: Browser, address: str) -> None:
    context = browser.new_context(timezone_id="Asia/Tokyo", locale="en-US")
    page = context.new_page()
    page.goto(address)
    expect(page.locator("#lists .card[data-side=b]")).to_have_count(7, timeout=2 * PATIENCE)
    expect(page.locator("#verdict .run")).to_have_count(0, timeout=PATIENCE)
    page.locator("#instruction-b textarea").fill("Another.")
    expect(page.locator("#stale [data-stale=b]")).to_be_visible(timeout=PATIENCE)
    page.locator("#score").click()
    expect(page.locator("#stale [data-stale]")).to_have_count(0, timeout=PATIENCE)
    expect(page.locator("#verdict .run")).to_have_count(0, timeout=PATIENCE)
    page.get_by_role("tab", name="History").click()  # a chart begins with two runs
    expect(page.locator(".past")).to_have_count(2, timeout=PATIENCE)
    row, fact = page.locator(".past time").first, page.locator("#history-run .facts time")
    expect(row).to_have_text(re.compile(r"^(\d+ \w+ )?\d\d:\d\d$"), timeout=PATIENCE)
    moment = datetime.strptime(row.get_attribute("datetime") or "", "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    here = moment.astimezone(TOKYO)
    assert (row.text_content() or "").endswith(f"{here:%H:%M}")
    assert fact.text_content() == f"{here.day} {here:%b %Y %H:%M}"
    assert page.locator("#history-chart text[data-time]").first.text_content() == f"{here:%H:%M}"
    title = page.locator("#history-chart title[data-time]").first.text_content() or ""
    assert title.startswith(f"{here.day} {here:%b %H:%M} ·")
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_label_is_written_and_is_on_the_cards(open_page: Open, keep: Keep, scheme: str) -> None:
    page = open_page(1280, 720, scheme)
    page.get_by_role("tab", name="Documents").click()
    rows = page.locator("#rows .d-row")
    expect(rows).to_have_count(7, timeout=PATIENCE)
    row = page.locator("#rows .d-row:has(textarea[data-edit='0'])").first
    expect(row.locator(".d-label")).to_be_hidden()
    row.hover()
    row.locator("[data-label-of]").click()
    row.locator(".d-label").fill("<b>the caption")
    keep(page, f"documents-label-{scheme}")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.matches('.d-row')")
    expect(row.locator(".d-label")).to_be_visible()
    name = row.get_attribute("data-row")
    page.wait_for_timeout(1000)  # typing is told 0.12 s after the last key
    page.get_by_role("tab", name="Tune").click()
    card = page.locator(f"#lists .card[data-doc='{name}'][data-side=b] .ell")
    expect(card).to_have_text("<b>the caption", timeout=PATIENCE)
    expect(page.locator("#stale [data-stale]")).to_have_count(0)  # a name changes no score
