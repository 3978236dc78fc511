"""Foreign text is text: documents, names of files, queries and instructions that look like code run in no view of any tab."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PATIENCE, Open
from tests.browser.test_intake import paste
from tests.browser.test_tune import scored

Keep = Callable[[Page, str], None]
MARKUP = "${alert(1)} {{7*7}} `${alert(2)}` </script><script>alert(3)</script><img src=x onerror=alert(4)><b data-hit>"
BREAKS = "'\"><svg/onload=alert(5)> </textarea></template>--> &lt;i data-hit&gt;"
BIDI = "\u202etxt.exe\u2066 \u200f"
HOSTILE = f"{MARKUP} {BREAKS} {BIDI}"


def hits(page: Page) -> int:
    """Elements that only foreign text could have made."""
    return page.locator("[data-hit], img[src='x'], svg[onload]").count()


def views(page: Page) -> list[str]:
    return page.locator("#tabs > .tab-wrapper [role=tab]").all_inner_texts()


def inner(page: Page) -> list[str]:
    """The views inside the tab that is open."""
    return page.locator("#tabs .tabitem [role=tab]:visible").all_inner_texts()


@pytest.fixture
def hostile(open_page: Open, tmp_path: Path) -> Page:
    page = open_page(ranked=False)
    rows = [HOSTILE, f"second {HOSTILE}", f"<!-- {HOSTILE} -->", "plain"]
    paste(page, json.dumps({"query": HOSTILE, "documents": rows, "instruction": HOSTILE}))
    expect(page.locator("#tray .doc-row")).to_have_count(4, timeout=PATIENCE)
    bad = tmp_path / "${alert(6)}{{7*7}}<img src=x onerror=alert(7)>.png"
    bad.write_bytes(b"no picture")
    page.locator("#documents input[type=file]").set_input_files(bad)
    expect(page.locator("#tray .doc-row.bad")).to_have_count(1, timeout=PATIENCE)
    page.locator("#score").click()
    scored(page)
    return page


def test_nothing_runs_in_any_tab(hostile: Page, keep: Keep) -> None:
    """Alerts and errors of scripts fail the test wherever they come from: every page of this suite is watched for them."""
    page, seen = hostile, dict[str, str]()
    for tab in views(page):
        page.locator("#tabs > .tab-wrapper").get_by_role("tab", name=tab, exact=True).click()
        for view in inner(page) or [""]:
            if view:
                page.locator("#tabs .tabitem").get_by_role("tab", name=view, exact=True).first.click()
            page.wait_for_timeout(700)
            assert hits(page) == 0, f"{tab} {view}"
            seen[f"{tab} {view}".strip()] = page.locator("#tabs").inner_text()
        keep(page, f"foreign-{tab.lower()}")
    assert {"Documents", "Export"} <= set(seen) and len(seen) > 3
    assert any("{{7*7}}" in text for text in seen.values())
    assert not any("${alert(1)} 49" in text for text in seen.values())


def test_every_field_of_the_documents_holds_the_text_as_it_is(hostile: Page) -> None:
    page = hostile
    page.get_by_role("tab", name="Documents", exact=True).click()
    expect(page.locator("#rows .d-row")).to_have_count(5, timeout=PATIENCE)
    boxes = page.locator("#rows textarea")
    assert boxes.first.input_value() == HOSTILE and boxes.nth(1).input_value() == f"second {HOSTILE}"
    expect(page.locator("#rows .d-why")).to_contain_text("alert(6)")
    boxes.first.fill(f"{HOSTILE} once more")
    page.locator("#rows [data-do=duplicate]").first.click()
    expect(page.locator("#rows .d-row")).to_have_count(6, timeout=PATIENCE)
    assert boxes.nth(1).input_value() == f"{HOSTILE} once more"
    expect(page.locator("#rows .d-twin")).to_have_text("same as row 1")
    assert hits(page) == 0
