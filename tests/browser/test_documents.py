"""The Documents tab in a real browser: drops, keys, fast clicks, typing that no drawing writes over, parts and their figures."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import PATIENCE, ROOT, Open

Keep = Callable[[Page, str], None]
FLIP = ROOT / "assets" / "scenarios" / "flip"
PNG, MP4 = next(FLIP.glob("*.png")), next(FLIP.glob("*.mp4"))
EXPECTED = 7  # rows of the opening scenario


@pytest.fixture
def listed(open_page: Open) -> Page:
    page = open_page(ranked=False)
    page.get_by_role("tab", name="Documents").click()
    expect(rows(page)).to_have_count(EXPECTED, timeout=PATIENCE)
    return page


def rows(page: Page) -> Locator:
    return page.locator("#rows .d-row")


def order(page: Page) -> list[str]:
    return rows(page).evaluate_all("all => all.map(r => r.dataset.row)")


def drop(page: Page, target: str, *files: tuple[str, bytes]) -> None:
    page.evaluate(
        """([target, files]) => {
          const kept = new DataTransfer();
          for (const [name, data] of files) kept.items.add(new File([Uint8Array.from(atob(data), c => c.charCodeAt(0))], name));
          document.querySelector(target).dispatchEvent(
            new DragEvent('drop', {bubbles: true, cancelable: true, dataTransfer: kept}));
        }""",
        [target, [[name, base64.b64encode(data).decode()] for name, data in files]],
    )


def test_dropped_files_become_rows_and_a_corrupt_one_says_why(listed: Page, keep: Keep) -> None:
    drop(listed, "#rows", ("new.png", PNG.read_bytes()), ("new.mp4", MP4.read_bytes()), ("cut.png", PNG.read_bytes()[:200]))
    expect(rows(listed)).to_have_count(EXPECTED + 3, timeout=PATIENCE)
    bad = listed.locator("#rows .d-row.bad")
    expect(bad).to_have_count(1)
    expect(bad.locator(".d-why")).to_contain_text("cut.png")
    expect(rows(listed).nth(EXPECTED)).to_contain_text("new.png")
    figures = rows(listed).nth(EXPECTED + 1).locator(".d-figures")
    expect(figures).to_contain_text("vision", timeout=PATIENCE)
    expect(rows(listed).nth(EXPECTED + 1).locator(".d-size")).to_contain_text("frames")
    expect(rows(listed).nth(EXPECTED)).to_contain_text("same as row")
    keep(listed, "documents")
    listed.locator("[data-do=twins]").click()
    expect(listed.locator("#rows .d-twin")).to_have_count(0, timeout=PATIENCE)
    listed.get_by_role("tab", name="Tune").click()  # the tray shows the same rows
    count = len(listed.locator("#rows .d-row").all()) or EXPECTED
    expect(listed.locator("#tray .doc-row.bad")).to_have_count(1, timeout=PATIENCE)
    assert listed.locator("#tray .doc-row").count() >= count


def test_rows_move_by_keys_and_by_the_mouse(listed: Page) -> None:
    before = order(listed)
    row = rows(listed).first
    row.focus()
    listed.keyboard.press("Alt+ArrowDown")
    listed.keyboard.press("Alt+ArrowDown")
    wanted = [before[1], before[2], before[0], *before[3:]]
    expect(rows(listed).nth(2)).to_have_attribute("data-row", before[0], timeout=PATIENCE)
    assert order(listed) == wanted
    expect(rows(listed).nth(2)).to_be_focused()
    listed.keyboard.press("Alt+ArrowUp")
    expect(rows(listed).nth(1)).to_have_attribute("data-row", before[0], timeout=PATIENCE)
    listed.locator("[data-do=undo]").click()
    expect(rows(listed).nth(2)).to_have_attribute("data-row", before[0], timeout=PATIENCE)
    rows(listed).nth(2).hover()
    rows(listed).nth(2).locator(".d-handle").drag_to(rows(listed).first, target_position={"x": 60, "y": 4})
    expect(rows(listed).first).to_have_attribute("data-row", before[0], timeout=PATIENCE)
    assert order(listed) == before


def test_five_fast_deletes_are_five_deletions(listed: Page) -> None:
    before = order(listed)
    listed.evaluate(
        "() => [...document.querySelectorAll('#rows [data-do=remove]')].slice(1, 6).forEach(button => button.click())"
    )
    expect(rows(listed)).to_have_count(EXPECTED - 5, timeout=PATIENCE)
    assert order(listed) == [before[0], before[6]]
    for _ in range(5):
        listed.locator("[data-do=undo]").click()
    expect(rows(listed)).to_have_count(EXPECTED, timeout=PATIENCE)
    assert order(listed) == before


def test_rows_are_chosen_and_deleted_together(listed: Page) -> None:
    before = order(listed)
    rows(listed).nth(1).locator(".d-no").click()
    rows(listed).nth(3).locator(".d-no").click(modifiers=["Shift"])
    rows(listed).nth(5).locator(".d-no").click(modifiers=["Control"])
    expect(listed.locator(".d-chosen")).to_contain_text("4 selected")
    listed.locator("[data-chosen-do=remove]").click()
    expect(rows(listed)).to_have_count(3, timeout=PATIENCE)
    assert order(listed) == [before[0], before[4], before[6]]
    listed.locator("[data-do=clear]").click()
    expect(listed.locator(".d-empty")).to_be_visible(timeout=PATIENCE)
    listed.keyboard.press("Control+z")
    expect(rows(listed)).to_have_count(3, timeout=PATIENCE)


def test_what_is_typed_is_never_written_over(listed: Page) -> None:
    """Rows are drawn anew while a caption is typed: the caption, the caret and the focus stay."""
    box = rows(listed).first.locator("textarea")
    box.focus()
    wanted = "a caption that is typed while rows go"
    last = listed.evaluate("() => [...document.querySelectorAll('#rows [data-do=remove]')].slice(-3).map(b => b.dataset.id)")
    for i, letter in enumerate(wanted):
        listed.keyboard.type(letter)
        if i in (5, 15, 25):
            listed.evaluate(f"() => document.querySelector('#rows [data-do=remove][data-id=\"{last.pop()}\"]').click()")
            listed.wait_for_timeout(400)
    expect(rows(listed)).to_have_count(EXPECTED - 3, timeout=PATIENCE)
    expect(rows(listed).first.locator("textarea")).to_have_value(wanted)
    expect(rows(listed).first.locator("textarea")).to_be_focused()
    expect(rows(listed).first.locator(".d-figures")).not_to_contain_text(re.compile(r"^11 tokens"), timeout=PATIENCE)
    listed.get_by_role("tab", name="Tune").click()
    expect(listed.locator("#tray .doc-row").first).to_contain_text(wanted[:20], timeout=PATIENCE)
    expect(listed.locator("#stale")).to_contain_text("A and B changed since", timeout=PATIENCE)


def test_a_text_stays_with_its_row(listed: Page) -> None:
    """Gradio patches what it draws in place: a field that was typed in may not become another row's."""
    boxes = rows(listed).filter(has_not=listed.locator(".th")).locator("textarea")
    boxes.first.fill("written into the first text")
    rows(listed).first.locator("[data-do=remove]").click()
    expect(rows(listed)).to_have_count(EXPECTED - 1, timeout=PATIENCE)
    expect(boxes.first).to_have_value("written into the first text")
    assert [box.input_value() for box in boxes.all()].count("written into the first text") == 1
    assert rows(listed).first.locator("textarea").input_value() == ""


