"""History and the inspector in the real page: what was scored is there after a reload and a restart, and nobody else's is."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PATIENCE, ROOT, Open, _address, opened_pages

Keep = Callable[[Page, str], None]
NASTY = "</script><img src=x onerror=alert(1)>${alert(1)} {{7*7}} \u202e`x`"


@contextmanager
def app(data: Path) -> Iterator[str]:
    log = data.parent / "log"
    command = [sys.executable, "app.py", "--port", "0", "--device", "cpu", "--data", str(data)]
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield _address(process, log)
    finally:
        process.terminate()
        process.wait(60)


def score(page: Page, instruction: str) -> None:
    page.locator("#instruction-b textarea, #instruction-b input").first.fill(instruction)
    expect(page.locator("#stale [data-stale=b]")).to_be_visible()
    page.locator("#score").click()
    expect(page.locator("#stale [data-stale]")).to_have_count(0, timeout=PATIENCE)
    expect(page.locator("#verdict .run")).to_have_count(0, timeout=PATIENCE)


def history(page: Page, count: int) -> None:
    page.get_by_role("tab", name="History").click()
    expect(page.locator(".past")).to_have_count(count, timeout=PATIENCE)


def test_runs_outlive_a_reload_and_a_restart(browser: Browser, tmp_path: Path, keep: Keep) -> None:
    data = tmp_path / "data"
    with app(data) as address, opened_pages(browser, address) as opened:
        page = opened()
        score(page, NASTY)
        page.reload()
        expect(page.locator("#verdict")).to_contain_text("moved", timeout=PATIENCE)
        history(page, 2)  # the opening scenario and the edit, which the reload restored and scored once more
        page.locator(".past", has_text="onerror").locator(".open").click()
        expect(page.locator("#history-rankings .card")).to_have_count(14)
        page.locator("#history-run [data-edit=name]").fill("Gold")
        expect(page.locator(".past", has_text="Gold")).to_have_count(1)
        page.locator("#history-run [data-do=pin]").click()
        expect(page.locator("#history-run")).to_contain_text("Unpin")
        run = page.locator(".past.on").get_attribute("data-run")
        mark = page.evaluate("localStorage.getItem('workbench-browser')")
        keep(page, "history")
        other = opened()  # another browser
        history(other, 1)
        assert run not in other.content()
        other.goto(f"{address}/?s={run}")
        expect(other.locator("#history-run")).to_contain_text("read only", timeout=PATIENCE)
        expect(other.locator("#history-run")).to_contain_text("a red star")
    with app(data) as address, opened_pages(browser, address) as opened:
        page = opened()
        page.evaluate(f"localStorage.setItem('workbench-browser', '{mark}')")  # another port is another place to a browser
        page.reload()
        expect(page.locator("#verdict")).to_contain_text("moved", timeout=PATIENCE)
        history(page, 3)
        page.locator(".past", has_text="Gold").locator(".open").click()
        expect(page.locator("#history-run")).to_contain_text("Unpin")
        page.locator("#history-run [data-do=restore]").click()
        box = page.locator("#instruction-b textarea, #instruction-b input").first
        expect(box).to_have_value(NASTY, timeout=PATIENCE)
        expect(page.locator("#look")).to_contain_text("Restored")
        expect(page.locator("#stale [data-stale]")).to_have_count(0, timeout=PATIENCE)


def test_two_runs_are_compared_and_one_is_deleted(page: Page) -> None:
    score(page, "Only the shape matters.")
    history(page, 2)
    expect(page.locator("#history-chart .track")).to_have_count(7)
    expect(page.locator("#history-ends")).to_contain_text("--data")
    page.locator(".past").nth(1).locator("[data-do=compare]").click()
    expect(page.locator("#history-rankings .settings")).to_contain_text("Only the shape matters.")
    page.locator("[data-do=alone]").click()
    page.locator("#history-run [data-do=delete]").click()
    expect(page.locator(".past")).to_have_count(2)  # the first click only asks
    page.locator("#history-run [data-do=delete]").click()
    expect(page.locator(".past")).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_card_opens_the_inspector(open_page: Open, keep: Keep, scheme: str) -> None:
    page = open_page(1440, 900, scheme)
    card = page.locator("#lists .card[data-side=b]", has_text="red cross")
    card.locator(".what").click()
    sheet = page.locator("#inspector")
    expect(sheet.locator("video")).to_have_count(1, timeout=PATIENCE)
    expect(sheet).to_have_attribute("role", "dialog")
    expect(page.locator("#inspector-title")).to_contain_text("red cross")
    page.wait_for_function("document.querySelector('#inspector video').readyState >= 1")
    keep(page, f"inspector-{scheme}")
    for _ in range(12):  # focus never leaves the sheet
        page.keyboard.press("Tab")
        assert page.evaluate("document.querySelector('#inspector').contains(document.activeElement)")
    sheet.locator("[data-do=why]").last.click()
    expect(page.locator("#inspector-why [data-change]")).to_have_count(4, timeout=PATIENCE)
    expect(page.locator("#inspector-why")).to_contain_text(re.compile("largest moves the logit"), timeout=PATIENCE)
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    assert page.evaluate("document.activeElement.closest('.card')?.dataset.side") == "b"
    page.keyboard.press("Enter")
    expect(sheet).to_be_visible()
