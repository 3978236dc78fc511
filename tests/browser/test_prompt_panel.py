"""The prompt panel in a real browser: its views while typing, tokens under the pointer, the room on the page, input methods."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import PATIENCE, Open

Keep = Callable[[Page, str], None]
VIEWS = ("tokens", "diff", "budget", "prompt")


def field(page: Page, name: str) -> Locator:
    return page.locator(f"#{name} textarea, #{name} input").first


def turn(page: Page, view: str) -> None:
    page.locator(f"#preview-head [data-tab={view}]").click()
    expect(page.locator(f"#preview-head .views[data-view={view}]")).to_be_visible(timeout=PATIENCE)


def inside(page: Page, selector: str, at: int = 0) -> None:
    box = page.locator(selector).nth(at).bounding_box()
    assert box and box["y"] >= 0 and box["y"] + box["height"] <= 720, selector


def test_fast_typing_ends_in_its_own_text_in_every_view(page: Page, keep: Keep) -> None:
    box = field(page, "instruction-b")
    for view, where in (
        ("tokens", "#prompt section[data-side=b] .chips"),
        ("diff", "#prompt .level .line .of-b .mono"),
    ):
        turn(page, view)
        box.fill("")
        wanted = f"{view}: what moves to the left counts, ok?!!"[:40]
        box.press_sequentially(wanted, delay=30)
        assert box.input_value() == wanted
        words = wanted.replace(" ", "·") if view == "tokens" else wanted
        page.wait_for_function(
            "([where, wanted]) => [...document.querySelectorAll(where)].map(e => e.textContent).join('')"
            ".replaceAll('·', ' ').includes(wanted.replaceAll('·', ' ').trim())",
            arg=[where, words], timeout=PATIENCE,
        )  # fmt: skip
    turn(page, "budget")
    box.fill("")
    box.press_sequentially("a much longer instruction than before it", delay=30)
    turn(page, "prompt")
    expect(page.locator(".prompt .instruction")).to_have_text("a much longer instruction than before it")
    total = page.locator("#head-b .tokens").get_attribute("data-tokens")
    turn(page, "budget")
    expect(page.locator("#prompt .fill-row").first.locator(".fill").nth(1).locator(".of b")).to_have_text(str(total))
    keep(page, "budget")


def test_a_token_tells_its_id_and_lights_its_twin(page: Page, keep: Keep) -> None:
    turn(page, "tokens")
    chip = page.locator("#prompt section[data-side=b] .t.query").first
    chip.hover()
    line = page.locator("#prompt .pointed .about")
    expect(line).to_contain_text(f"B token {chip.get_attribute('data-i')} id {chip.get_attribute('data-n')}")
    twin = page.locator("#prompt section[data-side=a] .t.twin")
    expect(twin).to_have_text(chip.inner_text())
    assert twin.get_attribute("data-n") == chip.get_attribute("data-n")
    page.locator("#prompt .toks").focus()
    page.keyboard.press("Home")
    expect(line).to_contain_text("A token 0")
    page.keyboard.press("ArrowRight")
    expect(line).to_contain_text("A token 1")
    expect(page.locator("#prompt .here")).to_have_count(2)
    keep(page, "tokens")
    field(page, "query").fill("a 🙂 star")
    smile = page.locator("#prompt section[data-side=b] .t.query", has_text="🙂")
    expect(smile).to_have_count(1)
    assert len((smile.get_attribute("data-n") or "").split()) == int(smile.get_attribute("data-m") or 0) > 1
    assert "\ufffd" not in page.locator("#prompt").inner_text()


def test_the_switches_keep_the_focus_and_order_the_documents(page: Page) -> None:
    page.locator("#preview-head [data-tab=diff]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#prompt .diff")).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#preview-head [data-tab=diff]")).to_be_focused()
    page.locator("#preview-head [data-do=order]").click()
    expect(page.locator("#preview-head [data-do=order]")).to_have_attribute("aria-pressed", "true")
    first = page.locator("#preview-head .ell").inner_text()
    climbs = page.locator("#lists .card[data-side=b]:has(.mv)").evaluate_all(
        "all => all.map(c => [+c.querySelector('.mv').textContent.slice(1), c.querySelector('.ell').textContent])"
    )
    most = max(n for n, _ in climbs)
    assert first in [label for n, label in climbs if n == most]


def test_the_loop_fits_and_the_room_moves(page: Page, keep: Keep) -> None:
    for name in ("#query", "#instruction-a", "#instruction-b", "#verdict"):
        inside(page, name)
    for side in "ab":
        inside(page, f"#template-{side} .cm-line", 5)  # six lines
        inside(page, f"#lists .card[data-side={side}]", 1)  # two cards
        line = page.locator(f"#template-{side} .cm-line").nth(5).bounding_box()
        editor = page.locator(f"#template-{side} .cm-scroller").bounding_box()
        assert line and editor and line["y"] + line["height"] <= editor["y"] + editor["height"]
    prompt = page.locator("#prompt .prompt").bounding_box()
    assert prompt and prompt["height"] >= 3 * 20
    page.locator(".rooms [data-room=ranking]").click()
    expect(page.locator("#template-b")).to_be_hidden()
    expect(page.locator("#prompt")).to_be_hidden()
    for name in ("#head-a", "#lint-a", "#head-b .tokens", "#preview-head"):
        expect(page.locator(name)).to_be_visible()
    box = page.locator("#side-a").bounding_box()
    assert box and box["height"] < 40  # one line
    inside(page, "#lists .card[data-side=b]", 6)
    page.reload()
    expect(page.locator("#lists .card[data-side=b]")).to_have_count(7, timeout=PATIENCE)
    expect(page.locator("#template-b")).to_be_hidden()  # remembered
    field(page, "query").fill("a star")
    expect(page.locator("#lint-b")).to_contain_text("renders")
    page.locator(".rooms [data-room=template]").click()
    expect(page.locator("#prompt .toks")).to_be_visible(timeout=PATIENCE)
    editor = page.locator("#template-b .cm-scroller").bounding_box()
    assert editor and editor["height"] > 300
    # in Ranking, what breaks unfolds, and folds again when it is mended
    page.locator("#template-b .cm-line").nth(2).click()
    page.keyboard.press("Home")
    page.keyboard.insert_text("{% if %}")
    expect(page.locator("#lint-b .error")).to_be_visible(timeout=PATIENCE)
    page.locator(".rooms [data-room=ranking]").click()
    expect(page.locator("#template-b")).to_be_visible()
    expect(page.locator("#template-a")).to_be_hidden()
    page.locator("#template-b .cm-content").click()
    page.keyboard.press("Control+z")
    expect(page.locator("#template-b")).to_be_hidden(timeout=PATIENCE)
    # a last token that is not the other side's unfolds both
    page.locator(".rooms [data-room=balanced]").click()
    page.locator("#template-b .cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.insert_text("{{- 'x' -}}")
    expect(page.locator("#preview-head [data-tail]")).to_be_visible(timeout=PATIENCE)
    page.locator(".rooms [data-room=ranking]").click()
    for name in ("#template-a", "#template-b", "#prompt"):
        expect(page.locator(name)).to_be_visible()
    keep(page, "room-tail")


def test_an_update_leaves_the_page_where_it_was_scrolled(page: Page) -> None:
    page.evaluate("scrollTo(0, 150)")
    page.wait_for_timeout(200)
    before = page.evaluate("scrollY")
    assert before > 100
    page.locator("#instruction-b textarea").evaluate(
        "e => { e.value = 'What is red'; e.dispatchEvent(new Event('input', {bubbles: true})); }"
    )
    expect(page.locator("#stale [data-stale=b]")).to_have_count(1, timeout=PATIENCE)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#stale [data-stale]")).to_have_count(0, timeout=PATIENCE)
    assert abs(page.evaluate("scrollY") - before) <= 2


@pytest.mark.parametrize("width", [640])
def test_at_200_percent_nothing_sticks_out(open_page: Open, width: int) -> None:
    """640 CSS pixels are a page of 1280 at 200 %."""
    page = open_page(width, 450)
    for view in VIEWS:
        turn(page, view)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view
    expect(page.locator("#lists .slope")).to_be_hidden()
    a, b = (page.locator(f"#side-{s}").bounding_box() for s in "ab")
    assert a and b and b["y"] >= a["y"] + a["height"]


def compose(page: Page, *texts: str) -> None:
    """As an input method does it: the text changes while it is composed."""
    session = page.context.new_cdp_session(page)
    for text in texts:
        session.send("Input.imeSetComposition", {"text": text, "selectionStart": len(text), "selectionEnd": len(text)})
        page.wait_for_timeout(250)


def commit(page: Page, text: str) -> None:
    page.context.new_cdp_session(page).send("Input.insertText", {"text": text})


def test_composition_triggers_nothing_until_it_ends(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda r: asked.append(r.url) if r.method == "POST" else None)
    box = field(page, "instruction-b")
    box.fill("")
    expect(page.locator("#stale [data-stale=b]")).to_be_visible(timeout=PATIENCE)
    page.wait_for_timeout(1500)
    box.focus()
    asked.clear()
    compose(page, "h", "ho", "hong", "红")
    assert asked == [] and box.input_value() == "红"
    commit(page, "红色")
    expect(page.locator(".prompt .instruction")).to_have_text("红色", timeout=PATIENCE)
    assert box.input_value() == "红色"
    page.locator("#template-b .cm-line", has_text="<Instruct>").click()
    page.keyboard.press("Home")
    page.wait_for_timeout(1000)
    asked.clear()
    compose(page, "x", "xi", "xing")
    assert asked == []
    commit(page, "星")
    expect(page.locator("#prompt")).to_contain_text("星", timeout=PATIENCE)
