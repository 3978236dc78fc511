"""Every target says ✓ or why not; what it gets is parsed by its own tool, and what can run here gives the golden scores."""

from __future__ import annotations

import ast
import importlib.util
import io
import json
import shlex
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.bundles import bundle_per_target
from workbench.errors import PromptInvalid, RequestInvalid
from workbench.export import Outgoing, TargetRow, compatibility, files_of
from workbench.export._golden import Golden
from workbench.export._probes import Case
from workbench.export.targets import TARGETS
from workbench.export.targets._vllm import arguments
from workbench.pool import Bench, Pool
from workbench.ranking import make_pair
from workbench.template import template_of
from workbench.types import Document, Query, Score, Text, Variant

REFUSED = {"text-embeddings-inference": "has no score template"}


@pytest.fixture(scope="module")
def rows(bench: Bench, exported: Outgoing) -> tuple[TargetRow, ...]:
    return compatibility(bench, exported)


@pytest.fixture(scope="module")
def made(
    bench: Bench, exported: Outgoing, rows: tuple[TargetRow, ...], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    return bundle_per_target(bench, exported, rows, tmp_path_factory)


def golden_texts(out: Outgoing) -> list[tuple[str, str, str | None, Golden]]:
    sides = [(g.case.query.content[0], g.case.document.content[0], g) for g in out.golden]
    return [(q.text, d.text, g.case.instruction, g) for q, d, g in sides if isinstance(q, Text) and isinstance(d, Text)]


def module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


# ---------------------------------------------------------------- ✓ or why not
def test_every_target_says_yes_or_why_not(rows: tuple[TargetRow, ...], exported: Outgoing) -> None:
    assert [r.name for r in rows] == list(TARGETS)
    assert {r.name for r in rows if not r.ok} == set(REFUSED)
    for row in rows:
        if row.name in REFUSED:
            assert REFUSED[row.name] in row.why_not
        else:
            assert row.asked >= len(exported.golden) - 1 and row.same == row.asked and not row.differences


def test_what_a_target_would_read_otherwise_is_shown_token_by_token(bench: Bench, exported: Outgoing) -> None:
    """llama.cpp replaces {query}, then {document} in the result: a query that spells the second is filled in."""
    variant = Variant(exported.scorer.name, template_of(exported.template), parity="vllm")
    case = Case("a query that spells it", Query("q", (Text("what is {document}"),)), Document("d", (Text("a file"),)))
    encoding = exported.scorer.encode(make_pair(bench.renderer, exported.scorer, variant, case.query, case.document))
    odd = replace(exported.golden[0], case=case, encoding=encoding)
    found = {r.name: r for r in compatibility(bench, replace(exported, golden=(*exported.golden, odd)))}
    row = found["llama.cpp"]
    assert not row.ok and "what" not in row.why_not.split("at token")[0]
    (difference,) = row.differences
    assert difference.covers == "a query that spells it" and encoding.token_ids[difference.at] == difference.golden[0][0]
    assert any("document" in text for _, text in difference.golden) and any("file" in text for _, text in difference.target)
    assert [r.name for r in found.values() if r.differences] == ["llama.cpp"]
    with pytest.raises(PromptInvalid, match="would read other tokens"):
        files_of(bench, replace(exported, golden=(*exported.golden, odd), target="llama.cpp"), ())


def test_a_target_there_is_none_of_is_named(bench: Bench, exported: Outgoing) -> None:
    with pytest.raises(RequestInvalid, match="there is no target 'x'"):
        files_of(bench, exported.aimed("x"), ())


# ---------------------------------------------------------------- parsed by their own tools
def test_every_file_is_what_its_name_says(made: dict[str, Path]) -> None:
    kinds = set()
    for place in made.values():
        for path in (p for p in place.rglob("*") if p.is_file()):
            text = path.read_text(encoding="utf-8")
            kinds.add(path.suffix)
            if path.suffix == ".py":
                ast.parse(text)
            elif path.suffix == ".sh":
                for shell in ("sh", "bash"):
                    subprocess.run([shell, "-n", str(path)], check=True, timeout=20)
            elif path.suffix == ".json":
                json.loads(text)
            elif path.suffix == ".jsonl":
                assert all(json.loads(line) for line in text.splitlines())
            elif path.suffix == ".yaml":
                assert all(isinstance(part, dict) for part in yaml.safe_load_all(text))
    assert kinds == {".py", ".sh", ".json", ".jsonl", ".yaml", ".jinja", ".md"}


def test_all_ways_to_start_vllm_say_the_same(made: dict[str, Path], exported: Outgoing) -> None:
    wanted = arguments(exported, "/bundle/template.jinja")
    compose = yaml.safe_load((made["docker-compose"] / "docker-compose.yaml").read_text())
    assert compose["services"]["reranker"]["command"] == wanted
    config, deployment, service = yaml.safe_load_all((made["kubernetes"] / "kubernetes.yaml").read_text())
    assert config["data"]["template.jinja"] == exported.template
    assert deployment["spec"]["template"]["spec"]["containers"][0]["args"] == wanted and service["kind"] == "Service"
    ascend = shlex.split((made["vllm-ascend"] / "serve-ascend.sh").read_text(), comments=True)
    assert ascend[ascend.index("vllm") :] == ["vllm", "serve", *wanted[1:]]
    options = module_constants(made["vllm-offline"] / "offline.py")["OPTIONS"]
    assert options["hf_overrides"] == json.loads(wanted[wanted.index("--hf-overrides") + 1])
    assert options["model"] == exported.served and options["runner"] == "pooling" and options["dtype"] == "float32"


def module_constants(path: Path) -> dict[str, Any]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    named = [(n.targets[0].id, n.value) for n in tree.body if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name)]
    return {name: ast.literal_eval(value) for name, value in named if name.isupper() and name != "HERE"}


