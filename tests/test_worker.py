"""Disposable processes: limits hold, nobody waits for a burning neighbour, nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bystander import Bystander
from workbench.worker import Worker, WorkerFailed, WorkerLimit

SECONDS = 0.6


def make(**changes: object) -> Worker:
    settings = {"seconds": SECONDS, "memory_mb": 64, "output_bytes": 1 << 20, "processes": 2} | changes
    return Worker("tests.worker_tasks", **settings)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = make()
    yield worker
    worker.close()


def processes(parent: int | None = None) -> list[int]:
    """Every child of this (or another) process, zombies too."""
    table = subprocess.run(["ps", "-axo", "pid=,ppid=,command="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in table.splitlines()]
    mine = [int(r[0]) for r in rows if int(r[1]) == (parent or os.getpid()) and not r[2].startswith("ps ")]
    return mine


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout


def gone(pids: list[int], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    return not any(map(alive, pids))


def limit(worker: Worker, task: str, arguments: object = None) -> tuple[str, float]:
    started = time.monotonic()
    with pytest.raises(WorkerLimit) as error:
        worker.call(task, arguments)
    return error.value.kind, time.monotonic() - started


# ---------------------------------------------------------------- answers
def test_json_and_bytes_come_back_as_they_went(worker: Worker) -> None:
    arguments = {"text": "née 東京 \x00 \u202e 🦊", "list": [1, 2.5, None, True], "deep": {"a": [{}]}}
    blobs = [b"", b"\x00\xff" * 1000, "ü".encode()]
    assert worker.call("echo", arguments, blobs) == (arguments, blobs)


def test_nothing_starts_before_the_first_call() -> None:
    before = processes()
    worker = make()
    assert processes() == before
    worker.close()
    assert processes() == before


def test_a_call_costs_little(worker: Worker) -> None:
    worker.call("echo", None)
    times = []
    for _ in range(300):
        started = time.perf_counter()
        worker.call("echo", {"text": "x" * 500})
        times.append(time.perf_counter() - started)
    assert sorted(times)[150] < 0.002


def test_errors_keep_their_kind_message_and_line(worker: Worker) -> None:
    with pytest.raises(WorkerFailed) as error:
        worker.call("fail", None)
    assert (error.value.kind, error.value.line, error.value.hint) == ("template_invalid", 7, "Mend it.")
    assert error.value.message.startswith("is odd")
    with pytest.raises(WorkerFailed) as error:
        worker.call("fail_otherwise", None)
    assert (error.value.kind, error.value.line) == ("KeyError", 0)
    with pytest.raises(WorkerFailed, match="nonsense"):
        worker.call("nonsense", None)


@pytest.mark.parametrize("arguments", ["\ud800", {1, 2}, object()])
def test_what_is_no_json_is_not_sent(worker: Worker, arguments: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        worker.call("echo", arguments)
    assert worker.call("echo", 1) == (1, [])


def test_threads_get_their_own_answers(worker: Worker) -> None:
    wrong: list[object] = []

    def ask(name: int) -> None:
        for i in range(60):
            answer, blobs = worker.call("echo", [name, i], [str(name).encode() * 50])
            if answer != [name, i] or blobs != [str(name).encode() * 50]:
                wrong.append(answer)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# ---------------------------------------------------------------- limits
@pytest.mark.parametrize(("task", "arguments"), [("burn", None), ("sleep", 30)])
def test_time_is_limited_and_the_next_call_does_not_wait(worker: Worker, task: str, arguments: object) -> None:
    worker.call("echo", None)
    kind, seconds = limit(worker, task, arguments)
    assert kind == "time" and SECONDS <= seconds < SECONDS + 0.4
    started = time.monotonic()
    worker.call("echo", None)
    assert time.monotonic() - started < 0.25


def test_memory_is_limited(worker: Worker) -> None:
    assert worker.call("eat", 32 << 20) == (32 << 20, [])
    assert limit(worker, "eat", 1 << 30)[0] == "memory"
    assert worker.call("echo", 1) == (1, [])


def test_output_is_limited(worker: Worker) -> None:
    assert len(worker.call("flood", 1 << 19)[1][0]) == 1 << 19
    assert limit(worker, "flood", 1 << 20)[0] == "output"
    assert limit(worker, "scribble", "ffffffff00")[0] == "output"  # the parent believes no length it is told


@pytest.mark.parametrize("junk", ["00000002", "000000027b7d", "000000025b5d", "00000003ff0000"])
def test_broken_answers_are_a_crash_not_an_answer(worker: Worker, junk: str) -> None:
    assert limit(worker, "scribble", junk)[0] in ("crash", "time")
    assert worker.call("echo", 1) == (1, [])


def test_a_process_that_dies_is_a_crash_and_is_replaced(worker: Worker) -> None:
    for _ in range(3):
        assert limit(worker, "die")[0] == "crash"
        assert worker.call("echo", 1) == (1, [])


def test_a_warm_process_killed_from_outside_is_replaced(worker: Worker) -> None:
    for _ in range(3):
        os.kill(worker.call("pid", None)[0], signal.SIGKILL)
        time.sleep(0.05)
        assert worker.call("echo", 1) == (1, [])


@pytest.mark.clock
@pytest.mark.parametrize("burners", [1, 2])
def test_burning_calls_delay_nobody(worker: Worker, burners: int) -> None:
    """Two burn as many processes as there are; what they may hold up is the time until spares are there."""
    worker.call("echo", None)
    time.sleep(0.3)  # both are warm
    burnt: list[str] = []

    def burn() -> None:
        for _ in range(5):
            burnt.append(limit(worker, "burn")[0])

    threads = [threading.Thread(target=burn) for _ in range(burners)]
    for thread in threads:
        thread.start()
    time.sleep(SECONDS if burners > 1 else 0)
    with Bystander(lambda: worker.call("echo", None)) as bystander:
        for thread in threads:
            thread.join()
    assert burnt == ["time"] * 5 * burners
    assert bystander.delay < 0.25


def test_spare_processes_go_when_all_is_calm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.worker.CALM", 0.3)
    before = set(processes())
    worker = make()
    limit(worker, "sleep", 30)
    time.sleep(0.5)
    assert len(set(processes()) - before) > 2
    until = time.monotonic() + 5
    while len(set(processes()) - before) > 2 and time.monotonic() < until:
        worker.call("echo", None)
        time.sleep(0.05)
    assert len(set(processes()) - before) == 2
    worker.close()


# ---------------------------------------------------------------- surroundings
def test_a_task_sees_nothing_of_its_parent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    worker = make()
    facts, _ = worker.call("surroundings", None)
    assert "secret" not in str(facts) and "HF_TOKEN" not in facts["environment"]
    assert facts["place"] == os.path.abspath(os.sep) and facts["heavy"] == []
    assert worker.call("chatter", None) == ("", [])  # what it prints is lost, what it reads is empty
    with pytest.raises(WorkerFailed):
        worker.call("write", str(tmp_path / "file"))
    assert not (tmp_path / "file").exists() or (tmp_path / "file").stat().st_size == 0
    worker.close()


def test_a_module_that_cannot_be_imported_says_so() -> None:
    worker = Worker("tests.no_such_tasks", seconds=1, memory_mb=64, output_bytes=1000)
    for _ in range(2):
        with pytest.raises(WorkerFailed, match="no_such_tasks"):
            worker.call("echo", None)
    before = processes()
    time.sleep(0.3)
    assert set(processes()) <= set(before)  # and it is not tried again and again
    worker.close()


# ---------------------------------------------------------------- the end
def test_close_leaves_nothing_behind() -> None:
    before = set(processes())
    worker = make()
    problems: list[BaseException] = []

    def sleep() -> None:
        try:
            worker.call("sleep", 30)
        except WorkerFailed as error:
            problems.append(error)

    worker.call("echo", None)
    thread = threading.Thread(target=sleep)
    thread.start()
    time.sleep(0.1)
    assert len(set(processes()) - before) >= 2
    worker.close()
    thread.join(1)
    assert not thread.is_alive() and problems[0].kind == "closed"  # type: ignore[attr-defined]
    assert set(processes()) - before == set()
    with pytest.raises(WorkerFailed, match="closed"):
        worker.call("echo", None)
    worker.close()


SCRIPT = """
import sys, threading
from workbench.worker import Worker
worker = Worker("tests.worker_tasks", seconds=0.5, memory_mb=64, output_bytes=1000)
print(worker.call("pid", None)[0], flush=True)
if sys.argv[1] == "stay":
    worker.seconds = 100  # nobody ends the burning task in time: its own process must
    threading.Thread(target=worker.call, args=("burn", None), daemon=True).start()
    sys.stdin.read()
"""


@pytest.mark.parametrize("how", ["leaves", "stay"])
def test_children_go_when_their_parent_does(root: Path, how: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, how], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout and parent.stdin
    children = [int(parent.stdout.readline())]
    if how == "stay":
        until = time.monotonic() + 10
        while len(children := processes(parent.pid)) < 2 and time.monotonic() < until:
            time.sleep(0.1)
        time.sleep(0.3)
        assert len(children) >= 2
        parent.kill()
    parent.wait(20)
    parent.stdin.close()
    parent.stdout.close()
    assert gone(children, 8 if how == "stay" else 4)
