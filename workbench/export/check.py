"""Does a server give what was exported? python check.py http://HOST:8000 [--bundle DIR] [--json FILE] [--key KEY] [--strict]

Replays the pairs of golden.jsonl: token ids where the server shows them, token counts, scores, order. Needs Python 3.10 and
nothing else. Exit code 0: it serves this prompt; 1: it does not, and why; 2: it could not be asked. Another dtype is a
warning while ids match and no two scores that are clearly apart change places; with --strict it is a failure.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

SECONDS = 120
HINTS = {
    "template not loaded": "Start the server with --chat-template template.jinja, the file of this bundle.",
    "instruction ignored": "The tuned instruction does not arrive: load this bundle's template.jinja, and vLLM 0.22 or newer.",
    "newline lost": "Load template.jinja as it is: an editor or another template has dropped a newline.",
    "double wrap": "Send plain texts: the query or document is wrapped once more by a client or a proxy.",
    "other prompt": "Load the bundle's own template.jinja; the first difference is shown above.",
    "other dtype": "Serve with the dtype of manifest.json to get the same numbers.",
    "other model or revision": "Serve the model and revision that manifest.json names.",
    "what is scored is not what is shown": "The server scores another prompt than its /tokenize renders: look for a proxy.",
}


class Unanswered(Exception):
    """The server cannot be asked, or refuses. `status` is 0 where there was no answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Server:
    """One address. Neither proxies nor redirects: a key goes where it was meant to go."""

    def __init__(self, address: str, key: str = "") -> None:
        self.address, self.key = address.rstrip("/"), key
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay())

    def ask(self, path: str, body: Any = None) -> Any:
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {self.key}"} if self.key else {})}
        try:
            request = urllib.request.Request(self.address + path, body and json.dumps(body).encode(), headers)
            with self.opener.open(request, timeout=SECONDS) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise Unanswered(f"{path} answers {error.code}: {error.read(300).decode('utf-8', 'replace')}", error.code) from error
        except (OSError, ValueError) as error:
            raise Unanswered(f"{self.address}{path} cannot be asked ({error})") from error


def named(model: str, **body: Any) -> dict[str, Any]:
    return {**({"model": model} if model else {}), **body}


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def replay(server: Server, model: str, row: dict[str, Any], shows: bool) -> dict[str, Any]:
    """What the server makes of one golden pair: `ids` (None where it does not show them), `tokens` it counted, `logit`."""
    request = named(model, **row["request"])
    try:
        answer = server.ask("/rerank", {**request, "use_activation": False})
    except Unanswered as error:
        if error.status in (400, 422):  # this pair, and not the server
            return {"ids": None, "tokens": None, "logit": math.nan, "refused": str(error)}
        raise
    found: dict[str, Any] = {"ids": None, "tokens": (answer.get("usage") or {}).get("prompt_tokens")}
    found["logit"] = float(answer["results"][0]["relevance_score"])
    if shows and "truncate_prompt_tokens" not in request:
        contents = [s["content"] if isinstance(s, dict) else s for s in (request["query"], request["documents"][0])]
        given = {name: request[name] for name in ("instruction",) if name in request}
        sampled = {name: request[name] for name in ("mm_processor_kwargs",) if name in request}
        messages = [{"role": role, "content": c} for role, c in zip(("query", "document"), contents, strict=True)]
        flags = {"add_special_tokens": True, "add_generation_prompt": False, "chat_template_kwargs": given, **sampled}
        with contextlib.suppress(Unanswered, KeyError, TypeError):
            found["ids"] = server.ask("/tokenize", named(model, messages=messages, **flags))["tokens"]
    return found


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
    for suspect in row["suspects"]:
        counted = found["tokens"] in (None, len(suspect["token_ids"]))
        scored = "score" in wrong and abs(found["logit"] - suspect["logit"]) <= row["tolerance"]
        if found["ids"] == suspect["token_ids"] if "ids" in wrong else scored and counted:
            return str(suspect["cause"])
    if found["tokens"] is not None and found["tokens"] < sum(map(len, ends)):
        return "template not loaded"  # the template's own words would take more
    if not shown:
        return "other prompt" if "count" in wrong else ""
    if "ids" not in wrong:
        return "what is scored is not what is shown"
    if any(len(end) > 2 and occurrences(found["ids"], end) > occurrences(row["token_ids"], end) for end in ends):
        return "double wrap"
    return by_text(server, model, row, found)


