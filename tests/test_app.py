"""The roof: what it refuses to start as, and the real server it starts, screen and HTTP door on one port."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import app as roof
from tests.test_worker import processes
from workbench import wire
from workbench.errors import ModelUnavailable
from workbench.pool import LEXICAL, Bench

BODY = {"query": "red circle", "documents": ["nothing", "a red circle", "red"]}


@pytest.fixture(autouse=True)
def undone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What app.py changes of its process is put back."""
    for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
        if not os.environ[name]:
            monkeypatch.delenv(name)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


# ---------------------------------------------------------------- flags and environment
def test_the_default_is_this_machine_alone() -> None:
    args = roof.arguments([], {"GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_SERVER_PORT": "1"})
    assert (args.host, args.port, args.space, args.auth, args.api_key) == ("127.0.0.1", 7860, False, None, None)


def test_a_space_says_where_to_listen() -> None:
    args = roof.arguments([], {"SPACE_ID": "me/it", "GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_SERVER_PORT": "7861"})
    assert (args.host, args.port, args.space) == ("0.0.0.0", 7861, True)


def test_a_space_offers_no_folders(tmp_path: Path) -> None:
    args = roof.arguments(["--data", str(tmp_path)], {"SPACE_ID": "me/it"})
    bench = roof.open_house(args)
    try:
        with pytest.raises(ModelUnavailable, match="not offered"):
            bench.pool.get(str(tmp_path))
    finally:
        bench.close()


def test_connections_send_what_they_have_at_once() -> None:
    """asyncio turns Nagle's algorithm off for sockets that say they are TCP, and for no others."""
    for host in ("127.0.0.1", "localhost"):
        with roof._bind(host, 0) as sock:
            assert (sock.type, sock.proto) == (socket.SOCK_STREAM, socket.IPPROTO_TCP)


def test_the_first_page_finds_everything_up(tmp_path: Path) -> None:
    """The workers' children are there, and the shipped model has been read, before anybody asks."""
    args = roof.arguments(["--data", str(tmp_path), "--device", "cpu"], {})
    bench, before = roof.open_house(args), set(processes())
    try:
        bench.prepare()
        until = time.monotonic() + 20
        while len(set(processes()) - before) < 4 and time.monotonic() < until:
            time.sleep(0.05)
        assert len(set(processes()) - before) == 4  # two that render and two that decode
        assert bench.pool.get(bench.model).facts().loaded == (bench.model != LEXICAL)
    finally:
        bench.close()


def test_features_of_pictures_are_kept_where_that_is_asked_for(tmp_path: Path) -> None:
    for flags, kept in (([], None), (["--feature-cache", "1.5"], (tmp_path / "features", 1_500_000_000))):
        bench = roof.open_house(roof.arguments(["--data", str(tmp_path), *flags], {}))
        assert bench.library.features == kept
        bench.close()


def test_the_head_can_be_given_in_vllms_words(tmp_path: Path, tiny_qwen3: Path) -> None:
    words = '{"method": "no_post_processing", "classifier_from_token": ["Yes"]}'
    flags = ["--data", str(tmp_path), "--model", str(tiny_qwen3), "--hf-overrides", words]
    bench = roof.open_house(roof.arguments(flags, {}))
    try:
        family = bench.pool.get(bench.model).family
    finally:
        bench.close()
    assert (family.labels, family.method) == (("Yes",), "no_post_processing")


