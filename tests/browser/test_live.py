"""Live by its own measure: it goes by the time that the last run took, and an input method's half-written text starts nothing."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PATIENCE, Open
from tests.browser.test_prompt_panel import commit, compose, field
from tests.browser.test_tune import scored

pytestmark = pytest.mark.clock
QUICK = 300  # ms
COUNT = "window.pressed = 0; document.getElementById('score').addEventListener('click', () => { window.pressed += 1 })"


def measured(page: Page) -> int:
    """Milliseconds that the last run took, as the page says."""
    return int(page.locator("#verdict [data-ms]").get_attribute("data-ms") or -1)


def score(page: Page) -> int:
    """Presses Score, waits for that run's own verdict, and returns its milliseconds."""
    page.evaluate("document.querySelector('#verdict [data-ms]').dataset.old = '1'")
    page.locator("#score").click()
    page.wait_for_function("document.querySelector('#verdict [data-ms]:not([data-old])')", timeout=3 * PATIENCE)
    scored(page)
    return measured(page)


def quick(page: Page) -> None:
    """The same again comes from memory, so that it is quick on a busy machine too."""
    assert any(score(page) < QUICK for _ in range(10)), measured(page)


def test_live_goes_by_the_time_that_the_last_run_took(open_page: Open) -> None:
    page = open_page()
    quick(page)
    page.evaluate(COUNT)
    page.locator("[data-live-switch]").click()
    box = field(page, "instruction-b")
    box.press("End")
    box.press_sequentially(" now", delay=20)
    page.wait_for_function("window.pressed > 0", timeout=PATIENCE)
    scored(page)
    page.locator("[data-live-switch]").click()
    page.locator("[data-toggle=paste]").click()
    rows = "\n".join(f"a red star\tdocument number {i} {'about a star ' * 60}" for i in range(40))
    field(page, "paste").fill(rows)
    page.locator("#paste-go").click()
    expect(page.locator("#tray .tray-count")).to_contain_text("40", timeout=PATIENCE)
    assert score(page) >= QUICK  # 80 long pairs, none of them known
    page.locator("[data-live-switch]").click()
    expect(page.locator("[data-live-switch]")).to_have_attribute("data-waits", "")
    pressed = page.evaluate("window.pressed")
    box.press_sequentially(" or not", delay=20)
    expect(page.locator("#stale [data-stale=b]")).to_be_visible(timeout=PATIENCE)
    page.wait_for_timeout(2000)
    assert page.evaluate("window.pressed") == pressed
    expect(page.locator("#stale [data-stale=b]")).to_be_visible()


def test_live_waits_until_a_composition_in_the_editor_is_done(open_page: Open) -> None:
    page = open_page()
    quick(page)
    page.evaluate(COUNT)
    box = field(page, "instruction-b")
    box.press("End")
    box.press_sequentially(" now", delay=20)
    expect(page.locator("#stale [data-stale=b]")).to_be_visible(timeout=PATIENCE)
    page.locator("#template-b .cm-line", has_text="<Instruct>").click()
    page.keyboard.press("Home")
    page.wait_for_timeout(1500)
    asked: list[str] = []
    page.on("request", lambda r: asked.append(r.url) if r.method == "POST" else None)
    compose(page, "x")
    page.evaluate("localStorage.setItem('live', 'on'); document.body.append(document.createElement('i'))")
    compose(page, "xi", "xin", "xing", "星")
    page.wait_for_timeout(1000)
    assert page.evaluate("window.pressed") == 0 and asked == []
    commit(page, "星")
    page.wait_for_function("window.pressed > 0", timeout=PATIENCE)
    scored(page)
    expect(page.locator("#prompt")).to_contain_text("星")
