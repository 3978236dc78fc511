"""The measurements in a folder as rows of a table, so that what a page says of speed is what was measured.

Knows nothing of how anything was measured: it reads what `bench --json` wrote.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from workbench.bench.measure import EXACT
from workbench.types import JSON

NAMED = {"naive": "one pair after another through the stock model"}

def rows(folder: Path) -> str:
    """Markdown, a row for each finding: what, figure, file."""
    found = ["| What | Figure | File |", "| --- | --- | --- |"]
    for workload, said in SAID.items():
        for path in sorted(folder.glob("*.json")):
            bench = json.loads(path.read_text(encoding="utf-8"))
            if bench["setting"]["workload"] == workload:
                found += [f"| {what} | {figure} | `{path.name}` |" for what, figure in said(bench, _shape(bench["setting"]))]
    return "\n".join(found)


def _shape(setting: Mapping[str, JSON]) -> str:
    layers = f"{setting['layers']} layers" if setting["layers"] else "all layers"
    return f"`{setting['shape']}`, {layers}" + (", bfloat16 linears" if setting["dtype"] == "bfloat16" else "")


def _calls(bench: Mapping[str, JSON]) -> dict[str, JSON]:
    return {call["call"]: call for call in bench["calls"]}


def _seconds(call: Mapping[str, JSON]) -> float:
    return float(call["seconds"]["median"])


def _peers(bench: Mapping[str, JSON], call: Mapping[str, JSON]) -> Iterator[str]:
    for name in bench["setting"]["against"]:
        what, ratio = NAMED.get(name, bench["sides"][name]["what"]), call[name]["ratio"]
        half = bench["setting"]["dtype"] == "bfloat16"
        what += " in float32" if half and name == EXACT else " in bfloat16" if half else ""
        says = f"{what} takes {ratio['median']:.2f} times as long ({ratio['min']:.2f} to {ratio['max']:.2f})"
        if half and name != EXACT:
            says += f", Kendall τ {call['logits']['kendall_tau'][name]:.3f}"
        yield says


def _rerank(bench: Mapping[str, JSON], shape: str) -> Iterator[tuple[str, str]]:
    (call,) = bench["calls"]
    figure = f"{_seconds(call):.2f} s, {call['share_of_peak']:.2f} of the best product ({bench['peak_gflops']:.0f} GFLOP/s)"
    if bench["setting"]["dtype"] == "bfloat16":
        figure += f", Kendall τ {call['logits']['kendall_tau']['ours']:.3f}"
    yield f"{call['pairs']} documents all new, {shape}", "; ".join([figure, *_peers(bench, call)])


def _edit(bench: Mapping[str, JSON], shape: str) -> Iterator[tuple[str, str]]:
    calls = _calls(bench)
    new = calls["all new"]
    whole = _seconds(new)
    same, one = calls["the same again"], calls["one document"]
    yield f"The same again, {shape}", f"{1000 * _seconds(same):.1f} ms, {same['forwards']} forward passes"
    part = f"1/{whole / _seconds(one):.0f} of a whole score"
    yield f"One document of {new['pairs']} edited", f"{1000 * _seconds(one):.0f} ms, {part}"
    for name in ("four instructions together", "four tails together"):
        time, tokens = _seconds(calls[name]) / whole, calls[name]["computed"] / new["computed"]
        yield f"{name.capitalize()}", f"{time:.2f} times one, {tokens:.2f} times its tokens ({time / tokens:.3f})"


def _vision(bench: Mapping[str, JSON], shape: str) -> Iterator[tuple[str, str]]:
    calls = _calls(bench)
    call, text = calls["the instruction"], calls["as many text tokens"]
    figure = f"{_seconds(call):.2f} s, {call['looks']} looked at, {_seconds(call) / _seconds(text):.2f} times as many text tokens"
    yield f"{call['pairs']} pictures, the instruction changed, {shape}", "; ".join([figure, *_peers(bench, call)])
    yield f"{call['pairs']} pictures all new, {shape}", "; ".join(
        [f"{_seconds(calls['all new']):.2f} s", *_peers(bench, calls["all new"])]
    )


def _requests(bench: Mapping[str, JSON], shape: str) -> Iterator[tuple[str, str]]:
    (call,) = bench["calls"]
    each, middle, slow = call["tokens"] / call["pairs"], *(1000 * call["latency_s"][n] for n in ("median", "p99"))
    rates = f"{call['requests_per_s']:.1f} requests/s, {call['pairs_per_s']:.0f} pairs/s, {call['tokens_per_s']:,} tokens/s"
    yield f"Requests of 8 documents with {each:.0f} tokens a pair, {shape}", f"{rates}; median {middle:.0f} ms, p99 {slow:.0f} ms"


def _growth(bench: Mapping[str, JSON], shape: str) -> Iterator[tuple[str, str]]:
    first, last = bench["calls"][0], bench["calls"][-1]
    each = [1000 * _seconds(call) / (call["computed"]) for call in (first, last)]
    figure = f"{each[0]:.3f} and {each[1]:.3f} ms a computed token; the process held {first['peak_mib']['process']:,.0f} and "
    figure += f"{last['peak_mib']['process']:,.0f} MiB at most"
    yield f"{first['pairs']} and {last['pairs']:,} documents, {shape}", figure


Said = Callable[[Mapping[str, JSON], str], Iterator[tuple[str, str]]]
SAID: dict[str, Said] = {
    "rerank": _rerank, "edit": _edit, "vision": _vision, "growth": _growth, "requests": _requests,
}  # fmt: skip