@pytest.mark.parametrize(
    "flags",
    [
        ["--auth", "nobody"],
        ["--auth", ":x"],
        ["--upload-quota", "much"],
        ["--upload-quota", "-1"],
        ["--media-quota", "0"],
        ["--parity", "tgi"],
        ["--dtype", "int4"],
        ["--port", "x"],
        ["--port", "70000"],
    ],
)
def test_wrong_flags_are_refused(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        roof.arguments(flags, {})
    assert left.value.code == 2 and flags[0] in capsys.readouterr().err


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_an_open_address_without_a_guard_does_not_start(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert roof.main(["--host", host]) == 2
    assert "--auth USER:PASSWORD" in capsys.readouterr().err


def test_a_taken_port_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert roof.main(["--port", str(port)]) == 2
    assert f"127.0.0.1:{port}" in (err := capsys.readouterr().err) and "--port" in err


@pytest.mark.parametrize(
    "flags", [["--template", "no-such.jinja"], ["--data", "app.py/no-such"], ["--host", "127.0.0.1.5"]]
)
def test_what_cannot_start_says_so(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert roof.main(["--port", "0", "--auth", "a:b", *flags]) == 2
    err = capsys.readouterr().err
    assert "app.py: " in err and "Traceback" not in err and flags[-1].split("/")[-1] in err


def test_a_name_behind_a_proxy_needs_a_guard(capsys: pytest.CaptureFixture[str]) -> None:
    assert roof.main(["--port", "0", "--allow-host", "rerank.example.org"]) == 2
    assert "--allow-host rerank.example.org" in (err := capsys.readouterr().err) and "--auth" in err


@pytest.mark.parametrize(("given", "size"), [([], 2_000_000_000), (["--upload-quota", "0.5"], 500_000_000)])
def test_the_quota_of_uploads_is_in_gigabytes(given: list[str], size: int) -> None:
    assert roof.arguments(given, {}).upload_quota == size
    assert roof.arguments(["--media-quota", "0.5"], {}).media_quota == 500_000_000


def test_a_server_answers_to_its_own_names_and_those_of_its_proxy(tmp_path: Path) -> None:
    from fastapi.testclient import TestClient

    def answers(host: str, origin: str, *flags: str) -> int:
        headers = {"Host": host, **({"Origin": origin} if origin else {})}
        args = roof.arguments(["--model", LEXICAL, "--data", str(tmp_path), *flags], {})
        bench = roof.open_house(args)
        try:
            return TestClient(roof.build(bench, args)).get("/health", headers=headers).status_code
        finally:
            bench.close()

    mine, allowed = "rerank.example.org", ("--allow-host", "rerank.example.org", "--auth", "a:b")
    assert answers(mine, "") == 403
    assert answers(mine, f"https://{mine}", *allowed) == 200
    assert answers("127.0.0.1:7860", f"https://{mine}", *allowed) == 200  # a proxy that rewrites the name
    assert answers("evil.example.org", "", *allowed) == 403
    assert answers(mine, "https://evil.example.org", *allowed) == 403


@pytest.mark.parametrize(("flags", "key"), [([], None), (["--api-key", "mine"], "mine")])
def test_an_open_address_has_a_key_for_its_http_door(
    flags: list[str], key: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(roof, "build", lambda bench, args, store: seen.append(args.api_key))
    monkeypatch.setattr(roof, "_run", lambda *_: None)
    assert roof.main(["--host", "0.0.0.0", "--port", "0", "--auth", "a:b", "--model", LEXICAL, *flags]) == 0
    if key is None:
        assert len(seen[0]) > 20 and seen[0] in capsys.readouterr().err
    else:
        assert seen == [key] and key not in capsys.readouterr().err


# ---------------------------------------------------------------- the server
@pytest.fixture(scope="module")
def house(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, subprocess.Popen[str], Path]]:
    """app.py as a user starts it; its private folders lie in a folder of ours."""
    temporary = tmp_path_factory.mktemp("tmp")
    process = subprocess.Popen(
        [sys.executable, "app.py", "--port", "0", "--model", LEXICAL, "--device", "cpu"],
        cwd=root, env={**os.environ, "TMPDIR": str(temporary)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            break
    else:
        pytest.fail("it never was ready: " + "".join(lines))
    yield found[0], process, temporary
    process.kill()
    process.wait(10)


def test_the_page_and_the_http_door_share_a_port(house: tuple[str, subprocess.Popen[str], Path], bench: Bench) -> None:
    url, _, _ = house
    page = httpx.get(url, timeout=20)
    assert page.status_code == 200 and "gradio" in page.text.lower()
    answer = httpx.post(f"{url}/rerank", json=BODY, timeout=20).json()
    expected = wire.answer_rerank(bench, wire.read_rerank(BODY, bench))
    assert answer | {"id": ""} == expected | {"id": ""}
    assert httpx.get(f"{url}/health", timeout=20).status_code == 200


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}])
@pytest.mark.parametrize("path", ["/", "/config", "/rerank", "/gradio_api/upload"])
def test_foreign_pages_reach_nothing(
    house: tuple[str, subprocess.Popen[str], Path], path: str, headers: dict[str, str]
) -> None:
    assert httpx.get(house[0] + path, headers=headers, timeout=20).status_code == 403


def test_no_file_of_the_machine_is_served(house: tuple[str, subprocess.Popen[str], Path], root: Path) -> None:
    for path in (root / "app.py", Path("/etc/passwd"), house[2]):
        assert httpx.get(f"{house[0]}/gradio_api/file={path}", timeout=20).status_code in (403, 404)


def test_it_leaves_nothing_behind(house: tuple[str, subprocess.Popen[str], Path]) -> None:
    _, process, temporary = house
    assert list(temporary.glob("workbench-*"))
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0
    until = time.monotonic() + 5
    while list(temporary.glob("workbench-*")) and time.monotonic() < until:
        time.sleep(0.05)
    assert not list(temporary.glob("workbench-*"))
