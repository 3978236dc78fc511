"""Python libraries and checkpoint folders: a folder for CrossEncoder, one file for transformers, a converted classifier.

Knows nothing of weights: what changes a checkpoint is a script in the bundle, which its reader runs on the machine that has it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from workbench.errors import PromptInvalid
from workbench.export._manifest import Outgoing
from workbench.export.targets._classes import FOREIGN, architecture
from workbench.export.targets._scripts import script
from workbench.export.targets._vllm import example
from workbench.scorers._ids import ReadsIds
from workbench.types import JSON

Files = Mapping[str, bytes]
MODULES = "sentence_transformers.base.modules.transformer.Transformer"
LOGITS = "sentence_transformers.cross_encoder.modules.logit_score.LogitScore"
SIGMOID = "torch.nn.modules.activation.Sigmoid"


def sentence_transformers(out: Outgoing) -> Files:
    """Files to lie over a copy of the checkpoint, and the script that makes that copy; or the script that loads it as it is."""
    _text_only(out)
    if out.pair:
        return _as_it_is("crossencoder.py", out)
    true, *false = _label_ids(out)
    head = out.scorer.family.method == "sequence_head"
    modules = [{"idx": 0, "name": "0", "path": "", "type": MODULES}]
    if not head:
        modules.append({"idx": 1, "name": "1", "path": "1_LogitScore", "type": LOGITS})
    files: dict[str, JSON] = {
        "modules.json": modules,
        "sentence_bert_config.json": _transformer_config("sequence-classification" if head else "text-generation", head),
        "config_sentence_transformers.json": _declared(),
    }
    if not head:
        score = {"true_token_id": true, "false_token_id": false[0] if false else None, "module_input_name": "causal_logits"}
        files["1_LogitScore/config.json"] = score
    return {
        **{f"sentence-transformers/{name}": _json(value) for name, value in files.items()},
        "sentence-transformers/chat_template.jinja": out.template.encode(),
        "make_folder.py": script("make_folder.py"),
    }


def transformers(out: Outgoing) -> Files:
    """One file with no part of this program in it; it reads template.jinja and manifest.json beside it."""
    _text_only(out)
    if out.pair:
        return _as_it_is("rerank.py", out)
    if out.scorer.family.bidirectional:
        raise PromptInvalid("this family reads the mean of all hidden states, which the one file does not do")
    return {"rerank.py": script("rerank.py")}


def sequence(out: Outgoing) -> Files:
    """The script that turns the checkpoint into a classifier with one row, and the files that declare its template.

    vLLM from 0.33 on takes the template from such a folder: its Sentence-Transformers config says CrossEncoder, its first
    module takes flat messages, and the tokenizer's default template is the one.
    """
    _text_only(out)
    if out.pair:
        raise PromptInvalid("the checkpoint is a sequence classifier already: vLLM takes it as it is")
    if out.scorer.family.method == "sequence_head":
        raise PromptInvalid("the checkpoint is a converted one already")
    return {
        "convert.py": script("convert.py"),
        "sequence-classification/modules.json": _json([{"idx": 0, "name": "0", "path": "", "type": MODULES}]),
        "sequence-classification/sentence_bert_config.json": _json(_transformer_config("sequence-classification", True)),
        "sequence-classification/config_sentence_transformers.json": _json(_declared()),
        "sequence-classification/chat_template.jinja": out.template.encode(),
    }


def _as_it_is(name: str, out: Outgoing) -> Files:
    """A script that loads the checkpoint itself, with nothing laid over it."""
    if architecture(out) == FOREIGN:
        raise PromptInvalid("this library runs the checkpoint's own code (trust_remote_code), which no file here turns on")
    body = example(out)
    values = {"MODEL": out.served, "REVISION": getattr(out.scorer, "revision", "") or None, "DTYPE": out.scorer.facts().dtype,
              "LONGEST": out.window, "QUERY": body["query"], "DOCUMENTS": body["documents"]}  # fmt: skip
    return {name: script(f"pairs/{name}", values)}


def _text_only(out: Outgoing) -> None:
    family = out.scorer.family
    if family.scorer == "vllm":
        raise PromptInvalid("the model runs on a server: its labels and weights are not known here")
    if family.template.placeholders.image or family.template.placeholders.video:
        raise PromptInvalid("pictures and clips are not built here for this library: serve the model with vLLM")
    if out.variant.limits.max_tokens_per_doc is not None or out.variant.limits.max_tokens_per_query is not None:
        raise PromptInvalid("it keeps no max_tokens_per_query or max_tokens_per_doc")


def _label_ids(out: Outgoing) -> list[int | None]:
    if not isinstance(out.scorer, ReadsIds) or out.scorer.family.method == "sequence_head":
        return [None]
    return [out.scorer.tokenize(label, special=False)[0] for label in out.scorer.family.labels]


def _transformer_config(task: str, head: bool) -> dict[str, JSON]:
    outputs: dict[str, JSON] = {"method": "forward", "method_output_name": "logits"}
    return {
        "transformer_task": task,
        "modality_config": {"text": dict(outputs), "message": {**outputs, "format": "flat"}},
        "module_output_name": "scores" if head else "causal_logits",
        "processing_kwargs": {"chat_template": {"add_generation_prompt": False}},
    }


def _declared() -> dict[str, JSON]:
    return {"model_type": "CrossEncoder", "activation_fn": SIGMOID, "prompts": {}, "default_prompt_name": None}


def _json(value: JSON) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()
