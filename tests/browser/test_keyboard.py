"""The whole loop without a mouse: instruction, score, cards, grades, keep, export; and the sheet that lists the keys."""

from __future__ import annotations

import re
import zipfile

from playwright.sync_api import Page, expect

from tests.browser.conftest import PATIENCE, Open

MOST = 120  # presses of Tab from one end of the page to the other


def tab_to(page: Page, selector: str, key: str = "Tab") -> int:
    """Presses Tab until the focus is there; how often."""
    for pressed in range(MOST):
        if page.evaluate("(s) => Boolean(document.activeElement?.closest(s))", selector):
            return pressed
        page.keyboard.press(key)
    raise AssertionError(f"Tab never reaches {selector}")


def scored(page: Page) -> None:
    expect(page.locator("#stale [data-stale]")).to_have_count(0, timeout=PATIENCE)
    expect(page.locator("#verdict .run")).to_have_count(0, timeout=PATIENCE)


def test_the_loop_needs_no_mouse(page: Page) -> None:
    keys = page.keyboard
    tab_to(page, "#instruction-b")
    keys.press("ControlOrMeta+a")
    keys.type("Only the colour counts.")
    expect(page.locator("#stale [data-stale=b]")).to_be_visible()
    keys.press("ControlOrMeta+Enter")
    scored(page)
    assert page.locator("#instruction-b textarea, #instruction-b input").first.input_value() == "Only the colour counts."

    keys.press("Escape")  # letters are keys again
    keys.press("j")
    first = page.locator("#lists .card[data-side=b]").first
    expect(first).to_be_focused()
    keys.press("j")
    second = page.locator("#lists .card[data-side=b]").nth(1)
    expect(second).to_be_focused()
    keys.press("k")
    expect(first).to_be_focused()
    keys.press("2")
    expect(first.locator("[data-grade='2']")).to_have_attribute("aria-pressed", "true")
    keys.press("3")
    expect(first.locator("[data-grade='3']")).to_have_attribute("aria-pressed", "true")

    keys.press("ControlOrMeta+Shift+Enter")
    expect(page.locator("#instruction-a textarea, #instruction-a input").first).to_have_value("Only the colour counts.")

    tabs = page.locator("#tabs > .tab-wrapper .tab-container:not(.visually-hidden) [role=tab]")
    names = tabs.all_inner_texts()
    keys.press("g")
    keys.press(str(names.index("Export") + 1))
    expect(page.locator("#export-check")).to_be_visible()
    tab_to(page, "#export-check")
    keys.press("Enter")
    expect(page.locator("#export-files .targets")).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#export-zip")).to_be_enabled(timeout=PATIENCE)
    tab_to(page, "#export-zip")
    with page.expect_download() as download:
        keys.press("Enter")
    assert "template.jinja" in zipfile.ZipFile(download.value.path()).namelist()


def test_the_sheet_lists_the_keys_and_gives_the_focus_back(page: Page) -> None:
    keys = page.keyboard
    tab_to(page, "#score")
    keys.press("?")
    sheet = page.locator("dialog#keys")
    expect(sheet).to_be_visible()
    for key in ("Ctrl", "Enter", "g", "j", "k", "0", "3", "d", "/", "?"):
        assert key in sheet.locator("kbd").all_inner_texts() or key == "Ctrl"
    keys.press("j")  # the page behind it hears nothing
    expect(page.locator("#lists .card:focus")).to_have_count(0)
    keys.press("Escape")
    expect(sheet).to_be_hidden()
    expect(page.locator("#score")).to_be_focused()
    page.locator("[data-keys]").click()
    expect(sheet).to_be_visible()
    sheet.get_by_role("button").click()
    expect(sheet).to_be_hidden()


def test_letters_are_letters_while_typing(page: Page) -> None:
    box = page.locator("#query textarea, #query input").first
    box.fill("")
    box.press_sequentially("dg1?/j3")
    assert box.input_value() == "dg1?/j3"
    expect(page.locator("dialog#keys")).to_have_count(0)
    expect(page.locator("#preview-head .views[data-view=prompt]")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    expect(page.locator("#preview-head .views[data-view=diff]")).to_be_visible()
    page.keyboard.press("d")
    expect(page.locator("#preview-head .views[data-view=prompt]")).to_be_visible()
    page.keyboard.press("/")
    expect(page.locator("#show [aria-pressed=true]")).to_be_focused()


FOCUSED = """() => {
  const e = document.activeElement;
  if (!e || e === document.body) return null;
  const box = e.getBoundingClientRect(), style = getComputedStyle(e);
  const seen = (s) => s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0 || s.boxShadow !== 'none';
  const around = e.closest('.wrap,.cm-editor,label,.block,.sheet,li,span,div');
  const inside = [...e.parentElement.children].some((child) => seen(getComputedStyle(child)));
  const name = e.getAttribute('aria-label') || e.textContent.trim() || e.title ||
    e.labels?.[0]?.textContent.trim() || e.placeholder || e.alt;
  return {what: `${e.tagName}#${e.id || e.closest('[id]')?.id}.${e.className.baseVal ?? e.className}`.slice(0, 110),
    drawn: seen(style) || inside || (around && seen(getComputedStyle(around))) || e.matches('input,textarea,.cm-content'),
    named: Boolean(name), there: box.width > 0 && box.height > 0, top: box.top + scrollY};
}"""


def walk(page: Page) -> list[dict[str, object]]:
    """Every stop of Tab over the page, until it comes to the first one again."""
    page.evaluate("document.activeElement?.blur()")
    stops: list[dict[str, object]] = []
    for _ in range(MOST):
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUSED)
        if stop is None:
            continue
        if stops and stop["what"] == stops[0]["what"]:
            return stops
        stops.append(stop)
    raise AssertionError(f"a trap: Tab never comes round, {[s['what'] for s in stops[-3:]]}")


def test_tab_walks_over_everything_and_shows_where_it_is(page: Page) -> None:
    stops = walk(page)
    assert len(stops) > 40
    assert not [s["what"] for s in stops if not s["drawn"]], "the focus is not seen there"
    assert not [s["what"] for s in stops if not s["named"]], "a reader of the screen hears nothing there"
    assert any("template-b" in str(s["what"]) for s in stops) and any("card" in str(s["what"]) for s in stops)


def test_nothing_sticks_out_at_twice_the_size(open_page: Open) -> None:
    """640 pixels are 1280 at 200 %: no tab scrolls sideways, in neither language."""
    for at, moved in (("", "moved"), ("/?lang=zh", re.compile("名次有变"))):
        page = open_page(640, 720, at=at, moved=moved)
        tabs = page.locator("#tabs > .tab-wrapper .tab-container:not(.visually-hidden) [role=tab]")
        for i in range(tabs.count()):
            found = "#tabs > .tab-wrapper .tab-container:not(.visually-hidden) [role=tab]"
            page.evaluate(f"(i) => document.querySelectorAll('{found}')[i].click()", i)
            page.wait_for_timeout(800)
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, f"tab {i} {at}: {wide} pixels too wide"
