"""Bundles on disk for tests, and servers that answer as those that a bundle is checked against.

Knows nothing of what is right: a test says what its server answers.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest import TempPathFactory
from starlette.responses import JSONResponse, Response

from tests.servers import Fault, Front, error, served
from workbench.export import Outgoing, TargetRow, check, compatibility, files_of
from workbench.pool import Bench

Row = dict[str, Any]


def unpacked(files: Mapping[str, bytes], place: Path) -> Path:
    """The folder, with the files of a bundle in it."""
    for name, data in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    return place


def bundle_of(bench: Bench, out: Outgoing, temp: TempPathFactory) -> Path:
    return unpacked(files_of(bench, out, compatibility(bench, out)), temp.mktemp("bundle"))


def bundle_per_target(bench: Bench, out: Outgoing, rows: Sequence[TargetRow], temp: TempPathFactory) -> dict[str, Path]:
    """A folder with the bundle of every target that takes the prompt."""
    return {r.name: unpacked(files_of(bench, out.aimed(r.name), rows), temp.mktemp(r.name)) for r in rows if r.ok}


def with_token_types(model: Path, place: Path) -> Path:
    """A copy of a BERT whose tokenizer's settings name token types, as its published checkpoints have them."""
    shutil.copytree(model, place)
    settings = json.loads((place / "tokenizer_config.json").read_text())
    settings["model_input_names"] = ["input_ids", "token_type_ids", "attention_mask"]
    (place / "tokenizer_config.json").write_text(json.dumps(settings))
    return place


def golden_of(folder: Path) -> list[Row]:
    return [json.loads(line) for line in (folder / "golden.jsonl").read_text(encoding="utf-8").splitlines()]


def checked(folder: Path, answer: Fault, *flags: str) -> tuple[int, Row]:
    """(exit code, report) of check.py against a server that answers so."""
    with served(Front(None, answer)) as url:
        code = check.main([url, "--bundle", str(folder), "--json", str(folder / "report.json"), *flags])
    return code, json.loads((folder / "report.json").read_text(encoding="utf-8"))


def versioned(answer: Fault) -> Fault:
    """A server that ranks at /v1/rerank and nowhere else."""
    return lambda path, body: error(404) if path == "/rerank" else answer(path.replace("/v1/rerank", "/rerank"), body)


def as_sglang(answer: Fault) -> Fault:
    """SGLang in front of what answers as vLLM does: /v1/rerank alone, `instruct`, a bare list of probabilities, no roles of ours
    in /tokenize. After its serving_rerank.py and protocol.py."""

    def asked(path: str, body: Row) -> Response | None:
        if path == "/tokenize" and "messages" in body:
            return error(422)
        if path != "/rerank":
            return answer(path, body)
        assert body.get("instruct") != "", "a blank word is not sent"
        told = {"instruction": body["instruct"]} if "instruct" in body else {}
        given = {name: body[name] for name in ("model", "query", "documents", "use_activation") if name in body}
        found = answer("/rerank", {**given, **told})
        if found is None or found.status_code != 200:
            return found
        result = json.loads(bytes(found.body))
        score = 1 / (1 + math.exp(-result["results"][0]["relevance_score"]))
        row: Row = {"score": score, "document": body["documents"][0], "index": 0, "meta_info": None}
        return JSONResponse([row])

    return versioned(asked)
