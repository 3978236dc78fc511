"""README.md of a bundle: the exact commands, what proves it, and which programs can take the prompt.

Knows nothing of how any of the files are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from workbench.export._manifest import Outgoing
from workbench.export.targets import TARGETS, Row
from workbench.export.targets._vllm import serve_line

ADDRESS = "http://127.0.0.1:8000"
CURL = f"curl -s {ADDRESS}/rerank -H 'Content-Type: application/json' -d @request.json"
WAYS = {
    "serve.sh": "sh serve.sh",
    "offline.py": "python offline.py",
    "docker-compose.yaml": "docker compose up",
    "kubernetes.yaml": "kubectl apply -f kubernetes.yaml",
    "serve-ascend.sh": "sh serve-ascend.sh",
    "serve-sglang.sh": "sh serve-sglang.sh",
    "serve-llama.sh": "sh serve-llama.sh MODEL.gguf",
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
    return f"""# A score template for {out.scorer.name}

`template.jinja` is the whole prompt; its instruction is the default and a request's own `instruction` still wins.
SHA-256 of the file: `{out.digest}`. It begins and ends with dashes and keeps newlines in literals, so that neither a
setting of Jinja nor an editor can add or eat a byte.

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

## Which programs read the same tokens

{_table(rows)}
"""


def _using(out: Outgoing, files: Mapping[str, bytes]) -> str:
    """How the target is used; clients need a server, and servers an example of a question."""
    command = next((line for name, line in WAYS.items() if name in files), "")
    parts = [f"{TARGETS[out.target].title}:\n\n```sh\n{command or serve_line(out)}\n```\n"]
    if "request.json" in files:
        if command != "sh serve.sh":
            parts.append(f"A server with this template:\n\n```sh\n{serve_line(out)}\n```\n")
        parts.append(
            f"Ask it:\n\n```sh\n{CURL}\n```\n\n`request-kwargs.json` sends an instruction of its own as `chat_template_kwargs`, "
            "which every version with score templates takes.\n"
        )
    return "\n".join(parts)


def _table(rows: Sequence[Row]) -> str:
    lines = ["| Target | | |", "| --- | --- | --- |"]
    for row in rows:
        said = row.why_not or f"{row.same} of {row.asked} pairs equal" + "".join(f"; {n}" for n in row.notes)
        said = said.replace("|", "\\|").replace("\n", " ")
        lines.append(f"| {row.title} | {'✓' if row.ok else '✗'} | {said} |")
    return "\n".join(lines)
