"""README.md of a bundle: the exact commands, what proves it, and which programs can take the prompt.

Knows nothing of how any of the files are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from workbench.export._manifest import Outgoing
from workbench.export.targets import TARGETS, Row
from workbench.export.targets._vllm import serve_line

ADDRESS = "http://127.0.0.1:8000"
BODIES = {"request.json": "/rerank", "request-tei.json": "/rerank", "request-sglang.json": "/v1/rerank"}
WAYS = {
    "serve.sh": "sh serve.sh",
    "offline.py": "python offline.py",
    "docker-compose.yaml": "docker compose up",
    "kubernetes.yaml": "kubectl apply -f kubernetes.yaml",
    "serve-ascend.sh": "sh serve-ascend.sh",
    "serve-sglang.sh": "sh serve-sglang.sh",
    "serve-llama.sh": "sh serve-llama.sh MODEL.gguf",
    "serve-tei.sh": "sh serve-tei.sh",
    "crossencoder.py": "python crossencoder.py",
    "make_folder.py": "python make_folder.py CHECKPOINT OUT",
    "rerank.py": "python rerank.py CHECKPOINT requests.jsonl",
    "convert.py": "python convert.py CHECKPOINT OUT",
    "langchain_rerank.py": "python langchain_rerank.py",
    "llama_index_rerank.py": "python llama_index_rerank.py",
    "haystack_rerank.py": "python haystack_rerank.py",
    "litellm_rerank.py": "python litellm_rerank.py",
}


def readme(out: Outgoing, files: Mapping[str, bytes], rows: Sequence[Row]) -> str:
    """`files` are those of the target; `rows` one per target there is."""
    told = "Documents in golden.jsonl are made up." if out.synthetic else "golden.jsonl holds documents that were tried."
    return f"""{_pair(out) if out.pair else _template(out)}
{_using(out, files)}
## Check what runs

```sh
python check.py {ADDRESS}
```

replays the {len(out.golden)} pairs of `golden.jsonl` against the server: token ids where it shows them, counts, scores, order.
The exit code is 0 when it serves this prompt, 1 when it does not, with the cause in words, 2 when it cannot be asked;
`--strict` also refuses another dtype. {told}

`manifest.json` says what was tuned, with which recipe (`{out.variant.parity}`) and versions;
`manifest.schema.json` is its schema.
{_findings(out)}
## Which programs read the same tokens

{_table(rows)}
"""


def _template(out: Outgoing) -> str:
    return f"""# A score template for {out.scorer.name}

`template.jinja` is the whole prompt; its instruction is the default and a request's own `instruction` still wins.
SHA-256 of the file: `{out.digest}`. It begins and ends with dashes and keeps newlines in literals, so that neither a
setting of Jinja nor an editor can add or eat a byte.
"""


def _pair(out: Outgoing) -> str:
    return f"""# {out.scorer.name}, as it is

This model reads query and document as its tokenizer's pair: there is no template, and an instruction changes nothing. Load
none in front of it: vLLM would take a given `--chat-template` in the pair's place, which the model was not trained on.
"""


def _using(out: Outgoing, files: Mapping[str, bytes]) -> str:
    """How the target is used; clients need a server, and servers an example of a question."""
    command = _command(out, files)
    parts = [f"{TARGETS[out.target].title}:\n\n```sh\n{command or serve_line(out)}\n```\n"]
    if "request.json" in files and command != "sh serve.sh":
        parts.append(f"A server with this {'model' if out.pair else 'template'}:\n\n```sh\n{serve_line(out)}\n```\n")
    for name, route in ((n, r) for n, r in BODIES.items() if n in files):
        parts.append(f"Ask it:\n\n```sh\ncurl -s {ADDRESS}{route} -H 'Content-Type: application/json' -d @{name}\n```\n")
    if "request-kwargs.json" in files:
        parts.append(
            "`request-kwargs.json` sends an instruction of its own as `chat_template_kwargs`, "
            "which every version with score templates takes.\n"
        )
    if "answers-tei.md" in files:
        parts.append("`answers-tei.md` says what differs in its answers from those of a server that speaks vLLM's `/rerank`.\n")
    return "\n".join(parts)


def _command(out: Outgoing, files: Mapping[str, bytes]) -> str:
    if out.pair and "rerank.py" in files:  # it knows its model
        return "python rerank.py"
    return next((line for name, line in WAYS.items() if name in files), "")


def _findings(out: Outgoing) -> str:
    if not out.findings:
        return ""
    lines = (f"- {f.code}: {' '.join(f.sentence.split())}" for f in out.findings)
    return "\n".join(["", "## What the linter says", "", *lines, ""])


def _table(rows: Sequence[Row]) -> str:
    lines = ["| Target | | |", "| --- | --- | --- |"]
    for row in rows:
        said = row.why_not or f"{row.same} of {row.asked} pairs equal" + "".join(f"; {n}" for n in row.notes)
        said = said.replace("|", "\\|").replace("\n", " ")
        lines.append(f"| {row.title} | {'✓' if row.ok else '✗'} | {said} |")
    return "\n".join(lines)
