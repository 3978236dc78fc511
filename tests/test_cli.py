"""The command line: a line in, a line out; what is bad is answered in its place and shows in the exit code."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_wire import png
from tests.tiny import checkpoint
from workbench import commands, wire
from workbench.__main__ import main
from workbench.pool import LEXICAL, Bench

BODY = {"query": "red circle", "documents": ["nothing", "a red circle", "red"]}
TEMPLATE = "{{ instruction | default('none', true) }}|{{ messages[0].content }}|{{ messages[1].content }}"


@pytest.fixture
def requests(tmp_path: Path) -> Path:
    return tmp_path / "requests.jsonl"


def write(path: Path, *bodies: object) -> None:
    lines = (body if isinstance(body, str) else json.dumps(body) for body in bodies)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def run(command: str, source: Path, *flags: str) -> tuple[int, list[dict[str, object]]]:
    out = source.with_name("answers.jsonl")
    code = main([command, "--model", LEXICAL, "--in", str(source), "--out", str(out), *flags])
    return code, [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


def test_a_line_is_answered_as_over_http(bench: Bench, requests: Path) -> None:
    write(requests, BODY, {**BODY, "top_n": 1})
    code, answers = run("rerank", requests)
    expected = wire.answer_rerank(bench, wire.read_rerank(BODY, bench))
    assert code == 0 and answers[0] | {"id": ""} == expected | {"id": ""} and len(answers[1]["results"]) == 1


def test_a_bad_line_is_answered_and_the_others_go_on(requests: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(requests, "{", BODY, "", {"query": "q", "documents": ["a", 3]}, {**BODY, "model": "no/such"}, BODY)
    code, answers = run("rerank", requests)
    assert code == 1 and [("error" in a) for a in answers] == [True, False, True, True, False]
    assert "documents[1]" in answers[2]["error"]["message"] and answers[3]["error"]["code"] == 404
    assert "3 of 5" in capsys.readouterr().err


def test_details_show_every_pair_and_fail_one_alone(requests: Path) -> None:
    write(requests, {**BODY, "documents": [*BODY["documents"], {"image": "gone.png"}]})
    code, [answer] = run("rerank", requests, "--details")
    assert code == 0 and [r["index"] for r in answer["results"]] == [1, 2, 0]
    assert [p["index"] for p in answer["pairs"]] == [0, 1, 2, 3]
    assert answer["pairs"][3]["error"] and answer["pairs"][0]["prompt"] and answer["pairs"][0]["token_ids"]
    assert sorted((p["score"] for p in answer["pairs"][:3]), reverse=True) == [
        r["relevance_score"] for r in answer["results"]
    ]


def test_paths_are_relative_to_the_file(requests: Path) -> None:
    (requests.parent / "red.png").write_bytes(png())
    name = "qwen3-vl-reranker"
    write(requests, {"query": "q", "documents": [{"image": "red.png"}, {"image": "no.png"}], "template": name})
    _, [answer] = run("render", requests)
    assert "no.png" in answer["pairs"][1]["error"]["message"]
    assert "no.png" not in str(answer["pairs"][0]["error"]) and "red.png" not in str(answer["pairs"][1])


def test_score_and_render_have_their_own_bodies(requests: Path) -> None:
    write(requests, {"text_1": "red circle", "text_2": BODY["documents"]})
    code, [answer] = run("score", requests, "--details")
    assert code == 0 and [d["index"] for d in answer["data"]] == [0, 1, 2] and len(answer["pairs"]) == 3
    write(requests, BODY)
    code, [answer] = run("render", requests)
    assert code == 0 and set(answer) == {"pairs", "warnings"} and "score" not in answer["pairs"][0]


def test_flags_are_the_defaults_of_lines_that_have_none(requests: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.jinja").write_text(TEMPLATE, encoding="utf-8")
    one = {"query": "q", "documents": ["d"]}
    write(
        requests,
        one,
        {**one, "instruction": "own"},
        {**one, "instruction": None},
        {**one, "template": "T{{ messages[1].content }}"},
        {**one, "chat_template_kwargs": {"instruction": "kwargs"}},
    )
    _, answers = run("render", requests, "--template", str(tmp_path / "mine.jinja"), "--instruction", "flag")
    assert [a["pairs"][0]["prompt"] for a in answers] == ["flag|q|d", "own|q|d", "flag|q|d", "Td", "kwargs|q|d"]


def test_the_head_can_be_given_in_vllms_words(requests: Path, tiny_qwen3: Path) -> None:
    """The raw rows of yes and of no are as far apart as the default head says."""
    write(requests, {**BODY, "use_activation": False})
    logits = {}
    for name in (None, "yes", "no"):
        words = json.dumps({"classifier_from_token": [name], "method": "no_post_processing"})
        flags = [] if name is None else ["--hf-overrides", words]
        code, [answer] = run("rerank", requests, "--model", str(tiny_qwen3), "--device", "cpu", *flags)
        assert code == 0
        logits[name] = {r["index"]: r["relevance_score"] for r in answer["results"]}
    for i, margin in logits[None].items():
        assert logits["yes"][i] - logits["no"][i] == pytest.approx(margin, abs=1e-4) and margin != pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("model", "words", "says"),
    [
        (LEXICAL, "{", "no JSON"),
        (LEXICAL, "[]", "no JSON object"),
        (LEXICAL, '{"method": "x"}', "no config"),
        ("http://127.0.0.1:9", '{"method": "x"}', "does nothing to a server"),
        ("qwen3", '{"classifier_from_token": ["yes"]}', "gives no score"),
        ("qwen3", '{"method": "no_post_processing"}', "without the label tokens"),
        ("qwen3", '{"family": "reward"}', "chat template"),
    ],
)
def test_overrides_that_nothing_would_read_are_said(
    requests: Path, tiny_qwen3: Path, capsys: pytest.CaptureFixture[str], model: str, words: str, says: str
) -> None:
    write(requests, BODY)
    name = str(tiny_qwen3) if model == "qwen3" else model
    assert main(["rerank", "--model", name, "--hf-overrides", words, "--in", str(requests)]) == 2
    assert says in capsys.readouterr().err


def test_dashes_are_the_standard_streams(
    requests: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps({**BODY, "query": "é 😀"}).encode())))
    assert main(["render", "--model", LEXICAL, "--in", "-"]) == 0
    out, err = capsys.readouterr()
    assert "é 😀" in json.loads(out)["pairs"][0]["prompt"] and err == ""


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--model", "no-such-folder/here"], "no-such-folder/here"),
        (["--template", "no-such.jinja"], "no-such.jinja"),
        (["--in", "no-such.jsonl"], "no-such.jsonl"),
        (["--out", "no/such/folder/out.jsonl"], "out.jsonl"),
    ],
)
def test_what_cannot_begin_is_a_sentence(
    requests: Path, capsys: pytest.CaptureFixture[str], flags: list[str], says: str
) -> None:
    write(requests, BODY)
    assert main(["rerank", "--model", LEXICAL, "--in", str(requests), *flags]) == 2
    out, err = capsys.readouterr()
    assert says in err and "Traceback" not in err and out == ""


def test_the_requests_are_never_overwritten(requests: Path) -> None:
    write(requests, BODY)
    before = requests.read_bytes()
    assert main(["rerank", "--model", LEXICAL, "--in", str(requests), "--out", str(requests)]) == 2
    assert requests.read_bytes() == before


def test_finished_lines_survive_an_interruption(requests: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(requests, BODY, BODY, BODY)
    answer, calls = wire.answer_rerank, []

    def interrupted(*args: object, **named: object) -> object:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return answer(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(wire, "answer_rerank", interrupted)
    code, answers = run("rerank", requests)
    assert code == 130 and len(answers) == 2


class Screen(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.mark.parametrize(("terminal", "shown"), [(True, [1.0, 1.25, 1.5]), (False, [5.0, 10.0])])
def test_progress_is_silent_at_first_and_then_moves(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, shown: list[float]
) -> None:
    now = 0.0
    monkeypatch.setattr(commands.time, "monotonic", lambda: now)
    stream, seen = Screen(terminal), []
    progress = commands.Progress(stream)
    for tick in range(7 if terminal else 41):
        now, before = tick / 4, len(stream.getvalue())
        progress.say(f"line {tick}")
        if len(stream.getvalue()) > before:
            seen.append(now)
    assert seen == pytest.approx(shown) and ("\r" in stream.getvalue()) == terminal


def test_a_bundle_carries_the_instruction(requests: Path, tmp_path: Path) -> None:
    write(requests, BODY, {**BODY, "documents": ["more"]})
    out = tmp_path / "bundle"
    flags = ["--instruction", "Find what is red", "--target", "vllm", "--out", str(out), "--template", "qwen3-reranker"]
    assert main(["export", "--model", LEXICAL, "--in", str(requests), *flags]) == 0
    assert {"template.jinja", "manifest.json", "serve.sh", "README.md"} <= {p.name for p in out.iterdir()}
    assert "Find what is red" in (out / "template.jinja").read_text(encoding="utf-8")
    write(requests, BODY, {**BODY, "instruction": "another"})
    assert main(["export", "--model", LEXICAL, "--in", str(requests), *flags]) == 2


def test_a_model_of_pairs_leaves_without_a_template(
    requests: Path, tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(requests, BODY)
    out, model = tmp_path / "bundle", str(checkpoint("xlm-roberta-ce", root / ".cache" / "tiny"))
    flags = ["--in", str(requests), "--target", "text-embeddings-inference", "--out", str(out), "--dtype", "float32"]
    assert main(["export", "--model", model, *flags]) == 0
    said = capsys.readouterr().out
    assert "✓ text-embeddings-inference" in said and "✗ sequence-classification" in said
    assert "serve-tei.sh" in {p.name for p in out.iterdir()} and not (out / "template.jinja").exists()
    assert main(["export", "--model", model, "--instruction", "Find what is red", *flags]) == 2
    assert "reads no instruction" in capsys.readouterr().err


def test_the_demo_wing_answers_for_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["demo", "scenarios", "--help"])
    assert left.value.code == 0 and "demo scenarios" in capsys.readouterr().out
    with pytest.raises(SystemExit) as left:
        main(["demo", "dance"])
    assert left.value.code == 2


def test_it_runs_as_a_module(root: Path, requests: Path) -> None:
    write(requests, BODY, "broken")
    command = [sys.executable, "-m", "workbench", "rerank", "--model", LEXICAL, "--in", str(requests), "--out", "-"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60, encoding="utf-8")
    first, second = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 1 and first["results"][0]["index"] == 1 and second["error"]["code"] == 400
    assert "1 of 2" in done.stderr


@pytest.mark.parametrize("model", ["qwen3", "qwen3-vl"])
def test_vllms_answers_come_out_of_the_command_line(
    model: str, requests: Path, root: Path, request: pytest.FixtureRequest
) -> None:
    """Every golden case as a line: ids equal, logit and score within 1e-4 of what a vLLM server answered."""
    golden = json.loads((root / "tests" / "golden" / "vllm_qwen.json").read_text(encoding="utf-8"))
    cases = [c for c in golden["cases"] if c["model"] == model]
    write(requests, *({**c["request"], "template": golden["templates"][c["template"]]} for c in cases))
    folder: Path = request.getfixturevalue(f"tiny_{model.replace('-', '_')}")
    flags = ["--model", str(folder), "--parity", "vllm", "--device", "cpu", "--dtype", "float32", "--details"]
    code, answers = run("rerank", requests, *flags)
    assert code == 0 and len(answers) == len(cases) > 5
    for case, answer in zip(cases, answers, strict=True):
        [pair] = answer["pairs"]
        assert pair["token_ids"] == case["token_ids"]
        assert pair["logit"] == pytest.approx(case["logit"], abs=1e-4)
        assert answer["results"][0]["relevance_score"] == pytest.approx(case["score"], abs=1e-4)
        assert answer["usage"]["prompt_tokens"] == len(case["token_ids"])


def test_lint_says_what_is_wrong_and_fails_on_errors_alone(root: Path, requests: Path, tmp_path: Path) -> None:
    model, out = root / "assets" / "demo-reranker", tmp_path / "said.jsonl"
    broken = tmp_path / "broken.jinja"
    own = (root / "templates" / "qwen3-vl-reranker.jinja").read_text(encoding="utf-8")
    broken.write_text(own.replace("assistant\\n' -}}", "assistant' -}}"), encoding="utf-8")
    write(requests, {**BODY, "documents": ["fine", "a <|im_end|> b"]})
    command = ["--model", str(model), "--in", str(requests), "--out", str(out)]
    assert main(["lint", *command]) == 0
    (answer,) = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(f["index"], f["code"]) for f in answer["findings"]] == [(1, "W2")]
    assert main(["lint", *command, "--template", str(broken)]) == 1
    (answer,) = [json.loads(line) for line in out.read_text().splitlines()]
    first = answer["findings"][0]
    assert first["code"] == "E6" and first["line"] == own.rstrip().count("\n") + 1
    assert first["fix"]["template"].startswith("{#-")
    exporting = ["export", "--model", str(model), "--in", str(requests), "--target", "vllm", "--template", str(broken)]
    no, yes = tmp_path / "no", tmp_path / "yes"
    assert main([*exporting, "--out", str(no)]) == 2 and not no.exists()
    assert main([*exporting, "--out", str(yes), "--lint", "off"]) == 0 and (yes / "template.jinja").is_file()
