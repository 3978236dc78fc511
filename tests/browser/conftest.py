"""The real app, started once, and a page of it in Chromium that may neither log an error nor leave this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Dialog, Page, Request, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "tests" / ".artifacts"
FLAGS = (
    "--no-sandbox --disable-background-networking --disable-component-update --disable-sync --no-first-run "
    "--disable-default-apps"
).split()
PATIENCE = 60_000  # ms: the machine that runs this may be busy

Open = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(item.fspath).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.browser)


@contextmanager
def started(log: Path, model: Sequence[str]) -> Iterator[str]:
    """Where `python app.py` says it is, once it does."""
    command = [sys.executable, "app.py", "--port", "0", "--device", "cpu", *model]
    with log.open("w") as out:
        app = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, env={**os.environ})
    try:
        yield _address(app, log)
    finally:
        app.terminate()
        app.wait(20)


@pytest.fixture(scope="session")
def model(request: pytest.FixtureRequest) -> list[str]:
    """The app's arguments: none, for the shipped model, or a tiny one of the same kind where that is not built."""
    shipped = ROOT / "assets" / "demo-reranker" / "config.json"
    return [] if shipped.is_file() else ["--model", str(request.getfixturevalue("tiny_qwen3_vl"))]


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory, model: list[str]) -> Iterator[str]:
    """The app that nearly all tests look at."""
    with started(tmp_path_factory.mktemp("app") / "log", model) as found:
        yield found


def _address(app: subprocess.Popen[bytes], log: Path) -> str:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        found = [w for w in log.read_text().split() if w.startswith("http://")]
        if found:
            return found[0]
        assert app.poll() is None, f"the app ended: {log.read_text()}"
        time.sleep(0.05)
    raise AssertionError(f"the app did not start: {log.read_text()}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = os.environ.get("BROWSER_PATH") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path or None, args=FLAGS)
        yield chromium
        chromium.close()


@contextmanager
def opened_pages(browser: Browser, address: str) -> Iterator[Open]:
    """Opens the page in a session of its own, waits until it is ranked, and at the end says what went wrong in it."""
    problems, unsure = list[str](), list[list[str]]()
    contexts = []

    def opened(
        width: int = 1280, height: int = 720, scheme: str = "light", live: bool = False, ranked: bool = True,
        at: str = "", moved: str = "moved", before: str = "",
    ) -> Page:  # fmt: skip
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, accept_downloads=True
        )
        contexts.append(context)
        if not live:  # what is typed is scored when a test presses Score, however quick this machine is
            context.add_init_script("localStorage.getItem('live') ?? localStorage.setItem('live', 'off')")
        if before:  # a script that runs before the page's own
            context.add_init_script(before)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        unsure.append(_watch(page, address, problems))
        page.goto(address + at)
        expect(page.locator("#tray .doc-row")).to_have_count(7, timeout=PATIENCE)
        if not ranked:  # for what does not wait for scores either
            return page
        expect(page.locator("#lists .card[data-side=b]")).to_have_count(7, timeout=PATIENCE)
        expect(page.locator("#verdict")).to_contain_text(moved, timeout=PATIENCE)
        return page

    yield opened
    for context in contexts:
        context.close()
    problems += [f"console: {text}" for texts in unsure for text in texts]
    assert not problems, "\n".join(problems)


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[Open]:
    with opened_pages(browser, address) as opened:
        yield opened


# What Gradio says of its event stream when a page is left while something is on its way.
LEFT = ("AbortError: ", "Unexpected error Connection errored out")
LEAVING = 2  # seconds by which the word of it may come before the request for the next page is seen


def _watch(page: Page, address: str, problems: list[str]) -> list[str]:
    """Notes what goes wrong in `problems`; returns what may only be said on leaving a page, less what was said while leaving."""
    unsure, said, leaving = list[str](), list[float](), [False]

    def note(text: str) -> None:
        problems.append(text)

    def error(text: str) -> None:
        if not text.strip().startswith(LEFT):
            note(f"console: {text}")
        elif not leaving[0]:
            unsure.append(text)
            said.append(time.monotonic())

    def visit(request: Request) -> None:
        if not request.is_navigation_request() or request.frame != page.main_frame:
            return
        leaving[0] = True
        while said and time.monotonic() - said[-1] < LEAVING:
            said.pop()
            unsure.pop()

    def there(_: Page) -> None:
        leaving[0] = False

    def leaves(url: str) -> bool:
        return urlsplit(url).scheme not in ("data", "blob") and not url.startswith(address)

    def dialog(seen: Dialog) -> None:
        note(f"a dialog opened: {seen.message}")
        seen.dismiss()

    page.on("request", visit)
    page.on("load", there)
    page.on("console", lambda m: error(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: note(f"page error: {e}"))
    page.on("request", lambda r: note(f"request leaves the machine: {r.url}") if leaves(r.url) else None)
    page.on("dialog", dialog)
    return unsure


@pytest.fixture
def page(open_page: Open) -> Page:
    return open_page()


@pytest.fixture
def keep(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """Writes a picture of the page into tests/.artifacts."""

    def kept(page: Page, name: str) -> None:
        ARTIFACTS.mkdir(exist_ok=True)
        page.screenshot(path=ARTIFACTS / f"{name}.png")

    return kept