def by_text(server: Server, model: str, row: dict[str, Any], found: dict[str, Any]) -> str:
    try:
        pair = (row["token_ids"], found["ids"])
        ours, theirs = (server.ask("/detokenize", named(model, tokens=ids))["prompt"] for ids in pair)
    except (Unanswered, KeyError, TypeError):
        return "other prompt"
    if ours == theirs:
        return "other model or revision"  # the same words in another tokenizer's ids
    return "newline lost" if ours.replace("\n", "") == theirs.replace("\n", "") else "other prompt"


def occurrences(ids: list[int], part: list[int]) -> int:
    return sum(ids[i : i + len(part)] == part for i in range(len(ids) - len(part) + 1))


def ends_of(rows: list[dict[str, Any]]) -> tuple[list[int], list[int]]:
    """The ids all pairs begin and end with: what a second wrapping shows twice."""
    every = [r["token_ids"] for r in rows]
    shortest = min(map(len, every))
    head = next((i for i in range(shortest) if len({ids[i] for ids in every}) > 1), shortest)
    tail = next((i for i in range(shortest) if len({ids[-1 - i] for ids in every}) > 1), shortest)
    return every[0][:head], every[0][len(every[0]) - tail :]


def compare(address: str, bundle: Path, key: str = "") -> dict[str, Any]:
    """The whole report: `rows`, `causes`, `warnings`, `ok`. Raises Unanswered, or OSError and ValueError for a bundle."""
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    lines = (bundle / "golden.jsonl").read_text(encoding="utf-8").splitlines()
    golden = [json.loads(line) for line in lines if line]
    server = Server(address, key)
    model, root = _model(server)
    shows = _shows(server, model)
    server.ask("/rerank", named(model, query="q", documents=["d"]))  # is it a reranker at all
    found = [replay(server, model, row, shows) for row in golden]
    _as_logits(golden, found)
    wrong = [judge(row, f) for row, f in zip(golden, found, strict=True)]
    ends = ends_of(golden)
    causes = [cause_of(server, model, r, f, w, ends) if w else "" for r, f, w in zip(golden, found, wrong, strict=True)]
    why = Counter(c for c in causes if c)
    if len(why) > 1:  # what is known of some pairs explains the others
        del why["other prompt"]
    warnings = []
    if not why and any(wrong):  # the prompts are right and the numbers are not
        half, said = by_numbers(golden, found)
        warnings += [said] if half else []
        why += Counter() if half else Counter(["other model or revision"])
    if why and root and root != manifest["served"]:
        warnings.append(f"the server says it loaded {root}, and the bundle is for {manifest['served']}")
    rows = [
        {"covers": r["covers"], "tokens": len(r["token_ids"]), "counted": f["tokens"], "shown": f["ids"] is not None,
         "logit": r["logit"], "found": None if "refused" in f else f["logit"], "wrong": w, "cause": c, "ids": f["ids"],
         "first": _first(r["token_ids"], f["ids"]), "golden_ids": r["token_ids"], "refused": f.get("refused")}
        for r, f, w, c in zip(golden, found, wrong, causes, strict=True)
    ]  # fmt: skip
    causes = [c for c, _ in why.most_common()]
    return {"address": address, "model": model, "rows": rows, "causes": causes, "warnings": warnings, "ok": not why}


def by_numbers(golden: list[dict[str, Any]], found: list[dict[str, Any]]) -> tuple[bool, str]:
    """Whether scores differ as half precision makes them differ, and how that is said."""
    gaps = [abs(f["logit"] - r["logit"]) for r, f in zip(golden, found, strict=True)]
    half = all(g <= r["noise"] for g, r in zip(gaps, golden, strict=True)) and in_order(golden, found)
    said = f"scores differ by up to {max(gaps):.3g} with the same prompts, as half precision does; the order holds"
    return half, f"other dtype: {said}. {HINTS['other dtype']}"


