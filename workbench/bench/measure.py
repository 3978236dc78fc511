"""Two sides and a clock: rounds run interleaved, answers are compared before any time counts, figures are medians.

Knows nothing of models; a side is a process that answers JSON lines. A side's turn begins when the machine is quiet: a server's
threads may spin for seconds behind its own.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workbench.bench.workloads import Call
from workbench.errors import ModelUnavailable, ScoreFailed
from workbench.types import JSON

ROOT = Path(__file__).resolve().parent.parent.parent
WORD = re.compile(r"\bw(\d+)")
FIRST, COUNT = 20000, 120000  # of the words that workloads are made of
TOLERANCE = 1e-4  # float32 logits of two sides
EXACT = "sentence-transformers"  # in float32 whatever dtype is measured: what orders are compared with, where it takes part
BUSY, PATIENCE = 0.05, 15.0  # share of the cores that others may use when a turn begins; seconds until it begins all the same
STAT = Path("/proc/stat")


class Side:
    """A process under measurement. `name`: ours, naive, sentence-transformers or a URL."""

    def __init__(self, name: str, config: Mapping[str, JSON], python: str = "") -> None:
        self.name = name
        script = str(Path(__file__).with_name("peer_sentence_transformers.py"))
        command = (
            [python or sys.executable, script, str(config["folder"]), str(config["device"])]
            if name == "sentence-transformers"
            else [sys.executable, "-m", "workbench.bench.side", json.dumps({**config, "kind": name})]
        )
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, encoding="utf-8"
        )
        said = self._read()
        self.ready, self.what = float(said["ready"]), str(said["what"])  # seconds; what it is, with its version

    def run(self, call: Call, turn: int = 0) -> dict[str, JSON]:
        """Each turn has other words, so that no side can answer from what it kept of the turn before."""
        mark = " <|vision_start|><|image_pad|><|vision_end|> " if call.pictures else " "
        rows = [
            (turned(f"{front}{mark}{text} {tail}", turn), call.pictures[i] if call.pictures else -1)
            for i, (front, text, tail) in enumerate(call.rows)
        ]
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"rows": rows, "warm": call.warm, "requests": call.requests}) + "\n")
        self._process.stdin.flush()
        return self._read()

    def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _read(self) -> dict[str, JSON]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith("{"):
            self._process.kill()
            raise ModelUnavailable(f"stopped before it answered ({line.strip() or 'no output'})", where=self.name)
        answer: dict[str, JSON] = json.loads(line)
        return answer


@dataclass(slots=True)
class Figures:
    """Of one call: seconds of each round, latencies of single requests, what was computed (last round), by side."""

    call: Call
    seconds: dict[str, list[float]] = field(default_factory=dict)
    latencies: dict[str, list[float]] = field(default_factory=dict)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    peaks: dict[str, dict[str, float]] = field(default_factory=dict)  # MiB of the last round, by side
    tokens: int = 0
    apart: float = 0.0  # the largest difference of two sides' logits
    taus: dict[str, float] = field(default_factory=dict)  # Kendall τ of a side's order against the exact one's, by side
    spread: float = 0.0  # standard deviation of the logits, so that the difference can be judged

    def median(self, side: str) -> float:
        return statistics.median(self.seconds[side])

    def ratios(self, side: str, base: str) -> list[float]:
        """How many times longer `side` took than `base`, round by round."""
        return [a / b for a, b in zip(self.seconds[side], self.seconds[base], strict=True)]


def measure(sides: Sequence[Side], calls: Sequence[Call], rounds: int, tolerance: float = TOLERANCE) -> list[Figures]:
    """One round that counts for nothing but the comparison of ids and logits, then `rounds` of A B A B.

    Raises ScoreFailed where sides disagree: times of different answers cannot be compared.
    """
    figures = [Figures(c) for c in calls]
    for turn in range(rounds + 1):
        for at, call in enumerate(calls):
            answers = {side.name: side.run(call, turn) for side in sides if settle()}
            if turn == 0:
                _compare(figures[at], answers, tolerance)
            else:
                _note(figures[at], answers)
    return figures


def _compare(figures: Figures, answers: Mapping[str, dict[str, JSON]], tolerance: float) -> None:
    first, *others = answers.items()
    exact = answers.get(EXACT, first[1])["logits"]
    figures.taus = {name: kendall(answer["logits"], exact) for name, answer in answers.items()}
    figures.tokens, figures.spread = sum(first[1]["ids"]), statistics.pstdev(first[1]["logits"])
    for name, answer in others:
        if answer["ids"] != first[1]["ids"]:
            raise ScoreFailed(f"{name} was given other token counts than {first[0]}", where=figures.call.name)
        apart = max(abs(a - b) for a, b in zip(answer["logits"], first[1]["logits"], strict=True))
        figures.apart = max(figures.apart, apart)
        if apart > tolerance:
            raise ScoreFailed(f"{name} is {apart:.2g} off {first[0]}'s logits, {tolerance:g} allowed", where=figures.call.name)


def _note(figures: Figures, answers: Mapping[str, dict[str, JSON]]) -> None:
    for name, answer in answers.items():
        figures.seconds.setdefault(name, []).append(sum(answer["seconds"]))
        figures.latencies.setdefault(name, []).extend(answer["seconds"])
        figures.counts[name] = answer["counts"]
        figures.peaks[name] = answer.get("peak_mib") or {}


def settle() -> bool:
    """Waits until this machine is quiet, where the system tells (Linux, proc_stat(5)). Always true."""
    until = time.monotonic() + PATIENCE
    before = _used()
    while before is not None and time.monotonic() < until:
        time.sleep(0.2)
        now = _used()
        if now is None or now[0] - before[0] <= BUSY * (now[1] - before[1]):
            break
        before = now
    return True


def _used() -> tuple[int, int] | None:
    """Ticks that all cores together were in use, and all ticks, since the machine started."""
    try:
        ticks = [int(n) for n in STAT.read_text(encoding="ascii").splitlines()[0].split()[1:9]]
    except (OSError, ValueError, IndexError):
        return None
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def turned(text: str, turn: int) -> str:
    """The same text in other words, one for one."""
    return WORD.sub(lambda m: f"w{FIRST + (int(m[1]) - FIRST + 7919 * turn) % COUNT}", text)


def kendall(a: Sequence[float], b: Sequence[float]) -> float:
    """Kendall's τ-a: pairs in the same order less pairs in the other, as a share of all pairs; a tie is neither."""
    pairs = [(i, j) for i in range(len(a)) for j in range(i)]
    signs = [(a[i] > a[j]) - (a[i] < a[j]) for i, j in pairs]
    return sum(s * ((b[i] > b[j]) - (b[i] < b[j])) for s, (i, j) in zip(signs, pairs, strict=True)) / max(len(pairs), 1)
