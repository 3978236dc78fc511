"""The Python door: light to import, five lines to a ranking, and the numbers HTTP gives for the same words."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import PIL.Image
import pytest
from fastapi.testclient import TestClient

import workbench
from tests.test_wire import data_url, png
from workbench import api
from workbench.errors import MediaInvalid, ModelUnavailable, PromptInvalid, RequestInvalid, WorkbenchError
from workbench.pool import LEXICAL
from workbench.types import Document, Encoding, Limits, ScoreResult, Text

TEXTS = ["nothing", "a red circle", "red"]
TEMPLATE = "{{- tone ~ ' ' ~ messages[0].content ~ messages[1].content ~ (instruction or '') ~ '\\n' -}}"


@pytest.fixture(scope="module")
def model(tiny_qwen3_vl: Path) -> Iterator[workbench.Model]:
    with workbench.load(tiny_qwen3_vl, device="cpu", dtype="float32") as model:
        yield model


@pytest.fixture(scope="module")
def client(model: workbench.Model) -> TestClient:
    return TestClient(api.build(model.bench))


def test_importing_is_light() -> None:
    script = "import sys, workbench; from workbench import load, rerank; print(callable(load), callable(rerank), *sys.modules)"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True).stdout
    assert said.startswith("True True")
    assert not {"torch", "transformers", "gradio", "fastapi", "pandas", "httpx"} & set(said.split())
    script = "import sys, workbench; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True).stdout
    assert [m for m in said.split() if m.startswith("workbench.")] == []
    with pytest.raises(AttributeError):
        workbench.nonsense  # noqa: B018


def test_readmes_five_lines_run_as_written(root: Path) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (root / "README.md").read_text(encoding="utf-8"), re.S)
    assert len([line for line in block.splitlines() if line.strip()]) == 5
    out = subprocess.run([sys.executable, "-c", block], cwd=root, capture_output=True, text=True, timeout=300)
    assert out.returncode == 0, out.stderr
    assert "a crimson square" in out.stdout.splitlines()[0]


# ---------------------------------------------------------------- the same as over HTTP
ASKED = [
    ({}, {}),
    ({"instruction": "Find colours"}, {"instruction": "Find colours"}),
    ({"variables": {"instruction": "kept"}, "instruction": "lost"},
     {"chat_template_kwargs": {"instruction": "kept"}, "instruction": "lost"}),
    ({"template": TEMPLATE, "variables": {"tone": "kind"}}, {"template": TEMPLATE, "chat_template_kwargs": {"tone": "kind"}}),
    ({"template": "qwen3-reranker"}, {"template": "qwen3-reranker"}),
    ({"parity": "vllm", "limits": Limits(max_tokens_per_doc=2, truncate_prompt_tokens=30)},
     {"parity": "vllm", "max_tokens_per_doc": 2, "truncate_prompt_tokens": 30}),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "body"), ASKED, ids=str)
def test_rerank_and_render_are_those_of_http(
    model: workbench.Model, client: TestClient, asked: dict[str, object], body: dict[str, object]
) -> None:
    ranking = workbench.rerank(model, "red circle", TEXTS, **asked)
    answer = client.post("/rerank", json={"query": "red circle", "documents": TEXTS, **body}).json()
    assert [r.index for r in ranking.ranked] == [r["index"] for r in answer["results"]]
    values = [r.score.value for r in ranking.ranked if r.score]
    assert values == pytest.approx([r["relevance_score"] for r in answer["results"]], abs=1e-6)
    pairs = client.post("/render", json={"query": "red circle", "documents": TEXTS, **body}).json()["pairs"]
    shown = workbench.render(model, "red circle", TEXTS, **asked)
    assert [list(e.token_ids) for e in shown if isinstance(e, Encoding)] == [p["token_ids"] for p in pairs]
    assert ranking.seconds > 0 and not ranking.partial


def test_a_picture_is_the_same_however_it_is_given(model: workbench.Model, client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(png(96, 64))
    picture = PIL.Image.open(tmp_path / "red.png")
    url = {"content": [{"type": "image_url", "image_url": {"url": data_url(png(96, 64))}}]}
    ways = [tmp_path / "red.png", picture, picture.convert("RGBA"), png(96, 64), [tmp_path / "red.png"], url,
            {"image": str(tmp_path / "red.png")}]  # fmt: skip
    found = [r.score.logit for r in workbench.score(model, "red", ways) if r.score]
    assert found == pytest.approx([found[0]] * len(ways), abs=1e-5) and len(found) == len(ways)
    answer = client.post("/score", json={"text_1": "red", "text_2": [url], "use_activation": False}).json()
    assert answer["data"][0]["score"] == pytest.approx(found[0], abs=1e-5)
    both = workbench.render(model, [picture, "and red"], [(picture, Text("more"))])
    assert isinstance(both[0], Encoding) and both[0].token_ids.count(151655) == 12


def test_score_pairs_as_http_does(model: workbench.Model) -> None:
    many = workbench.score(model, ["red", "circle"], ["a", "b"])
    alone = [workbench.score(model, q, d)[0] for q, d in (("red", "a"), ("circle", "b"))]
    assert [r.score.logit for r in many if r.score] == pytest.approx([r.score.logit for r in alone if r.score], abs=1e-5)
    with pytest.raises(RequestInvalid, match="2:3"):
        workbench.score(model, ["q", "r"], ["a", "b", "c"])


def test_prompts_that_are_made_already(model: workbench.Model, client: TestClient) -> None:
    shown = [e for e in workbench.render(model, "red", TEXTS, parity="vllm") if isinstance(e, Encoding)]
    ids = [list(e.token_ids) for e in shown]
    expected = [r.score.logit for r in workbench.score(model, "red", TEXTS, parity="vllm") if r.score]
    assert [s.logit for s in workbench.classify(model, ids)] == pytest.approx(expected, abs=1e-5)
    assert workbench.classify(model, ids[0])[0].logit == pytest.approx(expected[0], abs=1e-5)
    assert workbench.tokenize(model, shown[0].prompt.text) == ids[0]
    assert workbench.detokenize(model, ids[0]) == shown[0].prompt.text
    with pytest.raises(PromptInvalid, match=r"input\[1\]"):
        workbench.classify(model, [[1], [10**9]])


# ---------------------------------------------------------------- results as they come, and what fails
def test_results_stream_and_stop(model: workbench.Model) -> None:
    stream = workbench.rerank(model, "red", TEXTS, stream=True)
    assert not isinstance(stream, list) and {r.index for r in stream} == {0, 1, 2}
    assert workbench.rerank(model, "red", TEXTS, stop=lambda: True).partial


def test_a_document_that_cannot_be_used_is_among_the_failed(model: workbench.Model, tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_bytes(png()[:40])
    float_picture = PIL.Image.new("F", (8, 8))
    ranking = workbench.rerank(
        model, "red", ["fine", tmp_path / "gone.png", tmp_path / "torn.png", float_picture, 7, {"image": "gone.png"}]
    )
    assert [r.index for r in ranking.ranked] == [0] and [r.index for r in ranking.failed] == [1, 2, 3, 4, 5]
    kinds = [type(r.error) for r in ranking.failed]
    assert kinds == [MediaInvalid, MediaInvalid, MediaInvalid, RequestInvalid, MediaInvalid]
    assert 'convert("RGB")' in str(ranking.failed[2].error)
    assert all(isinstance(r, ScoreResult) and isinstance(r.document, Document) for r in ranking.failed)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda m: workbench.rerank(m, "", []), RequestInvalid),
        (lambda m: workbench.rerank(m, "q", "one text"), RequestInvalid),
        (lambda m: workbench.rerank(m, [], ["d"]), RequestInvalid),
        (lambda m: workbench.rerank(m, "q", ["d"], template="no-such-file"), RequestInvalid),
        (lambda m: workbench.rerank(m, "q", ["d"], parity="vllm", limits=Limits(max_tokens_per_doc=10**6)), RequestInvalid),
        (lambda m: workbench.load("no/such/model"), ModelUnavailable),
        (lambda m: workbench.load("x", endpoints=["http://127.0.0.1:9"]), RequestInvalid),
        (lambda m: workbench.load(endpoint_key="k"), RequestInvalid),
    ],
)
def test_what_cannot_begin_raises(model: workbench.Model, call: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        call(model)  # type: ignore[operator]


def test_overrides_choose_the_head(tiny_qwen3: Path) -> None:
    """The raw rows of yes and of no are as far apart as the head without overrides says."""
    logits: dict[str, dict[int, float]] = {}
    for word in ("", "yes", "no"):
        given = {"hf_overrides": {"classifier_from_token": [word], "method": "no_post_processing"}} if word else {}
        with workbench.load(tiny_qwen3, device="cpu", dtype="float32", **given) as opened:
            found = workbench.rerank(opened, "a red circle", TEXTS).ranked
            logits[word] = {r.index: r.score.logit for r in found if r.score}
    assert len(logits[""]) == len(TEXTS)
    for i, margin in logits[""].items():
        assert logits["yes"][i] - logits["no"][i] == pytest.approx(margin, abs=1e-4) and margin != pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "overrides", "says"),
    [
        ("qwen3", {"classifier_from_token": ["yes"]}, "gives no score"),
        ("qwen3", {"method": "no_post_processing"}, "without the label tokens"),
        (LEXICAL, {"method": "x"}, "no config"),
        ("http://127.0.0.1:9", {"method": "x"}, "config"),
    ],
)
def test_overrides_that_nothing_would_read_are_said(
    tiny_qwen3: Path, name: str, overrides: dict[str, object], says: str
) -> None:
    with pytest.raises(WorkbenchError, match=says):
        workbench.load(tiny_qwen3 if name == "qwen3" else name, hf_overrides=overrides)


def test_closing_ends_what_was_opened(tiny_qwen3: Path) -> None:
    model = workbench.load(tiny_qwen3)
    folder = model.bench.library._folder.parent
    assert folder.exists()
    model.close()
    model.close()
    assert not folder.exists()


def test_a_path_of_a_template_is_read(model: workbench.Model, tmp_path: Path) -> None:
    (tmp_path / "mine.jinja").write_text(TEMPLATE, encoding="utf-8")
    a, b = (workbench.render(model, "q", ["d"], template=t, variables={"tone": "x"}) for t in (tmp_path / "mine.jinja", TEMPLATE))
    assert isinstance(a[0], Encoding) and isinstance(b[0], Encoding) and a[0].token_ids == b[0].token_ids
    assert json.dumps(a[0].prompt.text) == '"x qd\\n"'
