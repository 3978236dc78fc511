"""Servers that are not vLLM: what each needs so that it makes the same prompt, or why it cannot.

Knows nothing of clients. Each follows that program's own source; the sentence in front of a refusal names the rule.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from workbench.errors import PromptInvalid
from workbench.export._manifest import Outgoing
from workbench.export.targets._classes import on_sglang
from workbench.export.targets._rules import SGLANG_HEAD, stored_prompt
from workbench.export.targets._vllm import ENTER, dtype, example, shell

Files = Mapping[str, bytes]
PHRASE = ("answer can only be", '"yes"', '"no"')  # by which SGLang knows a template of a reranker


def sglang(out: Outgoing) -> Files:
    """The template with SGLang's roles and variable put in front; scored by the probabilities of yes and no."""
    if out.pair:
        return _sglang_pair(out)
    if out.scorer.family.labels != ("yes", "no"):
        raise PromptInvalid('SGLang reads the labels "yes" and "no" only')
    if not all(p in out.template.lower() for p in PHRASE):
        raise PromptInvalid(f"SGLang knows a reranker's template by the words {PHRASE[0]} {PHRASE[1]} or {PHRASE[2]}")
    if out.scorer.family.template.placeholders.image:
        raise PromptInvalid("SGLang gives templates with pictures other variables, which is not built here")
    line = (
        f"python3 -m sglang.launch_server --model-path {shell(out.served)} --disable-radix-cache --port 8000 "
        f"--chat-template sglang.jinja"
    )
    head = "#!/bin/sh\n# Serves this bundle's prompt with SGLang, which answers with `score` of golden.jsonl.\n" + ENTER
    body = example(out)
    if word := out.variant.instruction:
        body["instruct"] = word
    return {
        "sglang.jinja": (SGLANG_HEAD + out.template).encode(),
        "serve-sglang.sh": f"{head}{line}\n".encode(),
        "request-sglang.json": (json.dumps(body, ensure_ascii=False, indent=1) + "\n").encode(),
    }


def _sglang_pair(out: Outgoing) -> Files:
    """A classifier behind /v1/rerank, which answers with a list and the checkpoint's own activation of the logit."""
    on_sglang(out)
    line = (
        f"python3 -m sglang.launch_server --model-path {shell(out.served)} --is-embedding --disable-radix-cache "
        f"--chunked-prefill-size -1 --attention-backend triton --dtype {dtype(out)} --port 8000"
    )
    head = "#!/bin/sh\n# Serves this bundle's model with SGLang: /v1/rerank answers with a list of scores.\n"
    return {
        "serve-sglang.sh": f"{head}{line}\n".encode(),
        "request-sglang.json": (json.dumps(example(out), ensure_ascii=False, indent=1) + "\n").encode(),
    }


def llama_cpp(out: Outgoing) -> Files:
    """The prompt as the GGUF entry that llama-server's /rerank reads, {query} and {document} in their places."""
    if out.pair and any(out.golden[0].encoding.type_ids):
        raise PromptInvalid("it gives every token the first type, and this model tells query and document apart by theirs")
    if out.pair:
        raise PromptInvalid("its conversion writes a tokenizer of its own, which cannot be asked here for its tokens")
    if out.scorer.family.labels != ("yes", "no"):
        raise PromptInvalid('its conversion keeps the rows of "yes" and "no" only')
    prompt = stored_prompt(out)
    named = {"default": "{{ messages[0].content }}", "rerank": prompt}
    config = {"chat_template": [{"name": name, "template": text} for name, text in named.items()]}
    text = """#!/bin/sh
# usage: serve-llama.sh MODEL.gguf        (MODEL.gguf: made by llama.cpp's convert_hf_to_gguf.py from the reranker)
# Writes the tuned prompt into a copy as `tokenizer.chat_template.rerank` and serves it on /rerank.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python3 -m gguf.scripts.gguf_new_metadata --chat-template-config "$here/rerank.json" "$1" "${1%.gguf}-tuned.gguf"
exec llama-server --model "${1%.gguf}-tuned.gguf" --reranking --port 8000
"""
    return {"rerank.json": (json.dumps(config, ensure_ascii=False, indent=1) + "\n").encode(), "serve-llama.sh": text.encode()}