def _model(server: Server) -> tuple[str, str]:
    """(name to ask with, what it was loaded from): the first the server lists."""
    with contextlib.suppress(Unanswered, KeyError, IndexError, TypeError):
        card = server.ask("/v1/models")["data"][0]
        return str(card["id"]), str(card.get("root") or "")
    return "", ""


def _shows(server: Server, model: str) -> bool:
    with contextlib.suppress(Unanswered, KeyError, TypeError):
        return bool(server.ask("/tokenize", named(model, prompt="q"))["tokens"])
    return False


def _as_logits(golden: list[dict[str, Any]], found: list[dict[str, Any]]) -> None:
    """Servers that give probabilities whatever they are asked: turned back where the golden logits are none themselves."""
    if all(0 <= f["logit"] <= 1 for f in found) and not all(0 <= r["logit"] <= 1 for r in golden):
        for f in found:
            p = min(max(f["logit"], 1e-12), 1 - 1e-12)
            f["logit"] = math.log(p) - math.log1p(-p)


def in_order(golden: list[dict[str, Any]], found: list[dict[str, Any]]) -> bool:
    """Whether every two pairs whose golden scores are further apart than both noises stand in the same order."""
    pairs = sorted(zip([r["logit"] for r in golden], [r["noise"] for r in golden], [f["logit"] for f in found], strict=True))
    return all(b[0] - a[0] <= a[1] + b[1] or b[2] > a[2] for i, a in enumerate(pairs) for b in pairs[i + 1 :])


def _first(golden: list[int], ids: list[int] | None) -> int | None:
    if ids is None or ids == golden:
        return None
    return next((i for i, (a, b) in enumerate(zip(golden, ids, strict=False)) if a != b), min(len(golden), len(ids)))


def table(report: dict[str, Any]) -> str:
    """The report as text: a line per pair, then what it means."""
    lines = [f"{'pair':<36} {'tokens':>7} {'counted':>8} {'golden':>10} {'server':>10}  "]
    for row in report["rows"]:
        counted = "-" if row["counted"] is None else row["counted"]
        number = "refused" if row["found"] is None else f"{row['found']:.4f}"
        said = f"{', '.join(row['wrong'])}: {row['cause'] or 'score'}" if row["wrong"] else "ok"
        where = f" (first at token {row['first']})" if row["first"] is not None else ""
        line = f"{row['covers'][:36]:<36} {row['tokens']:>7} {counted:>8} {row['logit']:>10.4f} {number:>10}  {said}{where}"
        lines.append(line if row["refused"] is None else f"{line}\n  {row['refused']}")
    if not any(row["shown"] for row in report["rows"]):
        lines.append("The server shows no token ids; counts and scores were compared.")
    lines += [f"warning: {w}" for w in report["warnings"]]
    lines += [f"cause: {c}. {HINTS.get(c, '')}" for c in report["causes"]]
    bad = sum(bool(row["wrong"]) for row in report["rows"])
    lines.append("ok: the server gives what was exported" if report["ok"] else f"{bad} of {len(report['rows'])} pairs differ")
    return "\n".join(lines)


def exit_code(report: dict[str, Any], strict: bool) -> int:
    return 0 if report["ok"] and not (strict and report["warnings"]) else 1


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Does a server give what was exported?")
    parser.add_argument("url", help="the server, as http://HOST:8000")
    parser.add_argument("--bundle", type=Path, default=Path(__file__).resolve().parent, help="default: where this file lies")
    parser.add_argument("--json", type=Path, help="also write the report there")
    parser.add_argument("--key", default="", help="sent as Authorization: Bearer KEY")
    parser.add_argument("--strict", action="store_true", help="another dtype is a failure too")
    args = parser.parse_args(argv)
    try:
        report = compare(args.url, args.bundle, args.key)
    except (Unanswered, OSError, ValueError, KeyError, IndexError, TypeError) as error:
        print(f"check: {error}", file=sys.stderr)
        return 2
    print(table(report))
    if args.json:
        args.json.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return exit_code(report, args.strict)


if __name__ == "__main__":
    sys.exit(main())
