"""Snippets run as they leave, against a real server with the bundle's template; manifests are read by their own schemas."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.bundles import unpacked
from tests.servers import served
from workbench import api
from workbench.export import Outgoing, files_of
from workbench.pool import Bench
from workbench.template import template_of

FILES = {"langchain": "langchain_rerank", "llama-index": "llama_index_rerank", "haystack": "haystack_rerank"}
NEEDS = {"haystack": "haystack", "llama-index": "llama_index.core", "langchain": "langchain_cohere"}
CLUSTER = "1.31"  # a Kubernetes that is in use


def needed(name: str) -> Any:
    return pytest.importorskip(name, reason=f"NOT RUN: bash tests/run installs {name}")


@pytest.fixture(scope="module")
def address(bench: Bench, exported: Outgoing, tiny_qwen3: Path) -> Iterator[str]:
    """A server of ours with the template of the bundle, by vLLM's recipe."""
    template = template_of(exported.template, exported.scorer.family)
    own = Bench(bench.pool, bench.renderer, bench.library, bench.families, str(tiny_qwen3), template, "vllm")
    with served(api.build(own)) as url:
        yield url


@pytest.mark.parametrize("target", FILES)
def test_a_clients_snippet_prints_the_golden_score(
    bench: Bench, exported: Outgoing, address: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAYSTACK_TELEMETRY_ENABLED", "False")
    needed(NEEDS[target])
    source = files_of(bench, exported.aimed(target), ())[f"{FILES[target]}.py"].decode()
    said = io.StringIO()
    with redirect_stdout(said):
        exec(compile(source.replace("http://127.0.0.1:8000", address), target, "exec"), {"__name__": "__main__"})
    (score, document), (golden,) = said.getvalue().split(), [g for g in exported.golden if g.case.covers == "given"]
    assert document == "d" and float(score) == pytest.approx(golden.score.value, abs=1e-4)


def test_kubernetes_takes_its_manifest(bench: Bench, exported: Outgoing, tmp_path: Path) -> None:
    cluster = needed("kubernetes_validate")
    place = unpacked(files_of(bench, exported.aimed("kubernetes"), ()), tmp_path)
    parts = list(yaml.safe_load_all((place / "kubernetes.yaml").read_text(encoding="utf-8")))
    for part in parts:
        cluster.validate(part, CLUSTER, strict=True)
    assert [p["kind"] for p in parts] == ["ConfigMap", "Deployment", "Service"]
    del parts[1]["spec"]["selector"]
    with pytest.raises(cluster.ValidationError):
        cluster.validate(parts[1], CLUSTER, strict=True)


def test_openapi_takes_the_exported_file_and_our_own(bench: Bench, exported: Outgoing) -> None:
    validator = needed("openapi_spec_validator")
    ours: dict[str, Any] = json.loads(files_of(bench, exported.aimed("openapi"), ())["openapi.json"])
    for shape in (ours, api.build(bench).openapi()):
        validator.validate(shape)
    wrong = needed("openapi_spec_validator.validation.exceptions").OpenAPIValidationError
    with pytest.raises(wrong, match="title"):
        validator.validate({**ours, "info": {}})