@pytest.mark.parametrize("name", ["langchain", "llama-index", "haystack", "litellm", "vllm-offline"])
def test_snippets_ask_what_was_tried(made: dict[str, Path], name: str) -> None:
    (path,) = [p for p in made[name].glob("*.py") if p.name != "check.py"]
    constants = module_constants(path)
    assert constants["QUERY"] == "q" and constants["DOCUMENTS"] == ["d"]


def test_the_openapi_file_takes_its_example_and_refuses_others(made: dict[str, Path]) -> None:
    shape = json.loads((made["openapi"] / "openapi.json").read_text(encoding="utf-8"))
    content = shape["paths"]["/rerank"]["post"]["requestBody"]["content"]["application/json"]
    jsonschema.validate(content["example"], content["schema"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"query": "q"}, content["schema"])


def test_a_readme_has_the_command_and_every_target(made: dict[str, Path]) -> None:
    for name, place in made.items():
        text = (place / "README.md").read_text(encoding="utf-8")
        assert "python check.py http://" in text and all(f"| {t.title} |" in text for t in TARGETS.values()), name
        for command in ("sh ", "python "):
            for line in (x for x in text.splitlines() if x.startswith(command)):
                assert (place / line.split()[1]).is_file(), line


# ---------------------------------------------------------------- run here, with the golden scores
def test_the_transformers_file_gives_the_golden_scores(made: dict[str, Path], exported: Outgoing, tiny_qwen3: Path) -> None:
    reranker = module(made["transformers"] / "rerank.py").Reranker(str(tiny_qwen3))
    for query, document, instruction, golden in golden_texts(exported):
        assert tuple(reranker.ids(query, document, instruction)) == golden.encoding.token_ids
        assert reranker.logit(query, document, instruction) == pytest.approx(golden.score.logit, abs=1e-4)


def test_crossencoder_loads_the_folder_and_gives_the_golden_scores(
    made: dict[str, Path], exported: Outgoing, tiny_qwen3: Path, tmp_path: Path
) -> None:
    script = [sys.executable, str(made["sentence-transformers"] / "make_folder.py"), str(tiny_qwen3), str(tmp_path / "st")]
    assert subprocess.run(script, capture_output=True, text=True, timeout=120).returncode == 0
    _crossencoder(tmp_path / "st", exported)
    assert not (tiny_qwen3 / "modules.json").exists()
    assert subprocess.run(script, capture_output=True, text=True, timeout=120).returncode == 1  # never over another folder


def test_the_converted_folder_declares_the_prompt_and_gives_the_golden_scores(
    made: dict[str, Path], exported: Outgoing, tiny_qwen3: Path, tmp_path: Path, bench: Bench
) -> None:
    with redirect_stdout(io.StringIO()):
        module(made["sequence-classification"] / "convert.py").main(str(tiny_qwen3), tmp_path / "seq")
    _crossencoder(tmp_path / "seq", exported)
    pool = Pool(bench.families, bench.library, device="cpu", dtype="float32")
    name = str(tmp_path / "seq")
    assert pool.template(name).body == exported.template  # by vLLM's rule for what a folder declares
    scorer = pool.get(name)
    encodings = []
    for _, _, instruction, golden in golden_texts(exported):
        variant = Variant(name, pool.template(name), instruction, parity="vllm")
        encodings.append(scorer.encode(make_pair(bench.renderer, scorer, variant, golden.case.query, golden.case.document)))
    scores = dict(scorer.score(encodings))
    for at, golden in enumerate(exported.golden):
        score = scores[at]
        assert isinstance(score, Score) and score.logit == pytest.approx(golden.score.logit, abs=1e-4)


def _crossencoder(folder: Path, exported: Outgoing) -> None:
    import torch
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(str(folder), device="cpu", model_kwargs={"dtype": torch.float32})
    plain = [(q, d, g) for q, d, i, g in golden_texts(exported) if not i]
    for query, document, golden in plain:
        ids = model.preprocess([(query, document)])["input_ids"][0].tolist()
        assert tuple(ids) == golden.encoding.token_ids
        (logit,) = model.predict([(query, document)], activation_fn=torch.nn.Identity())
        assert float(logit) == pytest.approx(golden.score.logit, abs=1e-4)
