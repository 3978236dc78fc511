"""Why a server's answers are not the golden ones: the known mistakes, told apart by ids, counts and scores.

Knows nothing of files or commands. Standard library only: it goes out as a part of check.py.
"""

from __future__ import annotations

import contextlib
from typing import Any

from workbench.export._asking import Server, Unanswered, ids_of, named

HINTS = {
    "template not loaded": "Start the server with --chat-template and this bundle's template.jinja (SGLang: sglang.jinja).",
    "instruction ignored": "The tuned instruction does not arrive: load this bundle's template.jinja, and vLLM 0.22 or newer.",
    "newline lost": "Load template.jinja as it is: an editor or another template has dropped a newline.",
    "double wrap": "Send plain texts: the query or document is wrapped once more by a client or a proxy.",
    "other prompt": "Load the bundle's own template.jinja; the first difference is shown above.",
    "other dtype": "Serve with the dtype of manifest.json to get the same numbers.",
    "other model or revision": "Serve the model and revision that manifest.json names.",
    "other model": "Serve the model that manifest.json names.",
    "other revision": "Serve the revision that manifest.json names, unquantised and with the head that serve.sh gives it.",
    "template loaded": "Start the server without --chat-template: this model reads its tokenizer's pair and nothing around it.",
    "instruction read": "This model was trained on none: take the instruction out of what the server or a proxy puts in front.",
    "sides swapped": "The query arrives as the document: look for a client or a proxy that changes their places.",
    "other pair": "The server reads other tokens than the pair of query and document: look for a template, a limit or a proxy.",
    "what is scored is not what is shown": "The server scores another prompt than its /tokenize renders: look for a proxy.",
}


def judge(row: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """What is wrong with one answer: of "ids", "count", "score"; [] where nothing is."""
    wrong = []
    if found["ids"] is not None and found["ids"] != row["token_ids"]:
        wrong.append("ids")
    if found["tokens"] is not None and found["tokens"] != len(row["token_ids"]):
        wrong.append("count")
    if not abs(found["logit"] - row["logit"]) <= row["tolerance"]:
        wrong.append("score")
    return wrong


def cause_of(server: Server, model: str, row: dict[str, Any], found: dict[str, Any], wrong: list[str], ends: Any) -> str:
    """Why one pair's prompt is another, "" where only its score is."""
    shown = found["ids"] is not None
    if "refused" in found:
        return "other prompt"
    if shown and "ids" not in wrong and "count" not in wrong:
        return ""
    if cause := suspected(row, found, wrong):
        return cause
    if found["tokens"] is not None and found["tokens"] < sum(map(len, ends)):
        return "template not loaded"  # the template's own words would take more
    if not shown:
        return "other prompt" if "count" in wrong else ""
    if "ids" not in wrong:
        return "what is scored is not what is shown"
    if any(len(end) > 2 and occurrences(found["ids"], end) > occurrences(row["token_ids"], end) for end in ends):
        return "double wrap"
    return by_text(server, model, row, found)


def suspected(row: dict[str, Any], found: dict[str, Any], wrong: list[str]) -> str:
    """The known mistake whose prompt gives this answer, "" where none does."""
    for suspect in row["suspects"]:
        counted = found["tokens"] in (None, len(suspect["token_ids"]))
        scored = "score" in wrong and abs(found["logit"] - suspect["logit"]) <= row["tolerance"]
        if found["ids"] == suspect["token_ids"] if "ids" in wrong else scored and counted:
            return str(suspect["cause"])
    return ""


def cause_of_pair(server: Server, model: str, row: dict[str, Any], found: dict[str, Any], wrong: list[str]) -> str:
    """As `cause_of` for a tokenizer's pair: no server shows its ids, but most show those of each text."""
    if "refused" in found:
        return "other pair"
    if (cause := suspected(row, found, wrong)) or "count" not in wrong:
        return cause
    same = None
    with contextlib.suppress(Unanswered, KeyError, TypeError):
        texts = (row["request"]["query"], row["request"]["documents"][0])
        same = all(occurrences(row["token_ids"], ids_of(server, model, text)) for text in texts)
    if same is False:
        return "other model or revision"  # another tokenizer
    return "template loaded" if same and found["tokens"] > len(row["token_ids"]) else "other pair"


def reads_instruction(golden: list[dict[str, Any]], found: list[dict[str, Any]], wrong: list[list[str]]) -> bool:
    """Whether nothing but pairs that were sent an instruction are off by more than half precision explains."""
    off = [
        bool(r["request"].get("instruction"))
        for r, f, w in zip(golden, found, wrong, strict=True)
        if "count" in w or ("score" in w and not abs(f["logit"] - r["logit"]) <= r["noise"])
    ]
    return bool(off) and all(off)


def by_text(server: Server, model: str, row: dict[str, Any], found: dict[str, Any]) -> str:
    try:
        pair = (row["token_ids"], found["ids"])
        ours, theirs = (server.ask("/detokenize", named(model, tokens=ids))["prompt"] for ids in pair)
    except (Unanswered, KeyError, TypeError):
        return "other prompt"
    if ours == theirs:
        return "other model or revision"  # the same words in another tokenizer's ids
    return "newline lost" if ours.replace("\n", "") == theirs.replace("\n", "") else "other prompt"


def named_by(cause: str, root: str, served: str) -> str:
    """A foreign model apart from another revision of the same, where the server says what it loaded."""
    if cause != "other model or revision" or not root:
        return cause
    return "other revision" if root == served else "other model"


def occurrences(ids: list[int], part: list[int]) -> int:
    return sum(ids[i : i + len(part)] == part for i in range(len(ids) - len(part) + 1))


def ends_of(rows: list[dict[str, Any]]) -> tuple[list[int], list[int]]:
    """The ids all pairs begin and end with: what a second wrapping shows twice."""
    every = [r["token_ids"] for r in rows]
    shortest = min(map(len, every))
    head = next((i for i in range(shortest) if len({ids[i] for ids in every}) > 1), shortest)
    tail = next((i for i in range(shortest) if len({ids[-1 - i] for ids in every}) > 1), shortest)
    return every[0][:head], every[0][len(every[0]) - tail :]


def by_numbers(golden: list[dict[str, Any]], found: list[dict[str, Any]]) -> tuple[bool, str]:
    """Whether scores differ as half precision makes them differ, and how that is said."""
    gaps = [abs(f["logit"] - r["logit"]) for r, f in zip(golden, found, strict=True)]
    half = all(g <= r["noise"] for g, r in zip(gaps, golden, strict=True)) and in_order(golden, found)
    said = f"scores differ by up to {max(gaps):.3g} with the same prompts, as half precision does; the order holds"
    return half, f"other dtype: {said}. {HINTS['other dtype']}"


def in_order(golden: list[dict[str, Any]], found: list[dict[str, Any]]) -> bool:
    """Whether every two pairs whose golden scores are further apart than both noises stand in the same order."""
    pairs = sorted(zip([r["logit"] for r in golden], [r["noise"] for r in golden], [f["logit"] for f in found], strict=True))
    return all(b[0] - a[0] <= a[1] + b[1] or b[2] > a[2] for i, a in enumerate(pairs) for b in pairs[i + 1 :])
