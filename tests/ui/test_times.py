"""Moments leave the server exactly and in UTC, whatever its own time zone is."""

from __future__ import annotations

import time

import pytest

from workbench.ui.times import time_html, timed, utc

AT = 1_700_000_000.4  # 2023-11-14 22:13:20 UTC


def test_a_moment_is_exact_and_its_text_says_that_it_is_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    for zone in ("Asia/Shanghai", "America/New_York"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        assert time_html(AT) == '<time datetime="2023-11-14T22:13:20Z" data-form="short">14 Nov 22:13 UTC</time>'
        assert utc(AT, "long") == "14 Nov 2023 22:13 UTC" and utc(AT, "clock") == "22:13 UTC"
        assert utc(0, "day") == "1 Jan 00:00 UTC"
        assert timed(AT, "day") == 'data-time="2023-11-14T22:13:20Z" data-form="day"'
    monkeypatch.undo()
    time.tzset()
