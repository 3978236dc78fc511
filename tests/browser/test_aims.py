"""After Export's Check the lines under the editor say which targets cannot take the prompt."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import PATIENCE, Open

Keep = Callable[[Page, str], None]


def test_the_editor_says_what_the_check_found(page: Page, open_page: Open, keep: Keep) -> None:
    found = page.locator("#lint-b [data-code=W4]")
    expect(page.locator("#lint-b .ok")).to_be_visible()
    expect(found).to_have_count(0)
    page.get_by_role("tab", name="Export").click()
    page.locator("#export-check").click()
    expect(page.locator(".targets [data-target=vllm]")).to_have_attribute("data-ok", "1", timeout=5 * PATIENCE)
    page.get_by_role("tab", name="Tune").click()
    expect(found.first).to_contain_text("SGLang")
    expect(page.locator("#lint-a [data-code=W4]")).to_have_count(0)
    keep(page, "lint-targets")
    other = open_page()  # another session, with the same question
    expect(other.locator("#lint-b .ok")).to_be_visible()
    expect(other.locator("#lint-b [data-code=W4]")).to_have_count(0)
    page.locator("#instruction-b textarea").fill("Something else.")
    expect(found).to_have_count(0)
