"""Does a server give what was exported? python check.py http://HOST:8000 [--bundle DIR] [--json FILE] [--key KEY] [--strict]

Replays the pairs of golden.jsonl: token ids where the server shows them, token counts, scores, order. Needs Python 3.10 and
nothing else. Exit code 0: it serves this prompt; 1: it does not, and why; 2: it could not be asked. Another dtype is a
warning while ids match and no two scores that are clearly apart change places; with --strict it is a failure.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from workbench.export._asking import Server, Unanswered, find_route, model_of, replay, shows_ids
from workbench.export._causes import (
    HINTS,
    by_numbers,
    cause_of,
    cause_of_pair,
    ends_of,
    judge,
    named_by,
    reads_instruction,
)

__all__ = ["HINTS", "Server", "Unanswered", "compare", "exit_code", "main", "table"]


def compare(address: str, bundle: Path, key: str = "") -> dict[str, Any]:
    """The whole report: `rows`, `causes`, `warnings`, `ok`. Raises Unanswered, or OSError and ValueError for a bundle."""
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    lines = (bundle / "golden.jsonl").read_text(encoding="utf-8").splitlines()
    golden = [json.loads(line) for line in lines if line]
    server = Server(address, key)
    model, root = model_of(server)
    pair = manifest["template_sha256"] is None
    shows = not pair and shows_ids(server, model)
    find_route(server, model)
    found = [replay(server, model, row, shows) for row in golden]
    _as_logits(golden, found)
    wrong = [judge(row, f) for row, f in zip(golden, found, strict=True)]
    ends = ends_of(golden)
    causes = [
        "" if not w else cause_of_pair(server, model, r, f, w) if pair else cause_of(server, model, r, f, w, ends)
        for r, f, w in zip(golden, found, wrong, strict=True)
    ]
    why = Counter(c for c in causes if c)
    if pair and reads_instruction(golden, found, wrong):
        why = Counter(["instruction read"])
    if why["other model or revision"]:  # a short text may have the same ids in another tokenizer
        del why["template loaded"]
    if len(why) > 1:  # what is known of some pairs explains the others
        del why["other prompt"], why["other pair"]
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
    causes = [named_by(c, root, manifest["served"]) for c, _ in why.most_common()]
    return {"address": address, "model": model, "rows": rows, "causes": causes, "warnings": warnings, "ok": not why}


def _as_logits(golden: list[dict[str, Any]], found: list[dict[str, Any]]) -> None:
    """Servers that give probabilities whatever they are asked: turned back where the golden logits are none themselves."""
    given = [f for f in found if "refused" not in f]
    if all(0 <= f["logit"] <= 1 for f in given) and not all(0 <= r["logit"] <= 1 for r in golden):
        for f in given:
            p = min(max(f["logit"], 1e-12), 1 - 1e-12)
            f["logit"] = math.log(p) - math.log1p(-p)


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
