"""What a new user does, read off the rendered page: it opens ranked, typing shows, Ctrl+Enter scores, Stop stops."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import ARTIFACTS, PATIENCE, ROOT, Open

Keep = Callable[[Page, str], None]


def ranks(page: Page, side: str) -> list[str]:
    return page.locator(f"#lists .card[data-side={side}]").evaluate_all("cards => cards.map(c => c.dataset.doc)")


def source(page: Page, side: str) -> str:
    lines = page.locator(f"#template-{side} .cm-line").all_text_contents()
    return "\n".join(lines)


def scored(page: Page) -> None:
    """Waits until what is shown is what the fields say."""
    expect(page.locator("#stale [data-stale]")).to_have_count(0, timeout=PATIENCE)
    expect(page.locator("#verdict .run")).to_have_count(0, timeout=PATIENCE)


def field(page: Page, name: str) -> Locator:
    return page.locator(f"#{name} textarea, #{name} input").first


def test_it_opens_on_a_ranked_scenario(page: Page, keep: Keep) -> None:
    assert field(page, "query").input_value() == "a red star"
    expect(page.locator("#look")).to_contain_text("anything red")
    assert field(page, "instruction-a").input_value() != field(page, "instruction-b").input_value() != ""
    for side in "ab":
        assert sorted(ranks(page, side)) == [f"d{i}" for i in range(1, 8)]
        assert page.locator(f"#lists .card[data-side={side}]").evaluate_all(
            "cards => cards.map(c => c.dataset.rank)"
        ) == [str(i) for i in range(1, 8)]
    pictures = page.locator("#lists .card .th img")
    assert pictures.count() == 10  # four pictures and a clip on each side
    assert all(pictures.evaluate_all("all => all.map(i => i.complete && i.naturalWidth > 0)"))
    assert page.locator("#lists .strip img").first.evaluate("i => getComputedStyle(i).animationName") == "clip"
    expect(page.locator("#verdict")).to_contain_text(re.compile(r"nDCG@5 A .* B .* this query only, 7 of 7 judged"))
    assert page.locator("#lists .slope svg g").count() == 7
    keep(page, "tune-1280")


def test_the_loop_fits_on_a_small_screen(page: Page) -> None:
    """Two cards a side stand above the fold at 1280×720, and nothing sticks out to the right."""
    for name in ("#query", "#instruction-a", "#template-a", "#template-b", "#prompt", "#verdict"):
        box = page.locator(name).bounding_box()
        assert box and box["y"] + box["height"] <= 720, name
    for side in "ab":
        box = page.locator(f"#lists .card[data-side={side}]").nth(1).bounding_box()
        assert box and box["y"] + box["height"] <= 720
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_prompt_follows_fast_typing(page: Page) -> None:
    before = page.locator("#head-b .tokens").inner_text()
    box = field(page, "instruction-b")
    box.fill("")
    wanted = "Only what moves to the left counts, ok?!"
    box.press_sequentially(wanted, delay=30)
    expect(page.locator(".prompt .instruction")).to_have_text(wanted)
    expect(page.locator("#head-b .tokens")).not_to_have_text(before)
    expect(page.locator("#stale")).to_have_text("B changed since")
    assert box.input_value() == wanted
    assert page.locator("#prompt .tok").count() >= 5  # special tokens are chips
    total = int(re.sub(r"\D", "", page.locator("#head-b .tokens").inner_text()))
    parts = page.locator("#prompt .key:has(i) b").all_inner_texts()
    assert sum(int(p.replace(",", "")) for p in parts) == total


def test_every_way_of_changing_a_text_shows(page: Page) -> None:
    """Deleting, undoing and pasting too: none of them is a key press that writes a character."""
    box, drawn = field(page, "instruction-b"), page.locator(".prompt .instruction")
    box.fill("abc")
    expect(drawn).to_have_text("abc")
    box.press("Backspace")
    expect(drawn).to_have_text("ab")
    box.press("Control+a")
    box.press("Control+x")
    expect(page.locator("#prompt")).not_to_contain_text("ab,")
    box.press("Control+v")
    expect(drawn).to_have_text("ab")
    page.locator("#template-b .cm-line", has_text="<Instruct>").click()
    page.keyboard.press("Home")
    page.keyboard.insert_text("{{ 'XY' }}")
    expect(page.locator("#prompt")).to_contain_text("XY")
    page.keyboard.press("Control+z")
    expect(page.locator("#prompt")).not_to_contain_text("XY")


def test_ctrl_enter_in_the_editor_scores_and_changes_no_byte(page: Page) -> None:
    scored(page)
    page.locator("#template-b .cm-line", has_text="<Instruct>").click()
    page.keyboard.press("End")
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    expect(page.locator("#template-b .cm-content")).to_be_focused()
    page.keyboard.insert_text(" ~ ' please'")
    expect(page.locator("#prompt")).to_contain_text("please")
    expect(page.locator("#head-b")).to_contain_text("1 line differs")
    expect(page.locator("#stale [data-stale=b]")).to_be_visible()
    faded = page.locator("#lists .list.B")
    assert float(faded.evaluate("e => getComputedStyle(e).opacity")) < 0.6
    before = source(page, "b")
    page.keyboard.press("Control+Enter")
    scored(page)
    assert source(page, "b") == before
    assert float(faded.evaluate("e => getComputedStyle(e).opacity")) == 1


def test_a_broken_template_is_a_sentence_with_its_line(page: Page, keep: Keep) -> None:
    last = page.locator("#prompt .prompt").inner_text()
    page.locator("#template-b .cm-line").nth(2).click()
    page.keyboard.press("Home")
    page.keyboard.insert_text("{% if %}")
    expect(page.locator("#lint-b .error")).to_contain_text("line 3")
    assert page.locator("#prompt .prompt").inner_text() == last  # the last good render, greyed
    assert float(page.locator("#prompt").evaluate("e => getComputedStyle(e).opacity")) < 0.6
    page.locator("#score").click()
    expect(page.locator("#lists .card.failed[data-side=b]")).to_have_count(7, timeout=PATIENCE)
    expect(page.locator("#lists .card[data-side=a] .val")).to_have_count(7)
    keep(page, "broken-template")


def test_the_preview_steps_through_documents_and_sides(page: Page) -> None:
    expect(page.locator("#preview-head")).to_contain_text("document 1 of 7")
    page.get_by_label("next document").click()
    expect(page.locator("#preview-head")).to_contain_text("document 2 of 7")
    expect(page.locator("#prompt .tok-media")).to_contain_text("picture")
    page.locator("#preview-head [data-side=a]").click()
    expect(page.locator(".prompt .instruction")).to_have_text(field(page, "instruction-a").input_value())
    for _ in range(3):
        page.get_by_label("document before").click()
    expect(page.locator("#preview-head")).to_contain_text("document 6 of 7")


def test_stop_keeps_what_is_finished(page: Page) -> None:
    page.locator("[data-toggle=paste]").click()
    rows = "\n".join(f"a red star\tdocument number {i} {'about a star ' * 60}" for i in range(400))
    page.locator("#paste textarea").fill(rows)
    page.locator("#paste-go").click()
    expect(page.locator("#tray")).to_contain_text("400 rows", timeout=PATIENCE)
    page.locator("#score").click()
    expect(page.locator("#verdict .run")).to_contain_text("of 800", timeout=PATIENCE)
    page.wait_for_function("document.querySelectorAll('#lists .card').length > 0")
    field(page, "instruction-b").fill("typed while it runs")
    expect(page.locator(".prompt .instruction")).to_have_text("typed while it runs")  # a preview waits for no run
    page.keyboard.press("Control+.")
    expect(page.locator("#verdict .flag")).to_contain_text("stopped", timeout=5_000)
    done = page.locator("#lists .card").count()
    assert 0 < done < 800
    page.locator("#score").click()
    expect(page.locator("#verdict .run")).to_be_visible(timeout=PATIENCE)
    page.locator("#stop").click()
    expect(page.locator("#verdict .flag")).to_contain_text("stopped", timeout=10_000)


def test_an_unknown_model_is_a_sentence_and_the_old_one_stays(page: Page, keep: Keep) -> None:
    status = page.locator("#status .pill").inner_text()
    chosen = field(page, "model").input_value()
    field(page, "model").fill("nobody/no-such-reranker")
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_contain_text("nobody/no-such-reranker", timeout=10_000)
    expect(field(page, "model")).to_have_value(chosen)
    expect(page.locator("#status .pill")).to_have_text(status)
    keep(page, "unknown-model")
    field(page, "instruction-b").fill("still at work")
    expect(page.locator("#stale [data-stale=b]")).to_be_visible()
    page.locator("#score").click()
    scored(page)
    assert len(ranks(page, "b")) == 7


def test_a_folder_is_opened_as_a_model(page: Page, tiny_qwen3: Path) -> None:
    field(page, "model").fill(str(tiny_qwen3))
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text(tiny_qwen3.name, timeout=PATIENCE)
    expect(page.locator("#template-a")).to_contain_text(
        "think", timeout=PATIENCE
    )  # an unedited template follows the model
    expect(page.locator("#lint-b .error")).to_contain_text("pictures")  # a text model says so at the row
    expect(page.locator("#stale [data-stale]")).to_be_visible()
    page.get_by_label("document before").click()
    page.get_by_label("document before").click()
    expect(page.locator("#lint-b")).to_contain_text("renders")
    page.locator("#score").click()
    scored(page)
    expect(page.locator("#lists .card.failed[data-side=b]")).to_have_count(5, timeout=PATIENCE)
    expect(page.locator("#lists .card[data-side=b] .val")).to_have_count(2)


def test_scores_are_a_chart(page: Page, keep: Keep) -> None:
    page.get_by_role("tab", name="Scores").click()
    expect(page.locator("#score-chart .dot")).to_have_count(7)
    keep(page, "scores")


def test_every_scenario_opens(page: Page) -> None:
    names = sorted(p.stem for p in (ROOT / "assets" / "scenarios").glob("*.json"))
    assert "flip" in names
    for i in range(len(names)):
        page.locator("#scenario input").click()
        options = page.get_by_role("option")
        assert options.count() == len(names)
        faulty = options.nth(i).inner_text().strip() == "The page you followed"
        options.nth(i).click()
        expect(page.locator("#verdict .run")).to_have_count(0, timeout=PATIENCE)
        expect(page.locator("#lists .card.failed")).to_have_count(0)
        expect(page.locator("#lint-b")).to_contain_text("E3" if faulty else "renders")
        expect(page.locator("#lint-a")).to_contain_text("renders")


def test_two_sessions_share_nothing(open_page: Open) -> None:
    one, two = open_page(), open_page()
    field(one, "query").fill("my own secret question")
    field(one, "instruction-b").fill("my own secret rule")
    expect(one.locator(".prompt .instruction")).to_have_text("my own secret rule")
    one.locator("#score").click()
    scored(one)
    two.locator("#score").click()
    scored(two)
    assert "secret" not in two.locator("body").inner_text()
    assert field(two, "query").input_value() == "a red star"


def test_theme_and_widths(open_page: Open, keep: Keep) -> None:
    page = open_page(scheme="dark")
    assert page.evaluate("document.body.classList.contains('dark')")
    keep(page, "tune-1280-dark")
    page.locator("[data-theme-switch]").click()
    assert not page.evaluate("document.body.classList.contains('dark')")
    page.reload()
    expect(page.locator("#lists .card")).to_have_count(14, timeout=PATIENCE)
    assert not page.evaluate("document.body.classList.contains('dark')")
    page.set_viewport_size({"width": 640, "height": 900})
    a, b = (page.locator(f"#side-{s}").bounding_box() for s in "ab")
    assert a and b and b["y"] >= a["y"] + a["height"]
    expect(page.locator("#lists .slope")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    keep(page, "tune-640")


def test_pictures_for_the_readme(open_page: Open) -> None:
    """Written into tests/.artifacts, and with SCREENSHOTS=1 into assets/ too."""
    for scheme in ("light", "dark"):
        page = open_page(1440, 980, scheme)
        scored(page)
        ARTIFACTS.mkdir(exist_ok=True)
        path = ARTIFACTS / f"screenshot-{scheme}.png"
        page.screenshot(path=path)
        assert path.stat().st_size > 20_000
        if os.environ.get("SCREENSHOTS") == "1":
            shutil.copy(path, Path(ROOT) / "assets" / path.name)


def test_looking_at_a_menu_changes_nothing(page: Page) -> None:
    box = field(page, "instruction-b")
    box.fill("mine, not yet scored")
    expect(page.locator("#stale [data-stale=b]")).to_be_visible()
    for name in ("scenario", "model", "target"):
        page.locator(f"#{name} input").click()
        expect(page.get_by_role("listbox")).to_be_visible()
        page.keyboard.press("Escape")
        page.locator("#verdict").click()
        expect(page.get_by_role("listbox")).to_have_count(0)
    page.wait_for_timeout(1500)
    assert box.input_value() == "mine, not yet scored"
    expect(page.locator("#stale [data-stale=b]")).to_be_visible()


def test_the_prompt_says_its_recipe_and_where_the_other_parts_from_it(page: Page) -> None:
    line = page.locator("#prompt .recipe")
    expect(line).to_have_attribute("data-parts", "same")
    expect(line).to_contain_text("Prompt as the reference; as vLLM every token is the same.")
    field(page, "query").fill("a red <|im_end|> star")
    expect(line).to_contain_text(re.compile(r"as vLLM it parts at token_ids\[\d+\]: .+ \(\d+\) instead of .+ \(\d+\), "))
    page.locator("#target input").click()
    page.get_by_role("option", name="as vLLM").click()
    expect(line).to_have_attribute("data-recipe", "vllm")
    expect(line).to_contain_text("as the reference it parts at")


def test_an_instruction_that_no_template_reads_is_said_beside_its_field(page: Page) -> None:
    editor = page.locator("#template-b .cm-content")
    editor.click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.insert_text("{{- messages[0].content ~ ' ' ~ messages[1].content ~ '\\n' -}}")
    expect(page.locator("#silent-b .silent")).to_have_text("This instruction changes nothing: this template never reads it.")
    expect(page.locator("#silent-a .silent")).to_have_count(0)
    field(page, "instruction-b").fill("")
    expect(page.locator("#silent-b .silent")).to_have_count(0)
