"""vLLM in all the ways it is started: the command, offline Python, a container, a cluster, Ascend devices.

Knows nothing of other programs. The arguments are those the prompt needs; sizes and devices stay the reader's choice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from workbench.export._manifest import Outgoing
from workbench.export.targets._classes import FOREIGN, architecture, served
from workbench.export.targets._scripts import script
from workbench.types import JSON, Family

Files = Mapping[str, bytes]
IMAGE, ASCEND_IMAGE = "vllm/vllm-openai:v0.33.0", "quay.io/ascend/vllm-ascend:v0.23.0-a3"
CONFIG = """apiVersion: v1
kind: ConfigMap
metadata: {{name: reranker-template}}
data:
  template.jinja: {template}
---
"""
ANNOTATED = '      annotations: {{template-sha256: "{digest}"}}\n'
MOUNTED = """          volumeMounts:
            - {name: template, mountPath: /bundle, readOnly: true}
      volumes:
        - name: template
          configMap: {name: reranker-template}
"""
ENTER = 'cd "$(dirname "$0")" || exit 1\n'
DTYPES = {"float32": "float32", "bfloat16": "bfloat16", "float16": "float16"}


def serve(out: Outgoing) -> Files:
    """The command, and a request in both spellings."""
    served(out)
    head = f"#!/bin/sh\n# Serves this bundle's template with vLLM (0.22 or newer).\n{ENTER}"
    if out.pair:
        head = "#!/bin/sh\n# Serves this bundle's model with vLLM, and no template in front of it.\n"
    return {"serve.sh": f"{head}{serve_line(out)}\n".encode(), **requests(out)}


def offline(out: Outgoing) -> Files:
    """A script that scores without a server."""
    served(out)
    options: dict[str, JSON] = {"model": out.served, "runner": "pooling", "dtype": dtype(out)} | _length(out)
    if overrides := _overrides(out):
        options["hf_overrides"] = overrides
    if architecture(out) == FOREIGN:
        options["trust_remote_code"] = True
    if revision := getattr(out.scorer, "revision", ""):
        options["revision"] = revision
    body = example(out)
    values = {"OPTIONS": options, "TEMPLATE": None if out.pair else "template.jinja", "QUERY": body["query"],
              "DOCUMENTS": body["documents"]}  # fmt: skip
    return {"offline.py": script("offline.py", values), **requests(out)}


def compose(out: Outgoing) -> Files:
    """A service whose template is mounted read-only."""
    served(out)
    mounted = "" if out.pair else "      - ./template.jinja:/bundle/template.jinja:ro\n"
    command = _yaml_list(arguments(out, "/bundle/template.jinja"), 6)
    text = f"""services:
  reranker:
    image: {IMAGE}
    command:
{command}
    ports: ["8000:8000"]
    ipc: host
    volumes:
{mounted}      - huggingface:/root/.cache/huggingface
    healthcheck:
      test: ["CMD", "curl", "-f", "http://127.0.0.1:8000/health"]
      interval: 10s
      retries: 60
    deploy:
      resources:
        reservations:
          devices: [{{driver: nvidia, count: 1, capabilities: [gpu]}}]
volumes:
  huggingface: {{}}
"""
    return {"docker-compose.yaml": text.encode(), **requests(out)}


def kubernetes(out: Outgoing) -> Files:
    """A deployment and a service, and a config map with the template's very bytes where there is one."""
    served(out)
    args = _yaml_list(arguments(out, "/bundle/template.jinja"), 12)
    text = f"""apiVersion: apps/v1
kind: Deployment
metadata: {{name: reranker}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: reranker}}}}
  template:
    metadata:
      labels: {{app: reranker}}
{ANNOTATED.format(digest=out.digest) if out.digest else ""}    spec:
      containers:
        - name: vllm
          image: {IMAGE}
          args:
{args}
          ports: [{{containerPort: 8000}}]
          readinessProbe: {{httpGet: {{path: /health, port: 8000}}, periodSeconds: 5, failureThreshold: 120}}
          resources: {{limits: {{nvidia.com/gpu: "1"}}}}
{"" if out.pair else MOUNTED}---
apiVersion: v1
kind: Service
metadata: {{name: reranker}}
spec:
  selector: {{app: reranker}}
  ports: [{{port: 8000, targetPort: 8000}}]
"""
    config = "" if out.pair else CONFIG.format(template=json.dumps(out.template))
    return {"kubernetes.yaml": (config + text).encode(), **requests(out)}


