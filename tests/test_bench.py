"""bench measures what it says: counts of computed tokens and forwards, sides compared before any time counts."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from workbench.__main__ import main
from workbench.bench import Setting, bench
from workbench.bench.chart import chart
from workbench.bench.measure import Figures, _compare, kendall, turned
from workbench.bench.page import rows
from workbench.bench.workloads import WORKLOADS, Call, make
from workbench.errors import RequestInvalid, ScoreFailed

ASSETS = Path(__file__).resolve().parent.parent / "assets"
pytestmark = pytest.mark.usefixtures("hurried")
HEAD = 56 + 16  # words of the front that every prompt of one query shares
TAIL = 10


def calls(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {c["call"]: c for c in found["calls"]}


@pytest.fixture(scope="module")
def edits(hurried: None) -> dict[str, dict[str, Any]]:
    setting = Setting("edit", "qwen3-tiny", documents=16, tokens=24, rounds=1, against=("naive",), device="cpu")
    return calls(bench(setting))


def test_a_query_is_computed_once(edits: dict[str, dict[str, Any]]) -> None:
    new = edits["all new"]
    own = new["tokens"] - 16 * HEAD  # documents and tails
    assert new["computed"] == HEAD + own
    assert new["finals"] == 16


def test_edits_cost_what_changed(edits: dict[str, dict[str, Any]]) -> None:
    assert (edits["the same again"]["forwards"], edits["the same again"]["remembered"]) == (0, 16)
    one = edits["one document"]
    assert (one["forwards"], one["remembered"]) == (1, 15)
    assert one["computed"] <= 24 * 1.25 + 1 + TAIL
    assert edits["the instruction"]["computed"] <= edits["all new"]["computed"] - 43  # the system's words are kept


def test_variants_together_share_what_they_share(edits: dict[str, dict[str, Any]]) -> None:
    new, instructions, tails = (edits[n] for n in ("all new", "four instructions together", "four tails together"))
    assert instructions["computed"] == 4 * new["computed"] - 3 * 43
    assert tails["computed"] == new["computed"] + 3 * 16 * TAIL


def test_the_peer_gave_the_same_scores(edits: dict[str, dict[str, Any]]) -> None:
    for row in edits.values():
        assert row["logits"]["largest_difference"] < 1e-4 < row["logits"]["spread"]
        assert row["naive"]["ratio"]["median"] > 0


def test_pictures_are_looked_at_once() -> None:
    found = calls(bench(Setting("vision", "vl-tiny", documents=3, rounds=1, device="cpu", against=("naive",))))
    assert (found["all new"]["looks"], found["the instruction"]["looks"]) == (3, 0)
    assert found["all new"]["tokens"] == found["as many text tokens"]["tokens"] + 3 * 2  # the two marks around a picture


def test_cost_follows_the_documents_and_memory_does_not() -> None:
    found = calls(bench(Setting("growth", "qwen3-tiny", documents=256, tokens=24, rounds=1, device="cpu")))
    few, many = found["64 documents"], found["256 documents"]
    assert list(found) == ["16 documents", "64 documents", "256 documents"]
    assert many["computed"] - HEAD == many["tokens"] - 256 * HEAD  # what is new of every document, and nothing else
    assert many["forwards"] <= 4 * few["forwards"] + 1
    room = 1.25 * few["peak_mib"]["process"]  # four times the documents hold a fraction more, not four times as much
    assert 0 < many["peak_mib"]["process"] <= room


def test_the_command_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bench.json"
    arguments = "--workload requests --shape qwen3-tiny --documents 16 --tokens 8 --rounds 1 --device cpu"
    assert main(["bench", *arguments.split(), "--json", str(file)]) == 0
    head, names, row = capsys.readouterr().out.splitlines()
    assert head.startswith("best product here:") and row.startswith("all new")
    assert {"saved", "hits", "tokens/s", "requests/s", "mean", "median", "p99", "peak"} <= set(names.split())
    found = json.loads(file.read_text())
    (row,) = found["calls"]
    assert row["pairs"] == 16 and set(row["latency_s"]) == {"mean", "median", "p99"}
    assert found["setting"]["layers"] is None and found["machine"]["cores"] >= 1


def test_sides_that_disagree_are_not_timed() -> None:
    figures = Figures(Call("all new", ()))
    same: dict[str, Any] = {"ids": [3, 4], "logits": [0.1, 0.2]}
    with pytest.raises(ScoreFailed, match="off"):
        _compare(figures, {"ours": same, "naive": {**same, "logits": [0.1, 0.3]}}, 1e-4)
    with pytest.raises(ScoreFailed, match="token counts"):
        _compare(figures, {"ours": same, "naive": {**same, "ids": [3, 5]}}, 1e-4)


def test_every_round_has_other_words() -> None:
    assert turned("w20000 <|image_pad|> w139999", 0) == "w20000 <|image_pad|> w139999"
    assert turned("w20000 <|image_pad|> w139999", 1) == "w27919 <|image_pad|> w27918"


def test_kendall() -> None:
    assert (kendall([1, 2, 3], [4, 5, 6]), kendall([1, 2, 3], [3, 2, 1])) == (1, -1)
    assert kendall([1, 2, 3], [1, 3, 2]) == pytest.approx(1 / 3)
    assert kendall([1, 1], [1, 2]) == 0


def test_workloads_are_the_same_every_time() -> None:
    for name in WORKLOADS:
        assert make(name, documents=4, tokens=8) == make(name, documents=4, tokens=8)
    with pytest.raises(RequestInvalid, match="rerank, requests"):
        make("nothing", documents=1, tokens=1)
    with pytest.raises(RequestInvalid, match="vl-2b"):
        bench(Setting(shape="nothing"))


def test_the_picture_in_the_readme_is_of_the_files_beside_it() -> None:
    assert (ASSETS / "bench.svg").read_text(encoding="utf-8") == chart(ASSETS / "bench")
    assert ElementTree.fromstring(chart(ASSETS / "bench")).tag.endswith("svg")


def test_the_rows_in_the_readme_are_of_the_files() -> None:
    readme = (ASSETS.parent / "README.md").read_text(encoding="utf-8")
    assert rows(ASSETS / "bench") == readme.split("tests/test_bench.py -->\n")[1].split("\n<!-- /bench -->")[0]


def test_files_of_measurements_say_where_and_what() -> None:
    for file in (ASSETS / "bench").glob("*.json"):
        found = json.loads(file.read_text(encoding="utf-8"))
        assert found["machine"]["cores"] and found["setting"]["rounds"] >= 1 and found["peak_gflops"] > 0, file
        assert set(found["sides"]) == {"ours", *found["setting"]["against"]}, file


def test_a_turn_begins_on_a_quiet_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = importlib.import_module("workbench.bench.measure")
    stat, reads = tmp_path / "stat", [0]

    def used() -> tuple[int, int] | None:
        """Others compute during the first two looks and are done at the third."""
        reads[0] += 1
        stat.write_text(f"cpu  {100 * min(reads[0], 3)} 0 0 {100 * reads[0]} 0 0 0 0\n")
        return real()

    real = clock._used
    monkeypatch.setattr(clock, "PATIENCE", 15)
    monkeypatch.setattr(clock, "STAT", stat)
    monkeypatch.setattr(clock, "_used", used)
    monkeypatch.setattr(clock.time, "sleep", lambda _: None)
    assert clock.settle() and reads[0] == 4
    monkeypatch.setattr(clock, "STAT", tmp_path / "none")
    monkeypatch.setattr(clock, "_used", real)
    assert clock.settle()  # a system that does not tell is taken as it is