def test_a_row_is_built_from_parts_and_a_clip_says_how_it_is_sampled(listed: Page, tmp_path: Path, keep: Keep) -> None:
    clip = rows(listed).filter(has=listed.locator(".th-clip"))
    name = clip.get_attribute("data-row")
    expect(clip.locator(".d-size")).to_contain_text("4 frames", timeout=PATIENCE)
    clip.hover()
    clip.locator("[data-own=frames]").fill("2")
    clip.locator("[data-own=frames]").press("Tab")
    expect(listed.locator(f"#rows [data-row='{name}'] .d-size")).to_contain_text("2 frames", timeout=PATIENCE)
    row = listed.locator(f"#rows [data-row='{name}']")
    row.hover()
    with listed.expect_file_chooser() as chosen:
        row.locator("[data-pick=part]").click()
    chosen.value.set_files(PNG)
    expect(row.locator(".d-media")).to_have_count(2, timeout=PATIENCE)
    row.locator("textarea").fill("clip and picture")
    expect(row.locator(".d-size").nth(1)).to_contain_text("vision", timeout=PATIENCE)
    row.locator("[data-do=part-step][data-by='1']").first.click()
    expect(row.locator(".d-part").first.locator(".th-clip")).to_have_count(0, timeout=PATIENCE)
    expect(row.locator(".d-part").nth(1).locator(".th-clip")).to_have_count(1)
    keep(listed, "documents-parts")
    listed.get_by_role("tab", name="Tune").click()
    expect(listed.locator("#tray .th-more")).to_have_text("+1", timeout=PATIENCE)


