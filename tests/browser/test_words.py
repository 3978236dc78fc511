"""The page in Chinese: nothing of ours is left in English, nothing foreign is touched, and the way back is exact."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PATIENCE, ROOT, Open, opened_pages

CATALOG: dict[str, str] = json.loads((ROOT / "assets" / "words.zh.json").read_text(encoding="utf-8"))
Keep = Callable[[Page, str], None]
TABS = "#tabs > .tab-wrapper .tab-container:not(.visually-hidden) [role=tab]"
FOREIGN = ("Score", "3 of 9 moved", "is empty. Add it again.", "no documents")
# Names of products, formats, files and keys, which both languages share.
SHARED = re.compile(r"Rerank Workbench|JSON lines|token ids|curl|Qwen/\S+|Ctrl\+\S+|Alt\+\S+|Shift\+\S+|[\w-]+\.\w{2,5}\b"
                    r"|--\w+ [A-Z]+")  # fmt: skip
TWO_WORDS = re.compile(r"[A-Za-z]{2,} [A-Za-z]{2,}")
VISIBLE_TEXT = """() => {
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode, parent = node.parentElement;
    if (parent.closest('script,style,textarea,select,code,pre,kbd,title,[contenteditable],.cm-editor,[role=listbox]')) continue;
    if (parent.closest('[translate]')?.getAttribute('translate') === 'no' || !parent.checkVisibility()) continue;
    if (node.nodeValue.trim()) found.push(node.nodeValue.trim());
  }
  return found;
}"""
EVERYTHING = """() => {
  const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const not = 'script,style,[data-language-switch],#verdict,.tile,.announcer';
    if (!walk.currentNode.parentElement.closest(not)) found.push(walk.currentNode.nodeValue);
  }
  for (const one of document.querySelectorAll('[title],[aria-label],[placeholder]'))
    if (!one.closest('#verdict')) found.push(one.title, one.getAttribute('aria-label'), one.getAttribute('placeholder'));
  return found.filter((text) => text?.trim());
}"""


def english(page: Page) -> list[str]:
    """Texts of ours that still hold two English words in a row."""
    return [text for text in page.evaluate(VISIBLE_TEXT) if TWO_WORDS.search(SHARED.sub("", text))]


@pytest.fixture
def chinese(browser: Browser, address: str) -> Iterator[Page]:
    """The page as `?lang=zh` opens it."""
    with opened_pages(browser, address) as opened:
        page = opened(at="/?lang=zh", moved="名次有变")
        yield page


def test_every_tab_is_chinese(chinese: Page, keep: Keep) -> None:
    page = chinese
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    assert english(page) == []
    keep(page, "tune-zh")
    for view in ("tokens", "diff", "budget", "prompt"):
        page.locator(f"#preview-head [data-tab={view}]").click()
        expect(page.locator(f"#preview-head .views[data-view={view}]")).to_be_visible()
        page.wait_for_timeout(300)
        assert english(page) == [], view
    for i in range(page.locator("#results [role=tab]:visible").count()):
        page.locator("#results [role=tab]:visible").nth(i).click()
        page.wait_for_timeout(300)
        assert english(page) == [], f"view {i} of the results"
    page.locator("#results [role=tab]:visible").first.click()
    page.locator("#lists .card .what").first.click()
    expect(page.locator("#inspector .pair")).to_have_count(2, timeout=PATIENCE)
    assert english(page) == [], "inspector"
    page.keyboard.press("Escape")
    for i in range(1, page.locator(TABS).count()):
        page.locator(TABS).nth(i).click()
        page.wait_for_timeout(1500)
        assert english(page) == [], f"tab {i}"
        keep(page, f"tab-{i}-zh")


def test_what_goes_wrong_is_said_in_chinese(chinese: Page) -> None:
    page = chinese
    page.locator("#template-b .cm-line").nth(2).click()
    page.keyboard.press("Home")
    page.keyboard.insert_text("{% if %}")
    expect(page.locator("#lint-b")).to_contain_text("模板无法渲染")
    assert english(page) == []
    page.locator("#score").click()
    expect(page.locator("#lists .card.failed[data-side=b]")).to_have_count(7, timeout=PATIENCE)
    expect(page.locator("#verdict .run")).to_have_count(0, timeout=PATIENCE)
    page.keyboard.press("Control+z")
    page.locator("#model input").fill("nobody/no-such-reranker")
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_contain_text("nobody/no-such-reranker：", timeout=PATIENCE)
    files = [{"name": "broken.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\nnothing"}]
    page.locator("#documents input[type=file]").set_input_files(files)  # type: ignore[arg-type]
    expect(page.locator("#tray .doc-row")).to_have_count(8, timeout=PATIENCE)
    page.locator(TABS).nth(1).click()
    expect(page.locator("#documents-tab .d-why")).to_contain_text(re.compile(r"broken\.png：.*[\u4e00-\u9fff]"), timeout=PATIENCE)


def test_foreign_text_stays_as_it_is(chinese: Page) -> None:
    """A document, a query and an instruction that happen to be words of ours."""
    page = chinese
    page.locator("[data-toggle=paste]").click()
    rows = [{"text": text} for text in FOREIGN]
    page.locator("#paste textarea").fill(json.dumps({"query": FOREIGN[0], "documents": [r["text"] for r in rows]}))
    page.locator("#paste-go").click()
    expect(page.locator("#tray .doc-row")).to_have_count(len(FOREIGN), timeout=PATIENCE)
    page.locator("#instruction-b textarea, #instruction-b input").first.fill(FOREIGN[1])
    page.locator("#score").click()
    expect(page.locator("#lists .card[data-side=b]")).to_have_count(len(FOREIGN), timeout=PATIENCE)
    expect(page.locator("#verdict .run")).to_have_count(0, timeout=PATIENCE)
    for side in "ab":
        shown = page.locator(f"#lists .card[data-side={side}] .what .ell").all_inner_texts()
        assert sorted(shown) == sorted(FOREIGN)
    expect(page.locator(".prompt .instruction")).to_have_text(FOREIGN[1])
    expect(page.locator(".prompt .query")).to_have_text(FOREIGN[0])
    assert page.locator("#query textarea, #query input").first.input_value() == FOREIGN[0]
    for view in ("tokens", "diff", "budget"):
        page.locator(f"#preview-head [data-tab={view}]").click()
        page.wait_for_timeout(500)
    labels = page.locator("#prompt .fill-row button.ell")
    expect(labels).to_have_count(len(FOREIGN), timeout=PATIENCE)
    assert labels.all_inner_texts() == list(FOREIGN)
    page.locator(TABS).nth(1).click()
    boxes = page.locator("#documents-tab [data-row] textarea")
    expect(boxes).to_have_count(len(FOREIGN), timeout=PATIENCE)
    assert [boxes.nth(i).input_value() for i in range(len(FOREIGN))] == list(FOREIGN)


def test_menus_of_ours_are_chinese_and_still_choose(chinese: Page) -> None:
    page = chinese
    field = page.locator("#scenario input")
    expect(field).to_have_value(CATALOG["Flip: one detail or all of them"])
    expect(page.locator("#target input")).to_have_value(CATALOG["as the reference"])
    titles = {json.loads(p.read_text(encoding="utf-8"))["title"] for p in (ROOT / "assets" / "scenarios").glob("*.json")}
    field.click()
    entries = page.locator("#scenario [role=option]")
    expect(entries).to_have_count(len(titles))
    drawn = [text.replace("✓", "").strip() for text in entries.all_inner_texts()]
    assert set(drawn) == {CATALOG[title] for title in titles}
    entries.filter(has_text=CATALOG["Motion: what moves left"]).click()
    expect(page.locator("#query textarea, #query input").first).to_have_value("a blue star moving left", timeout=PATIENCE)
    expect(field).to_have_value(CATALOG["Motion: what moves left"])
    page.locator("[data-language-switch]").click()
    expect(field).to_have_value("Motion: what moves left")
    expect(page.locator("#model input")).not_to_have_value("")


def test_hints_of_ours_on_foreign_text_are_chinese(chinese: Page) -> None:
    page = chinese
    tail = page.locator("#prompt .tail")
    expect(tail).to_have_attribute("title", CATALOG["the last ids"])
    for field in ("query", "paste", "history-find"):
        hint = page.locator(f"#{field} :is(textarea, input)").first
        assert hint.count() == 0 or re.search(r"[\u4e00-\u9fff]", hint.get_attribute("placeholder") or ""), field
    page.locator("[data-language-switch]").click()
    expect(tail).to_have_attribute("title", "the last ids")


def test_the_switch_is_remembered_and_exact(open_page: Open) -> None:
    page = open_page()
    page.wait_for_timeout(1500)
    before = page.evaluate(EVERYTHING)
    switch = page.locator("[data-language-switch]")
    switch.click()
    expect(switch).to_have_text("English")
    expect(page.locator("#score")).to_contain_text("打分")
    page.reload()
    expect(page.locator("#score")).to_contain_text("打分", timeout=PATIENCE)
    expect(page.locator("#verdict")).to_contain_text("名次有变", timeout=PATIENCE)
    page.wait_for_timeout(1500)
    switch.click()
    expect(page.locator("#score")).to_contain_text("Score")
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.evaluate(EVERYTHING) == before


DRAW = """async (on) => {
  let list = document.getElementById('two-hundred');
  if (!list) {
    list = Object.assign(document.createElement('ol'), {id: 'two-hundred'});
    document.querySelector('#lists .res').append(list);
  }
  const card = document.querySelector('#lists .card').outerHTML, round = Math.random();
  const html = Array.from({length: 200}, (_, i) => card.replace(/logit [-\\d.]+/, `logit ${round}.${i}`)
    .replace('</li>', '<span>not scored yet</span></li>')).join('');
  list.translate = on;
  list.innerHTML = html;
  await Promise.resolve();
  return list.textContent.includes('尚未打分');
}"""


def test_a_redraw_of_two_hundred_cards_is_cheap(chinese: Page) -> None:
    """What translating adds to drawing them, in time of the processor: others may be at work on this machine."""
    spent = chinese.context.new_cdp_session(chinese)
    spent.send("Performance.enable", {"timeDomain": "threadTicks"})

    def task_ms(on: bool) -> float:
        before, translated = now(), chinese.evaluate(DRAW, on)
        assert translated is on
        return now() - before

    def now() -> float:
        metrics = spent.send("Performance.getMetrics")["metrics"]
        return 1000 * next(float(m["value"]) for m in metrics if m["name"] == "ScriptDuration")

    added = [task_ms(True) - task_ms(False) for _ in range(9)]
    assert min(added) < 15, added
