"""The page for those who listen to it, who want no motion, and who see few colours."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PATIENCE, Open
from tests.browser.test_tune import field, scored

LISTEN = """() => {
  window.heard = [];
  for (const region of document.querySelectorAll('.announcer')) new MutationObserver(() => {
    if (region.textContent) window.heard.push([region.getAttribute('role'), region.textContent]);
  }).observe(region, {childList: true, characterData: true, subtree: true});
}"""
# Colour vision without red or green cones, on linear sRGB: Machado, Oliveira, Fernandes 2009, severity 1.
BLIND = {
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
}
TOLD_APART = 3.0  # contrast, WCAG 2.2, 1.4.11
# Whatever is drawn in the colour of A or B, and whether a letter says the same: in it, beside it, or at the head of its column.
UNMARKED = """() => {
  const probe = document.body.appendChild(document.createElement('i'));
  const colour = (name) => { probe.style.color = `var(--${name})`; return getComputedStyle(probe).color; };
  const sides = {a: colour('a'), b: colour('b')};
  probe.remove();
  const says = (text, side) => new RegExp(`(^|[^\\\\w.])${side.toUpperCase()}([^\\\\w]|$)`).test(text ?? '');
  const words = (element) => [element.innerText ?? element.textContent, getComputedStyle(element, '::before').content].join(' ');
  const marked = (element, side) => {
    const cell = element.closest('td,th'), table = element.closest('table');
    if (cell && table && says(table.rows[0].cells[cell.cellIndex]?.textContent, side)) return true;
    for (let at = element; at && at !== document.body; at = at.parentElement) {
      const mine = says(words(at), side), other = says(words(at), side === 'a' ? 'b' : 'a');
      if (mine || other) return mine && !other;
      if (at.previousElementSibling && says(words(at.previousElementSibling), side)) return true;
    }
    return false;
  };
  const drawn = {a: 0, b: 0}, unmarked = [];
  for (const element of document.querySelectorAll('body *')) {
    if (!element.checkVisibility() || element.closest('.cm-editor')) continue;
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.nodeValue.trim()), style = getComputedStyle(element);
    for (const side of ['a', 'b']) {
      const used = [own && style.color, style.backgroundColor, element.namespaceURI.endsWith('svg') && style.fill];
      if (!used.includes(sides[side])) continue;
      drawn[side] += 1;
      if (!marked(element, side)) unmarked.push(`${side}: ${element.outerHTML.slice(0, 160)}`);
    }
  }
  return {drawn, unmarked, sides};
}"""


def heard(page: Page, role: str) -> list[str]:
    return [text for kind, text in page.evaluate("window.heard") if kind == role]


def test_an_error_is_heard_once_and_not_at_every_key(page: Page) -> None:
    page.wait_for_timeout(2000)
    page.evaluate(LISTEN)
    page.locator("#template-b .cm-line").nth(2).click()
    page.keyboard.press("Home")
    page.keyboard.type("{% if there_is_nothing_of_that_kind")
    expect(page.locator("#lint-b [data-say=alert]")).to_contain_text("line 3")
    page.wait_for_function("window.heard.some(([role, text]) => role === 'alert' && text.includes('line 3'))", timeout=PATIENCE)
    page.wait_for_timeout(2000)
    first = heard(page, "alert")
    assert len(first) == len(set(first)) <= 2, first
    box = field(page, "instruction-b")  # the error stands while something else is typed
    box.press("End")
    box.press_sequentially(" and nothing else", delay=30)
    page.wait_for_timeout(2000)
    assert heard(page, "alert") == first


def test_a_run_is_heard_at_its_end_and_at_most_once_before(page: Page) -> None:
    scored(page)
    page.wait_for_timeout(2000)
    page.evaluate(LISTEN)
    box = field(page, "instruction-b")
    box.press("End")
    box.press_sequentially(" now", delay=20)
    page.wait_for_function("window.heard.some(([, text]) => text.includes('B changed since'))", timeout=PATIENCE)
    page.keyboard.press("Control+Enter")
    page.wait_for_function("window.heard.some(([, text]) => text.includes('nDCG@5'))", timeout=PATIENCE)
    page.wait_for_timeout(2000)
    said = heard(page, "status")
    assert sum("nDCG@5" in text for text in said) == 1 and sum("scoring" in text for text in said) <= 1, said
    assert sum("B changed since" in text for text in said) == 1, said


def test_who_asks_for_less_motion_gets_none(page: Page) -> None:
    moving = "document.getAnimations().map(a => a.animationName ?? a.transitionProperty)"
    eased = "[...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && " \
        "!/^0s(, 0s)*$/.test(getComputedStyle(e).transitionDuration)).length"  # fmt: skip
    assert "clip" in page.evaluate(moving) and page.evaluate(eased) > 0
    page.emulate_media(reduced_motion="reduce")
    for tab in ("Documents", "History", "Export", "Tune"):
        page.get_by_role("tab", name=tab, exact=True).click()
        page.wait_for_timeout(1000)
        assert page.evaluate(moving) == [] and page.evaluate(eased) == 0, tab


def linear(colour: str) -> list[float]:
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def contrast(one: list[float], other: list[float]) -> float:
    light = sorted(0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (one, other))
    return (light[1] + 0.05) / (light[0] + 0.05)


def seen(colour: list[float], matrix: tuple[tuple[float, ...], ...]) -> list[float]:
    return [min(max(sum(a * b for a, b in zip(row, colour, strict=True)), 0), 1) for row in matrix]


def told_apart(sides: dict[str, str]) -> bool:
    a, b = linear(sides["a"]), linear(sides["b"])
    return min(contrast(seen(a, m), seen(b, m)) for m in BLIND.values()) >= TOLD_APART


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_and_b_are_told_apart_without_colours(open_page: Open, scheme: str) -> None:
    page = open_page(width=1440, height=900, scheme=scheme)
    every: list[dict[str, Any]] = []

    def look(where: str) -> None:
        page.wait_for_timeout(500)
        found = page.evaluate(UNMARKED)
        every.append(found)
        assert told_apart(found["sides"]) or not found["unmarked"], where + json.dumps(found["unmarked"], indent=1)

    for view in ("tokens", "diff", "budget", "prompt"):
        page.locator(f"#preview-head [data-tab={view}]").click()
        expect(page.locator(f"#preview-head .views[data-view={view}]")).to_be_visible(timeout=PATIENCE)
        look(view)
    for name in ("Scores", "Grades", "Table", "List"):
        page.locator("#results [role=tab]", has_text=name).first.click()
        look(name)
    pills = page.locator("#lists .pills [data-grade]")
    assert pills.count() > 0 and pills.evaluate_all("all => all.every(p => p.textContent === p.dataset.grade)")
    page.get_by_role("tab", name="History", exact=True).click()
    page.locator("#history-list .past .open").first.click()
    expect(page.locator("#history-rankings")).not_to_be_empty(timeout=PATIENCE)
    look("History")
    assert all(sum(found["drawn"][side] for found in every) > 20 for side in "ab")