DROP_FOLDER = """([target, picture]) => {
  const bytes = Uint8Array.from(atob(picture), c => c.charCodeAt(0));
  const file = (name, ...parts) => ({isFile: true, isDirectory: false, file: (done) => done(new File(parts, name))});
  const folder = (...batches) => ({isFile: false, isDirectory: true, createReader: () => {
    const left = [...batches];  // a browser hands a folder out in parts, and at the end an empty one
    return {readEntries: (done) => done(left.shift() ?? [])};
  }});
  const below = folder([file('b.png', bytes)], [file('c.txt', 'one text\\nof two lines')]);
  const whole = folder([file('a.txt', 'first'), below], [file('.DS_Store', 'x')]);
  DataTransferItem.prototype.webkitGetAsEntry = () => whole;
  const kept = new DataTransfer();
  kept.items.add(new File([], 'folder'));
  document.querySelector(target).dispatchEvent(new DragEvent('drop', {bubbles: true, cancelable: true, dataTransfer: kept}));
}"""


def test_a_dropped_folder_becomes_rows_by_name(listed: Page) -> None:
    listed.evaluate(DROP_FOLDER, ["#rows", base64.b64encode(PNG.read_bytes()).decode()])
    expect(rows(listed)).to_have_count(EXPECTED + 3, timeout=PATIENCE)
    expect(rows(listed).nth(EXPECTED).locator("textarea")).to_have_value("first")
    expect(rows(listed).nth(EXPECTED + 1)).to_contain_text("b.png")
    expect(rows(listed).nth(EXPECTED + 2).locator("textarea")).to_have_value("one text\nof two lines")
    expect(listed.locator("#rows-said")).to_contain_text("1 hidden file left out")
    expect(listed.locator("#rows .d-row.bad")).to_have_count(0)
    listed.get_by_role("tab", name="Tune").click()
    expect(listed.locator("#tray .doc-row")).to_have_count(EXPECTED + 3, timeout=PATIENCE)
    listed.evaluate(DROP_FOLDER, ["#tray", base64.b64encode(PNG.read_bytes()).decode()])
    expect(listed.locator("#tray .doc-row")).to_have_count(EXPECTED + 7, timeout=PATIENCE)  # here each line is a document


def test_text_pasted_anywhere_becomes_rows(listed: Page) -> None:
    listed.evaluate(
        """() => {
          const kept = new DataTransfer();
          kept.setData('text/plain', 'id,text,grade\\n1,"one, with a comma",3\\n2,two,0');
          document.body.dispatchEvent(new ClipboardEvent('paste', {bubbles: true, cancelable: true, clipboardData: kept}));
        }"""
    )
    expect(rows(listed)).to_have_count(EXPECTED + 2, timeout=PATIENCE)
    expect(rows(listed).nth(EXPECTED).locator("textarea")).to_have_value("one, with a comma")
    expect(rows(listed).nth(EXPECTED).locator(".grade.on")).to_have_text("3")
    expect(listed.locator("#rows-said")).to_contain_text("2 documents")
