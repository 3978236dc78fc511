"""A small window: two results a side in sight with the runs before and findings above them; at 200 % nothing is squeezed away."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PATIENCE, Open
from tests.browser.test_tune import field, scored

APART = 3500  # ms: runs closer than `outcome.TYPING` are one tile
# What stands in the verdict's line and is neither wholly in it nor wholly out of it.
HALVED = """() => {
  const line = document.querySelector('#verdict .verdict').getBoundingClientRect();
  return [...document.querySelectorAll('#verdict .verdict > *')].map((e) => [e.textContent, e.getBoundingClientRect()])
    .filter(([, b]) => b.top < line.bottom - 1 && (b.right > line.right + 1 || b.bottom > line.bottom + 4)).map(([text]) => text);
}"""


def below(page: Page, selector: str) -> float:
    box = page.locator(selector).bounding_box()
    assert box, selector
    return box["y"] + box["height"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_two_cards_stand_in_sight_under_runs_and_findings(open_page: Open, scheme: str) -> None:
    page = open_page(scheme=scheme)
    scored(page)
    page.wait_for_timeout(APART)
    field(page, "instruction-b").fill("Only the shape matters.")
    expect(page.locator("#stale [data-stale]")).to_have_count(1, timeout=PATIENCE)
    page.locator("#score").click()
    scored(page)
    expect(page.locator("#runs .tile")).to_have_count(2, timeout=PATIENCE)
    page.locator("#template-b .cm-line", has_text="<Instruct>").click()
    page.keyboard.press("Home")
    page.keyboard.insert_text("{{ ' ' }}")
    expect(page.locator("#lint-b .finding")).to_have_count(2, timeout=PATIENCE)
    expect(page.locator("#stale [data-stale=b]")).to_be_visible(timeout=PATIENCE)
    page.evaluate("scrollTo(0, 0)")
    for side in "ab":
        assert below(page, f"#lists .card[data-side={side}] >> nth=1") <= 720
    assert page.evaluate(HALVED) == []  # half a number would be another one
    tabs = [tab.bounding_box() for tab in page.locator("#tabs > .tab-wrapper [role=tab]:visible").all()]
    menu = page.locator("#model").bounding_box()
    assert menu and all(tab and tab["x"] + tab["width"] <= menu["x"] for tab in tabs)


def test_names_have_room_at_twice_the_size(open_page: Open) -> None:
    page = open_page(width=640, height=360, ranked=False)
    prompt, tail = page.locator("#prompt .prompt"), page.locator("#prompt .tail")
    expect(tail).to_be_visible(timeout=PATIENCE)
    outer, inner = prompt.bounding_box(), tail.bounding_box()
    assert outer and inner and inner["width"] > 0.9 * outer["width"]  # it lies over a whole line, never over half of one
    page.get_by_role("tab", name="Documents").click()
    names = page.locator("#rows .d-row .d-label")
    expect(names.first).to_be_visible(timeout=PATIENCE)
    assert names.evaluate_all("all => all.filter(n => n.scrollWidth > n.clientWidth + 1).map(n => n.textContent)") == []
