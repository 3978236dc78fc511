"""The small model's own page: scenes to add, the notice for what lies outside its world, and what each scenario promises."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PATIENCE, ROOT, opened_pages
from tests.browser.test_tune import Keep, field, scored
from workbench.scenario import titles

SCENARIOS, SCENES = ROOT / "assets" / "scenarios", ROOT / "assets" / "scenes"
TITLES = titles(SCENARIOS)


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with opened_pages(browser, address) as opened:
        yield opened(1280, 900)


def choose(page: Page, name: str) -> None:
    """Opens a scenario by the menu and waits until it is ranked."""
    told = json.loads((SCENARIOS / f"{name}.json").read_text())
    page.locator("#scenario input").click()
    page.get_by_role("option", name=TITLES[name], exact=True).click()
    expect(page.locator("#look")).to_contain_text(told["need"], timeout=PATIENCE)
    for document in told["documents"]:  # the cards of the scenario before are gone when all of these are there
        cards = page.locator("#lists .card[data-side=b]", has=page.get_by_title(document["label"], exact=True))
        expect(cards).to_have_count(1, timeout=PATIENCE)
    scored(page)
    expect(page.locator("#verdict b").first).to_be_visible(timeout=PATIENCE)


@pytest.mark.parametrize("name", TITLES)
def test_a_scenario_says_what_to_look_at_and_lies_inside_the_world(page: Page, name: str) -> None:
    choose(page, name)
    told = json.loads((SCENARIOS / f"{name}.json").read_text())
    expect(page.locator("#look")).to_contain_text(told["look"])
    expect(page.locator("#look")).to_contain_text(told["need"])
    rows = len(told["documents"])
    expect(page.locator("#lists .card[data-side=b]")).to_have_count(rows, timeout=PATIENCE)
    page.wait_for_timeout(1500)  # the judgement is quicker than the scores, and beside them
    expect(page.locator("#foreign .abroad")).to_have_count(0)


def test_nothing_changed_has_no_winner(page: Page, keep: Keep) -> None:
    choose(page, "nothing-changed")
    expect(page.locator("#verdict [data-same=prompt]")).to_have_text(
        "A and B are the same prompt: 0 token ids differ, so neither is better", timeout=PATIENCE
    )
    a, b = (page.locator(f"#verdict [data-ndcg={side}]").inner_text()[1:] for side in "ab")
    assert a == b and "moved" not in page.locator("#verdict").inner_text()
    assert page.locator("#head-b .delta").count() == 0
    keep(page, "nothing-changed")


def test_the_page_you_followed_is_worse_until_it_is_mended(page: Page, keep: Keep) -> None:
    choose(page, "page-you-followed")

    def worth(side: str) -> float:
        return float(page.locator(f"#verdict [data-ndcg={side}]").inner_text()[1:])

    before = worth("b")
    assert before < worth("a")
    for number in "123":
        assert page.locator("#template-b .cm-content").inner_text().count(f"{{#- {number}:") == 1
    keep(page, "page-you-followed")
    line = page.locator("#template-b .cm-line", has_text="{{- '<|im_start|>assistant' -}}")
    line.click()
    page.keyboard.press("End")
    for _ in range(len("' -}}")):
        page.keyboard.press("ArrowLeft")
    page.keyboard.insert_text("\\n")
    expect(page.locator("#stale [data-stale=b]")).to_be_visible()
    page.locator("#score").click()
    scored(page)
    assert worth("b") >= before


def test_a_foreign_query_is_said_with_models_to_choose(page: Page, keep: Keep) -> None:
    expect(page.locator("#foreign .abroad")).to_have_count(0)
    field(page, "query").fill("a dog in the snow")
    page.locator("#score").click()
    notice = page.locator("#foreign .abroad")
    expect(notice).to_contain_text("The query is outside", timeout=PATIENCE)
    expect(notice.get_by_role("button")).to_have_count(2)
    scored(page)
    keep(page, "foreign-query")
    field(page, "query").fill("a red star")
    page.locator("#score").click()
    expect(notice).to_have_count(0, timeout=PATIENCE)


def test_a_foreign_picture_is_said_and_a_model_is_one_click_away(page: Page, keep: Keep) -> None:
    files = page.locator("#documents input[type=file]")
    files.set_input_files(str(ROOT / "assets" / "screenshot-light.png"))
    expect(page.locator("#tray .doc-row")).to_have_count(8, timeout=PATIENCE)
    page.locator("#score").click()
    notice = page.locator("#foreign .abroad")
    expect(notice).to_contain_text("1 document (screenshot-light.png) is outside", timeout=PATIENCE)
    scored(page)
    keep(page, "foreign-picture")
    name = "Qwen/Qwen3-VL-Reranker-2B"
    notice.get_by_role("button", name=name).click()
    # No hub is reachable here: the choice is tried, the reason is said, and the model in use stays.
    expect(page.locator("#notice .notice")).to_contain_text(name, timeout=PATIENCE)
    expect(page.locator("#model input")).not_to_have_value(name, timeout=PATIENCE)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_scenes_are_added_by_clicks_and_keys(
    browser: Browser, address: str, scheme: str, keep: Keep
) -> None:
    index = json.loads((SCENES / "index.json").read_text())
    with opened_pages(browser, address) as opened:
        page = opened(1280, 900, scheme)
        tiles = page.locator("#scenes .scene")
        expect(page.locator("#scenes")).to_be_hidden()
        page.locator("#add-scene").click()
        expect(tiles).to_have_count(len(index), timeout=PATIENCE)
        assert all(page.locator("#scenes img").evaluate_all("all => all.map(i => i.complete && i.naturalWidth > 0)"))
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        for i in (0, 1):
            tiles.nth(i).click()
        rows = page.locator("#tray .doc-row")
        expect(rows).to_have_count(9, timeout=PATIENCE)
        keep(page, f"scenes-{scheme}")
        tiles.nth(0).focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        expect(tiles.nth(2)).to_be_focused()
        page.keyboard.press("Enter")
        expect(rows).to_have_count(10, timeout=PATIENCE)
        page.keyboard.press("Escape")
        expect(page.locator("#scenes")).to_be_hidden()
        expect(page.locator("#add-scene")).to_be_focused()
        assert [rows.nth(7 + i).locator(".ell").inner_text() for i in range(3)] == [e["label"] for e in index[:3]]
        page.locator("#score").click()
        expect(page.locator("#lists .card[data-side=b] .val")).to_have_count(10, timeout=PATIENCE)
        expect(page.locator("#verdict")).to_contain_text("7 of 10 judged", timeout=PATIENCE)
        expect(page.locator("#foreign .abroad")).to_have_count(0)
