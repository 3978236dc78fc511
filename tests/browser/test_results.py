"""Results in the real page: five fast clicks, keys and cursor, filters, the slope, the four views, the runs before, Live."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PATIENCE, Open
from tests.browser.test_tune import field, scored

Keep = Callable[[Page, str], None]


def pressed(page: Page, doc: str, where: str = "#lists") -> list[str]:
    """The grades that are pressed for a document, one for each place it stands in."""
    return page.locator(f"{where} [data-grades-of={doc}]").evaluate_all(
        "all => all.map(p => p.querySelector('[aria-pressed=true]')?.dataset.grade ?? '')"
    )


def held(page: Page) -> dict[str, int]:
    """What the session holds, as it says itself."""
    given: dict[str, int] = json.loads(page.locator("#graded [data-given]").get_attribute("data-given") or "{}")
    return given


def pill(page: Page, doc: str, grade: int, side: str = "b") -> None:
    page.locator(f"#lists .card[data-side={side}][data-doc={doc}] [data-grade='{grade}']").click()


def test_five_fast_clicks_are_five_grades(page: Page, keep: Keep) -> None:
    scored(page)
    cached = page.locator("#verdict").inner_text()
    page.evaluate("""() => ['d1', 'd2', 'd3', 'd4', 'd5'].forEach((doc, i) =>
        document.querySelector(`#lists .card[data-side=b][data-doc=${doc}] [data-grade="${[1, 2, 1, 0, 2][i]}"]`).click())""")
    wanted = {"d1": 1, "d2": 2, "d3": 1, "d4": 0, "d5": 2}  # none of them what the scenario says
    for doc, grade in wanted.items():
        assert pressed(page, doc) == [str(grade)] * 2  # painted at once, on both sides
    page.wait_for_function(
        "wanted => { const given = JSON.parse(document.querySelector('#graded [data-given]').dataset.given);"
        "return Object.entries(wanted).every(([k, v]) => given[k] === v) }",
        arg=wanted, timeout=PATIENCE,
    )  # fmt: skip
    expect(page.locator("#verdict")).not_to_have_text(cached)
    page.evaluate("""() => {
        document.addEventListener('graded', () => { window.told = true; }, true);
        return new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
    }""")
    pill(page, "d1", 1)  # again: cleared
    assert page.evaluate("window.told")  # at once: nothing waits for an answer that has come
    expect(page.locator("#verdict [data-range]")).to_have_count(2, timeout=PATIENCE)
    expect(page.locator("#verdict")).to_contain_text("6 of 7 judged")
    assert "d1" not in held(page) and pressed(page, "d1") == ["", ""]
    keep(page, "results-range")
    page.locator("#score").click()
    scored(page)
    assert pressed(page, "d4") == ["0", "0"] and pressed(page, "d1") == ["", ""]  # a run changes no grade
    page.locator("[data-toggle=tray]").click()
    assert pressed(page, "d4", "#tray") == ["0"]


def test_keys_move_the_cursor_and_grade(page: Page, keep: Keep) -> None:
    scored(page)
    page.locator("#verdict").click(position={"x": 2, "y": 2})
    page.keyboard.press("j")
    first = page.locator("#lists .card[data-side=b]").first
    expect(first).to_be_focused()
    page.keyboard.press("j")
    second = page.locator("#lists .card[data-side=b]").nth(1)
    expect(second).to_be_focused()
    doc = second.get_attribute("data-doc") or ""
    assert page.locator(f"#lists .card.marked[data-doc={doc}]").count() == 2
    page.keyboard.press("2")
    assert pressed(page, doc) == ["2", "2"]
    page.wait_for_function("d => JSON.parse(document.querySelector('#graded [data-given]').dataset.given)[d] === 2", arg=doc)
    keep(page, "results-cursor")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(f"#lists .card[data-side=a][data-doc={doc}]")).to_be_focused()
    page.keyboard.press("x")
    assert pressed(page, doc) == ["", ""]
    page.keyboard.press("g")
    page.keyboard.press("1")  # another tab's key, no grade
    assert pressed(page, doc) == ["", ""]
    field(page, "query").focus()
    page.keyboard.press("3")
    assert pressed(page, doc) == ["", ""] and field(page, "query").input_value().endswith("3")


# A point of a line near its beginning, where no other one crosses it.
ON_LINE = """(line) => {
  const at = line.getPointAtLength(line.getTotalLength() * 0.1), to = line.getScreenCTM();
  return [at.x * to.a + to.e, at.y * to.d + to.f];
}"""


def test_filters_and_the_slope(page: Page, keep: Keep) -> None:
    scored(page)
    moved = page.locator("#lists .card[data-side=b][data-moved]").count()
    assert 0 < moved < 7
    line = page.locator("#lists .slope g.up").first
    doc = line.get_attribute("data-doc")
    x, y = line.locator(".line").evaluate(ON_LINE)
    page.mouse.click(x, y)
    expect(page.locator(f"#lists .card.marked[data-doc={doc}]")).to_have_count(2)
    page.locator("[data-show=moved]:is(button)").click()
    expect(page.locator("#lists .card[data-side=b]:visible")).to_have_count(moved)
    shown = page.locator("#lists .slope g:visible")
    expect(shown).to_have_count(moved)
    for i in range(moved):  # a line ends in the middle of its card
        name = shown.nth(i).get_attribute("data-doc")
        card = page.locator(f"#lists .card[data-side=b][data-doc={name}]").bounding_box()
        tip = shown.nth(i).locator("polygon").bounding_box()
        assert card and tip and abs(card["y"] + card["height"] / 2 - tip["y"] - tip["height"] / 2) < 2
    keep(page, "results-moved")
    page.locator("[data-show=disagree]:is(button)").click()
    odd = page.locator("#lists .card[data-side=b][data-disagree]").count()
    expect(page.locator("#lists .card[data-side=b]:visible")).to_have_count(odd)
    page.locator("[data-show=all]:is(button)").click()
    expect(page.locator("#lists .card[data-side=b]:visible")).to_have_count(7)


def test_the_spread_and_the_table(page: Page, keep: Keep) -> None:
    scored(page)
    page.locator("#result-views").get_by_role("tab", name="Grades").click()
    slider = page.get_by_label("threshold of B")
    expect(page.locator("#spread [data-threshold=b] [data-is=f1]")).to_have_text(re.compile(r"^(1|\.\d)"))
    slider.focus()
    page.keyboard.press("End")
    expect(page.locator("#spread [data-threshold=b] [data-is=above]")).to_have_text("0 / 7")
    expect(page.locator("#spread [data-threshold=b] [data-is=recall]")).to_have_text(".00")
    page.keyboard.press("Home")
    expect(page.locator("#spread [data-threshold=b] [data-is=above]")).to_have_text("7 / 7")
    page.locator("#spread [data-threshold=b] [data-best]").click()
    keep(page, "results-spread")
    page.locator("#result-views").get_by_role("tab", name="Table").click()
    rows = page.locator("#table .rows tbody tr")
    expect(rows).to_have_count(7)
    page.locator("#table [data-sort=a]").click()
    assert rows.evaluate_all("all => all.map(r => r.cells[1].dataset.v)") == [str(i) for i in range(1, 8)]
    page.locator("#table [data-sort=logit-b]").click()
    logits = [float(v) for v in rows.evaluate_all("all => all.map(r => r.cells[4].dataset.v)")]
    assert logits == sorted(logits, reverse=True)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("[data-tsv]").click()
    copied = page.evaluate("navigator.clipboard.readText()").strip().split("\n")
    assert len(copied) == 8 and copied[0].split("\t")[0] == "document" and all(len(r.split("\t")) == 8 for r in copied)
    keep(page, "results-table")


def test_noise_is_measured_and_what_is_judged_is_saved(page: Page) -> None:
    expect(page.locator("#verdict [data-measured=yes]")).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#verdict")).to_contain_text(re.compile(r"noise ±0\.\d+"))
    with page.expect_download() as waiting:
        page.locator("#verdict [data-do=add]").click()
    assert waiting.value.suggested_filename == "judged.jsonl"
    line = json.loads(waiting.value.path().read_text())
    assert line["query"] == "a red star" and len(line["documents"]) == len(line["grades"]) == 7


def test_a_run_before_is_one_click_away(page: Page, keep: Keep) -> None:
    scored(page)
    before = field(page, "instruction-b").input_value()
    order = page.locator("#lists .card[data-side=b]").evaluate_all("all => all.map(c => c.dataset.doc)")
    page.wait_for_timeout(3200)  # sooner, and it would be the same thought
    field(page, "instruction-b").fill("Only the shape matters.")
    expect(page.locator("#stale [data-stale=b]")).to_be_visible()
    page.locator("#score").click()
    scored(page)
    tiles = page.locator("#runs .tile")
    expect(tiles).to_have_count(2, timeout=PATIENCE)
    expect(tiles.nth(1)).to_have_attribute("aria-pressed", "true")
    keep(page, "results-runs")
    tiles.nth(0).click()
    expect(field(page, "instruction-b")).to_have_value(before)
    expect(tiles.nth(0)).to_have_attribute("aria-pressed", "true", timeout=PATIENCE)
    scored(page)
    assert page.locator("#lists .card[data-side=b]").evaluate_all("all => all.map(c => c.dataset.doc)") == order
    expect(page.locator("#verdict")).to_contain_text("14 of 14 remembered")
    expect(tiles).to_have_count(2)


@pytest.mark.clock
def test_live_scores_after_the_last_key(open_page: Open) -> None:
    page = open_page(live=True)
    scored(page)
    switch = page.locator("[data-live-switch]")
    expect(switch).to_have_attribute("aria-pressed", "true")
    # The machine that runs this may be too busy to be quick; what is shown here is the switch, not its speed.
    page.evaluate(
        "setInterval(() => { const said = document.querySelector('#verdict [data-ms]'); if (said) said.dataset.ms = '20' }, 50)"
    )
    page.evaluate("window.pressed = 0; document.getElementById('score').addEventListener('click', () => { window.pressed += 1 })")
    live = list[bool]()  # per request, whether it says that nobody asked for the score
    page.on("request", lambda r: live.append(r.headers.get("x-workbench-live") == "1"))
    box = field(page, "instruction-b")
    box.fill("")
    box.press_sequentially("Only the direction matters.", delay=20)
    page.wait_for_function("window.pressed > 0", timeout=PATIENCE)
    scored(page)
    assert box.input_value() == "Only the direction matters." and any(live)
    pressed = page.evaluate("window.pressed")
    page.locator("#side-b [data-do=keep]").click()  # what a click writes is followed like what is typed
    live.clear()
    page.wait_for_function(f"window.pressed > {pressed}", timeout=PATIENCE)
    scored(page)
    assert live and not any(live)  # a run of its own in the history
    switch.click()
    expect(switch).to_have_attribute("aria-pressed", "false")
    box.press_sequentially(" Or not.")
    expect(page.locator("#stale [data-stale=b]")).to_be_visible()
    pressed = page.evaluate("window.pressed")
    page.wait_for_timeout(1500)
    expect(page.locator("#stale [data-stale=b]")).to_be_visible()
    assert page.evaluate("window.pressed") == pressed


def test_results_in_the_dark_and_wide(open_page: Open, keep: Keep) -> None:
    page = open_page(1440, 900, "dark")
    scored(page)
    keep(page, "results-1440-dark")
    page.locator("#result-views").get_by_role("tab", name="Grades").click()
    keep(page, "results-spread-dark")
    page.locator("#result-views").get_by_role("tab", name="Table").click()
    keep(page, "results-table-dark")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