def ascend(out: Outgoing) -> Files:
    """The same command in vLLM-Ascend's container."""
    served(out)
    line = serve_line(out, "/bundle/template.jinja")
    mounted = "" if out.pair else ' -v "$(cd "$(dirname "$0")" && pwd):/bundle:ro"'
    text = f"""#!/bin/sh
# Serves this bundle's {'model' if out.pair else 'template'} with vLLM-Ascend on the first device.
docker run --rm --shm-size=1g --device /dev/davinci0 --device /dev/davinci_manager \\
  --device /dev/devmm_svm --device /dev/hisi_hdc \\
  -v /usr/local/dcmi:/usr/local/dcmi -v /usr/local/Ascend/driver:/usr/local/Ascend/driver:ro \\
  -v /usr/local/bin/npu-smi:/usr/local/bin/npu-smi -v "$HOME/.cache:/root/.cache" \\
 {mounted} -p 8000:8000 {ASCEND_IMAGE} \\
  {line}
"""
    return {"serve-ascend.sh": text.encode(), **requests(out)}


# ---------------------------------------------------------------- arguments
def serve_line(out: Outgoing, template: str = "template.jinja") -> str:
    """The `vllm serve` command that loads this model, and this template in front of it where there is one."""
    model, *rest = arguments(out, template)[1:]
    return " ".join(["vllm serve", shell(model), *map(shell, rest)])


def arguments(out: Outgoing, template: str = "template.jinja") -> list[str]:
    """What `python -m vllm.entrypoints.openai.api_server` takes too."""
    overrides, revision = _overrides(out), getattr(out.scorer, "revision", "")
    return [
        "--model", out.served, *(["--revision", revision] if revision else []), "--runner", "pooling", "--dtype", dtype(out),
        *(["--max-model-len", str(out.window)] if _length(out) else []),
        *(["--hf-overrides", json.dumps(overrides)] if overrides else []),
        *(["--trust-remote-code"] if architecture(out) == FOREIGN else []),
        *([] if out.pair else ["--chat-template", template]),
    ]  # fmt: skip


def _overrides(out: Outgoing) -> dict[str, JSON]:
    """mGTE checkpoints call themselves New…, which vLLM is told by its own name; the config is code of the checkpoint's."""
    if architecture(out) == FOREIGN:
        return {"architectures": ["GteNewForSequenceClassification"]}
    return hf_overrides(out.scorer.family)


def hf_overrides(family: Family) -> dict[str, JSON]:
    """What turns a causal model into a reranker for vLLM; nothing for a checkpoint that has a head of its own."""
    if family.method == "sequence_head":
        return {}
    classes = [a.replace("ForCausalLM", "").replace("ForConditionalGeneration", "") for a in family.architectures]
    head: dict[str, JSON] = {"method": family.method}
    if family.name.startswith("qwen3") and family.method == "from_2_way_softmax":
        head = {"is_original_qwen3_reranker": True}
    return {
        "architectures": [f"{c}ForSequenceClassification" for c in classes],
        "classifier_from_token": list(reversed(family.labels)),
        **head,
    }


def dtype(out: Outgoing) -> str:
    return DTYPES.get(out.scorer.facts().dtype, "auto")


def _length(out: Outgoing) -> dict[str, JSON]:
    """A window smaller than the model's own is part of what was tuned."""
    return {"max_model_len": out.window} if out.variant.limits.max_length else {}


# ---------------------------------------------------------------- requests
def requests(out: Outgoing) -> Files:
    """A body that needs nothing but this server, and one that sends an instruction of its own in vLLM's older spelling."""
    body = example(out)
    if out.pair:
        return {"request.json": _json(body)}
    word = out.variant.instruction or out.scorer.family.default_instruction
    older = {**body, "chat_template_kwargs": {"instruction": word}} if word else body
    return {"request.json": _json(body), "request-kwargs.json": _json(older)}


def example(out: Outgoing) -> dict[str, JSON]:
    """A /rerank body with the texts of the golden pairs that were the caller's, or of ours where there are none."""
    own = [g for g in out.golden if g.case.covers == "given" and not g.encoding.media] or list(out.golden[:1])
    texts = [g.request["documents"][0] for g in own]
    return {"query": own[0].request["query"], "documents": texts[:10]}


def _json(value: JSON) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()


def shell(text: str) -> str:
    return text if re.fullmatch(r"[\w./:-]+", text) else "'" + text.replace("'", "'\\''") + "'"


def _yaml_list(words: list[str], indent: int) -> str:
    """JSON strings are YAML strings, whatever is in them."""
    return "\n".join(f"{' ' * indent}- {json.dumps(w, ensure_ascii=False)}" for w in words)
