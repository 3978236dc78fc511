"""A model that reads its tokenizer's pair goes out without a template, and only to what joins the two texts the same way."""

from __future__ import annotations

import io
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.bundles import bundle_per_target, with_token_types
from tests.tiny import checkpoint
from workbench.errors import PromptInvalid, RequestInvalid
from workbench.export import Outgoing, TargetRow, bundle, compatibility, files_of, outgoing, prove
from workbench.export.targets import TARGETS
from workbench.imported import from_place
from workbench.pool import Bench
from workbench.template import template_of
from workbench.types import Document, Limits, Query, Text, Variant

QUERY = Query("q", (Text("the cat is"),))
ROWS = [Document(str(i), (Text(t),)) for i, t in enumerate(("a dog", "the cat is a dog", "é [SEP] 😀"))]
PROVEN = {"manifest.json", "manifest.schema.json", "golden.jsonl", "check.py", "README.md"}
REFUSED = {"llama.cpp": "first type", "sequence-classification": "already"}
# family's tiny checkpoint → targets that do not take it besides a converted folder, which none needs, and llama.cpp
LEFT_OUT: dict[str, dict[str, str]] = {
    "xlm-roberta-ce": {},
    "bert-ce": {"text-embeddings-inference": "other types", "sglang": "other types"},  # its tokenizer's settings name none
    "roberta-ce": {"sglang": "no RobertaForSequenceClassification"},
    "modernbert-ce": {"sglang": "no ModernBert", "text-embeddings-inference": "asks config.json for global_rope_theta"},
    "deberta-ce": {"text-embeddings-inference": "has no DebertaV2", "sglang": "no DebertaV2", "vllm": "no DebertaV2"},
    "ernie-ce": {"text-embeddings-inference": "has no Ernie", "sglang": "no Ernie", "vllm": "no Ernie"},
    "gte-ce": {"text-embeddings-inference": "asks config.json for rope_theta", "sglang": "no Gte", "vllm": "no Gte"},
}
ON_VLLM = {
    "vllm", "vllm-offline", "docker-compose", "kubernetes", "vllm-ascend", "langchain", "llama-index", "haystack", "litellm",
    "openapi",
}  # fmt: skip


def tiny(name: str, root: Path) -> Path:
    return checkpoint(name, root / ".cache" / "tiny")


