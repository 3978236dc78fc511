"""What stands around the editors: what is wrong and one click that mends it, Keep and Undo, drafts that survive a reload."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

from playwright.sync_api import Page, expect

from tests.browser.conftest import PATIENCE, Open
from tests.browser.test_tune import field, scored, source

Keep = Callable[[Page, str], None]


def worth(page: Page) -> float:
    """B's nDCG as the verdict says it."""
    scored(page)
    found = re.search(r"B (\d?\.\d+)", page.locator("#verdict").inner_text())
    assert found, page.locator("#verdict").inner_text()
    return float(found[1])


def press_score(page: Page) -> None:
    """Once the side is known to have changed: what is shown before is not mistaken for the new run."""
    expect(page.locator("#stale [data-stale~=b]")).to_be_visible(timeout=PATIENCE)
    page.keyboard.press("Control+Enter")


def test_the_page_you_followed_is_mended_click_by_click(page: Page, keep: Keep) -> None:
    page.goto(page.url.split("?")[0] + "?scenario=page-you-followed")
    expect(page.locator("#lists .card[data-side=b]")).to_have_count(8, timeout=PATIENCE)
    expect(page.locator("#scenario input")).to_have_value("The page you followed")
    lint = page.locator("#lint-b")
    expect(lint.locator("[data-code]:visible b.code")).to_have_text(["E3", "E6"])
    expect(lint.locator("summary")).to_have_text("+2")  # E5, and once it is scored W6: the torn tail says nothing of any row
    expect(page.locator("#lint-a")).to_contain_text("renders")
    values = [worth(page)]
    expect(lint.locator("[data-do=fix]")).to_have_count(3, timeout=PATIENCE)
    keep(page, "lint")
    for code in ("E3", "E6", "E5"):
        expect(lint.locator(".finding b.code").first).to_have_text(code)
        lint.locator(f"button[data-code={code}]").click()
        expect(lint.locator(f"[data-code={code}]")).to_have_count(0, timeout=PATIENCE)
        press_score(page)
        values.append(worth(page))
    assert all(later > earlier for earlier, later in pairwise(values)) and values[-1] == 1, values
    expect(lint).to_contain_text("renders")
    before = source(page, "b")
    page.locator("#undo-b button").click()
    expect(lint.locator("b.code").first).to_have_text("E5", timeout=PATIENCE)
    assert source(page, "b") != before
    keep(page, "lint-undone")


def test_keep_revert_and_undo(page: Page, keep: Keep) -> None:
    a, b = (field(page, f"instruction-{side}") for side in "ab")
    old_a, old_b = a.input_value(), b.input_value()
    page.locator("#template-b .cm-line").first.click()
    page.keyboard.press("Home")
    page.keyboard.insert_text("{#- mine -#}")
    expect(page.locator("#head-b")).to_contain_text("1 line differs", timeout=PATIENCE)
    mine = source(page, "b")
    page.keyboard.press("Control+Shift+Enter")
    expect(a).to_have_value(old_b, timeout=PATIENCE)
    expect(page.locator("#head-a")).to_contain_text("1 line differs", timeout=PATIENCE)
    assert source(page, "a") == source(page, "b") == mine
    expect(page.locator("#stale [data-stale~=a]")).to_be_visible()
    expect(page.locator("#head-b [data-do=keep]")).to_be_disabled()
    keep(page, "kept")
    page.locator("#head-a [data-do=reset]").click()
    expect(page.locator("#head-a")).to_contain_text("model card recipe", timeout=PATIENCE)
    page.locator("#undo-b button").click()
    expect(page.locator("#head-a")).to_contain_text("1 line differs", timeout=PATIENCE)
    page.locator("#undo-b button").click()
    expect(a).to_have_value(old_a, timeout=PATIENCE)
    expect(page.locator("#undo-b button")).to_have_count(0)
    assert source(page, "b") == mine
    page.locator("#head-b [data-do=revert]").click()
    expect(b).to_have_value(old_a, timeout=PATIENCE)
    expect(page.locator("#template-b .cm-content")).not_to_contain_text("mine")


def test_a_draft_survives_a_reload_and_nobody_else_sees_it(open_page: Open, keep: Keep) -> None:
    page, other = open_page(), open_page()
    box = field(page, "instruction-b")
    opened = box.input_value()
    box.fill("")
    box.press_sequentially("only what is mine", delay=30)
    page.locator("#template-b .cm-line").first.click()
    page.keyboard.press("Home")
    page.keyboard.insert_text("{#- kept -#}")
    expect(page.locator("#head-b")).to_contain_text("1 line differs", timeout=PATIENCE)
    page.wait_for_function("sessionStorage.getItem('workbench-draft')?.includes('kept -#}')")
    page.reload()
    expect(page.locator("#restored")).to_contain_text("Draft restored", timeout=PATIENCE)
    expect(box).to_have_value("only what is mine")
    expect(page.locator("#template-b .cm-content")).to_contain_text("kept")
    keep(page, "draft-restored")
    other.reload()
    expect(other.locator("#lists .card")).to_have_count(14, timeout=PATIENCE)
    expect(other.locator("#restored")).not_to_contain_text("Draft")
    assert "only what is mine" not in other.content() and field(other, "instruction-b").input_value() == opened
    page.locator("#restored button").click()
    expect(box).to_have_value(opened, timeout=PATIENCE)
    expect(page.locator("#restored")).not_to_contain_text("Draft")
    page.wait_for_function("!sessionStorage.getItem('workbench-draft').includes('kept -#}')")
    page.reload()
    expect(page.locator("#lists .card")).to_have_count(14, timeout=PATIENCE)
    expect(page.locator("#restored")).not_to_contain_text("Draft")
