"""What every event of the page is held to, so that the page opens and answers quickly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from workbench.pool import Bench
from workbench.store import Store
from workbench.ui import build

MOST = 150  # events: at its opening Gradio goes through all of them for each component


@pytest.fixture(scope="module")
def events(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    page = build(bench, store=Store(Path(tmp_path_factory.mktemp("history")) / "history.db", lasting=False))
    found: list[dict[str, Any]] = page.get_config_file()["dependencies"]
    return [event for event in found if not any(name == "unload" for _, name in event["targets"])]


def test_no_event_draws_progress_on_anything(events: list[dict[str, Any]]) -> None:
    """None would mean on all of its outputs: each of them is then copied whenever any event begins or ends."""
    assert len(events) > 100
    assert [event["id"] for event in events if event["show_progress_on"] != [] or event["show_progress"] != "hidden"] == []


def test_there_are_few_of_them(events: list[dict[str, Any]]) -> None:
    assert len(events) <= MOST