@pytest.fixture(scope="module")
def bert(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With token types in its tokenizer's settings, as BERT's published checkpoints have them."""
    return with_token_types(tiny("bert-ce", root), tmp_path_factory.mktemp("bert") / "bert")


@pytest.fixture(scope="module")
def out(bench: Bench, bert: Path) -> Outgoing:
    return outgoing(bench, Variant(str(bert)), QUERY, ROWS)


@pytest.fixture(scope="module")
def rows(bench: Bench, out: Outgoing) -> tuple[TargetRow, ...]:
    return compatibility(bench, out)


@pytest.fixture(scope="module")
def made(bench: Bench, out: Outgoing, rows: tuple[TargetRow, ...], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return bundle_per_target(bench, out, rows, tmp_path_factory)


def texts(out: Outgoing) -> Iterator[tuple[str, str, Any]]:
    for golden in out.golden:
        (query,), (document,) = golden.case.query.content, golden.case.document.content
        assert isinstance(query, Text) and isinstance(document, Text)
        yield query.text, document.text, golden


def ran(place: Path, name: str) -> dict[str, Any]:
    """The names a file of a bundle defines, its main not run."""
    found: dict[str, Any] = {"__name__": name}
    exec(compile((place / name).read_text(encoding="utf-8"), name, "exec"), found)
    return found


# ---------------------------------------------------------------- what leaves
def test_a_bundle_has_no_template_and_its_files_say_so(made: dict[str, Path], out: Outgoing) -> None:
    place = made["vllm"]
    assert {p.name for p in place.iterdir()} == PROVEN | {"serve.sh", "request.json"}
    manifest, schema = (json.loads((place / n).read_text()) for n in ("manifest.json", "manifest.schema.json"))
    jsonschema.validate(manifest, schema)
    assert (manifest["template"], manifest["template_sha256"], manifest["instruction"]) == (None, None, None)
    assert manifest["method"] == "sequence_head" and manifest["labels"] == {} and manifest["served"] == out.served
    words = shlex.split((place / "serve.sh").read_text(), comments=True)
    assert words == ["vllm", "serve", out.served, "--runner", "pooling", "--dtype", "float32"]
    assert json.loads((place / "request.json").read_text()) == {
        "query": "the cat is", "documents": ["a dog", "the cat is a dog", "é [SEP] 😀"],
    }  # fmt: skip
    said = (place / "README.md").read_text(encoding="utf-8")
    assert "there is no template" in said and "template.jinja" not in said and "chat_template_kwargs" not in said


def test_an_older_manifest_without_the_new_field_keeps_to_the_schema(made: dict[str, Path]) -> None:
    manifest, schema = (json.loads((made["vllm"] / n).read_text()) for n in ("manifest.json", "manifest.schema.json"))
    older = {name: value for name, value in manifest.items() if name != "template"} | {"template_sha256": "0" * 64}
    jsonschema.validate(older, schema)


def test_golden_pairs_are_the_tokenizers_and_know_one_mistake(out: Outgoing, bert: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(bert)
    assert 10 <= len(out.golden) <= 50
    for query, document, golden in texts(out):
        assert golden.encoding.token_ids == tuple(tokenizer(query, document)["input_ids"])
        assert golden.encoding.type_ids == tuple(tokenizer(query, document)["token_type_ids"])
    known = [s for g in out.golden for s in g.suspects]
    assert {s["cause"] for s in known} == {"sides swapped"}
    for golden in (g for g in out.golden if g.suspects):
        (query, document), (suspect,) = (p.text for p in golden.encoding.pair.prompts), golden.suspects
        assert suspect["token_ids"] == tokenizer(document, query)["input_ids"]


def test_an_instruction_that_is_sent_changes_no_golden_score(out: Outgoing) -> None:
    sent = [g for g in out.golden if g.case.instruction]
    assert sent and all(g.request["instruction"] for g in sent)
    for golden in sent:
        assert golden.encoding.prompt.unused == ("instruction",) and "Prefer" not in golden.encoding.prompt.text


# ---------------------------------------------------------------- what stays
@pytest.mark.parametrize(
    ("given", "said"),
    [({"instruction": "Only law."}, "reads no instruction"), ({"variables": {"tone": "dry"}}, "reads no tone")],
)
def test_what_it_never_reads_stops_it(bench: Bench, bert: Path, given: dict[str, Any], said: str) -> None:
    with pytest.raises(PromptInvalid, match=said) as caught:
        prove(bench, replace(Variant(str(bert)), **given), QUERY, ROWS)
    assert "Clear" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "said", "way"),
    [
        ("bert-embed", "apart", "/rerank"), ("colbert", "apart", "/rerank"), ("splade", "apart", "/rerank"),
        ("reward", "reward model", "/classify"),
    ],
)  # fmt: skip
def test_what_has_no_pair_says_how_it_is_served(bench: Bench, root: Path, name: str, said: str, way: str) -> None:
    model = tiny(name, root)
    with pytest.raises(PromptInvalid, match=said) as caught:
        prove(bench, Variant(str(model)), QUERY, ROWS)
    assert f"vllm serve {model} --runner pooling" in caught.value.hint and way in caught.value.hint


def test_a_given_template_takes_the_pairs_place(bench: Bench, bert: Path) -> None:
    given = template_of("{{- messages[0].content ~ ' | ' ~ messages[1].content -}}")
    made = outgoing(bench, Variant(str(bert), given), QUERY, ROWS)
    files = files_of(bench, made, ())
    assert b"' | '" in files["template.jinja"] and b"--chat-template template.jinja" in files["serve.sh"]
    tei = next(r for r in compatibility(bench, made) if r.name == "text-embeddings-inference")
    assert not tei.ok and tei.why_not.endswith("leave the template out")


def test_a_bundle_without_a_template_cannot_come_back_as_one(made: dict[str, Path]) -> None:
    with pytest.raises(RequestInvalid, match="holds no template") as caught:
        from_place(made["vllm"])
    assert "choose the model alone" in caught.value.hint


# ---------------------------------------------------------------- targets
def test_every_target_says_yes_or_why_not(rows: tuple[TargetRow, ...], out: Outgoing) -> None:
    assert [r.name for r in rows] == list(TARGETS)
    assert {r.name for r in rows if not r.ok} == set(REFUSED)
    for row in rows:
        if row.name in REFUSED:
            assert REFUSED[row.name] in row.why_not
        else:
            assert row.same == row.asked == len(out.golden) and not row.notes, row


@pytest.mark.parametrize("name", LEFT_OUT)
def test_other_families_leave_for_what_knows_them(bench: Bench, root: Path, name: str) -> None:
    out = outgoing(bench, Variant(str(tiny(name, root))), Query("q", (Text("a cat"),)), [Document("d", (Text("a dog"),))])
    found = {r.name: r for r in compatibility(bench, out)}
    left = LEFT_OUT[name]
    for target, row in found.items():
        said = left.get("vllm" if target in ON_VLLM else target, "")
        if target in REFUSED:
            assert not row.ok
        else:
            assert (said in row.why_not and not row.ok) if said else (row.ok and row.same == row.asked == len(out.golden)), row
    assert all(found[n].ok for n in ("sentence-transformers", "transformers"))


def test_mgte_needs_its_own_name_and_its_own_code(bench: Bench, out: Outgoing) -> None:
    """Published mGTE checkpoints call themselves New…, with a config that is code: vLLM is told both."""
    scorer: Any = Renamed(out.scorer, {"architectures": ["NewForSequenceClassification"], "model_type": "new"})
    odd = replace(out, scorer=scorer)
    line = files_of(bench, odd, ())["serve.sh"].decode()
    assert "GteNewForSequenceClassification" in line and "--trust-remote-code" in line
    found = {r.name: r.why_not for r in compatibility(bench, odd)}
    assert "own code" in found["sentence-transformers"] and "own code" in found["transformers"]
    assert found["text-embeddings-inference"].startswith("text-embeddings-inference asks config.json for rope_theta")


class Renamed:
    """A scorer whose checkpoint says that it is something else."""

    def __init__(self, scorer: Any, says: dict[str, Any]) -> None:
        self._scorer, self.config = scorer, {**scorer.config, **says}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scorer, name)


def test_limits_stay_with_what_keeps_them(bench: Bench, bert: Path) -> None:
    limited = outgoing(bench, Variant(str(bert), limits=Limits(max_tokens_per_doc=3, max_length=64)), QUERY, ROWS)
    found = {r.name: r for r in compatibility(bench, limited)}
    assert found["vllm"].ok and "--max-model-len 64" in files_of(bench, limited, ())["serve.sh"].decode()
    for name in ("text-embeddings-inference", "sglang", "sentence-transformers", "transformers"):
        assert "it keeps no max_tokens_per" in found[name].why_not, name


def test_tokens_that_a_tokenizer_file_makes_otherwise_are_found(bench: Bench, out: Outgoing) -> None:
    def joined(query: str, document: str, *, from_file: bool = False) -> Any:
        ids, types = out.scorer.joined(query, document)  # type: ignore[attr-defined]
        return (ids[:-1], types[:-1]) if from_file else (ids, types)

    scorer: Any = Renamed(out.scorer, {})
    scorer.joined = joined
    found = {r.name: r for r in compatibility(bench, replace(out, scorer=scorer))}
    assert [n for n, r in found.items() if r.differences] == ["sglang", "text-embeddings-inference"]
    with pytest.raises(PromptInvalid, match="would read other tokens"):
        files_of(bench, replace(out, scorer=scorer, target="text-embeddings-inference"), ())


def test_text_embeddings_inference_gets_its_own_words(made: dict[str, Path], out: Outgoing) -> None:
    place = made["text-embeddings-inference"]
    words = shlex.split((place / "serve-tei.sh").read_text(), comments=True)
    assert words == ["exec", "text-embeddings-router", "--model-id", out.served, "--dtype", "float32", "--port", "8000"]
    body = json.loads((place / "request-tei.json").read_text())
    assert body == {"query": "the cat is", "texts": [r.content[0].text for r in ROWS], "raw_scores": True, "truncate": False}  # type: ignore[union-attr]
    assert "raw_scores" in (place / "answers-tei.md").read_text() and not (place / "request.json").exists()
    said = (place / "README.md").read_text(encoding="utf-8")
    assert "sh serve-tei.sh" in said and "-d @request-tei.json" in said and "answers-tei.md" in said


def test_ways_to_start_vllm_load_no_template(made: dict[str, Path], out: Outgoing) -> None:
    wanted = ["--model", out.served, "--runner", "pooling", "--dtype", "float32"]
    compose = yaml.safe_load((made["docker-compose"] / "docker-compose.yaml").read_text())
    reranker = compose["services"]["reranker"]
    assert reranker["command"] == wanted and len(reranker["volumes"]) == 1
    deployment, service = yaml.safe_load_all((made["kubernetes"] / "kubernetes.yaml").read_text())
    pod = deployment["spec"]["template"]["spec"]
    assert pod["containers"][0]["args"] == wanted and "volumes" not in pod and service["kind"] == "Service"
    ascend = shlex.split((made["vllm-ascend"] / "serve-ascend.sh").read_text(), comments=True)
    assert ascend[ascend.index("vllm") :] == ["vllm", "serve", *wanted[1:]] and not any("/bundle" in w for w in ascend)
    offline = ran(made["vllm-offline"], "offline.py") if "vllm" in sys.modules else None
    text = (made["vllm-offline"] / "offline.py").read_text()
    assert offline is None and "\nTEMPLATE = None\n" in text
    for place in made.values():
        for path in place.glob("*.sh"):
            subprocess.run(["sh", "-n", str(path)], check=True, timeout=20)
        for path in place.glob("*.py"):
            compile(path.read_text(encoding="utf-8"), path.name, "exec")
        for path in place.glob("*.json"):
            json.loads(path.read_text(encoding="utf-8"))


def test_clients_know_no_instruction(made: dict[str, Path]) -> None:
    shape = json.loads((made["openapi"] / "openapi.json").read_text(encoding="utf-8"))
    content = shape["paths"]["/rerank"]["post"]["requestBody"]["content"]["application/json"]
    jsonschema.validate(content["example"], content["schema"])
    assert "instruction" not in content["schema"]["properties"] and shape["info"]["version"] == "pair"


# ---------------------------------------------------------------- run here, with the golden scores
def test_crossencoder_loads_the_model_as_it_is_and_gives_the_golden_scores(made: dict[str, Path], out: Outgoing) -> None:
    import torch

    script = ran(made["sentence-transformers"], "crossencoder.py")
    model = script["load"]()
    for query, document, golden in texts(out):
        assert tuple(model.preprocess([(query, document)])["input_ids"][0].tolist()) == golden.encoding.token_ids
        (logit,) = model.predict([(query, document)], activation_fn=torch.nn.Identity())
        assert float(logit) == pytest.approx(golden.score.logit, abs=1e-4)
        assert float(model.predict([(query, document)])[0]) == pytest.approx(golden.score.value, abs=1e-4)
    said = io.StringIO()
    with redirect_stdout(said):
        script["main"]()
    assert len(said.getvalue().splitlines()) == len(ROWS)


def test_the_transformers_file_gives_the_golden_scores(made: dict[str, Path], out: Outgoing) -> None:
    script = ran(made["transformers"], "rerank.py")
    reranker = script["Reranker"]()
    for query, document, golden in texts(out):
        assert tuple(reranker.pair(query, document)["input_ids"][0].tolist()) == golden.encoding.token_ids
        assert reranker.logit(query, document) == pytest.approx(golden.score.logit, abs=1e-4)
    with pytest.raises(ValueError, match="tokens long, and"):
        reranker.logit("a", "cat " * 600)
    said = io.StringIO()
    with redirect_stdout(said):
        script["main"]([json.dumps({"query": script["QUERY"], "documents": script["DOCUMENTS"]})])
    given = {g.case.document.id: g.score.logit for g in out.golden if g.case.covers == "given"}
    assert [row["logit"] for row in json.loads(said.getvalue())] == pytest.approx([given[r.id] for r in ROWS], abs=1e-4)


def test_a_bundle_may_hold_no_document_of_the_callers(bench: Bench, bert: Path) -> None:
    files = bundle(bench, Variant(str(bert)), Query("q", (Text("secretive Anna"),)), ROWS, synthetic=True)
    assert not any(b"Anna" in data for data in files.values())
