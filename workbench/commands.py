"""What the commands do: each line of a file is a request body, each answer a line; or a folder to put into production.

Knows nothing of HTTP or the screen. A bad line is answered with `{"error": …}` and the others go on.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

from workbench import bench as speed
from workbench import wire
from workbench.errors import RequestInvalid, WorkbenchError
from workbench.export import check, compatibility, differences, files_of, outgoing, prove, prove_sound
from workbench.lint import Finding, lint
from workbench.named import FAMILIES, head_overrides, served, shipped_model, template_text
from workbench.paste import grades_of
from workbench.pool import LEXICAL, Bench, open_bench
from workbench.types import JSON

Answer = Callable[[JSON], dict[str, JSON]]


def run(args: argparse.Namespace) -> int:
    """The exit code of a parsed command. Raises WorkbenchError where nothing can be done at all."""
    if args.command == "bench":
        return _measured(args)
    if args.command == "check":
        return _check(args)
    with tempfile.TemporaryDirectory(prefix="workbench-") as data, contextlib.ExitStack() as stack:
        source, base = _source(args.source, stack)
        bench = _bench(args, Path(data))
        stack.callback(bench.close)
        progress = Progress(sys.stderr)
        stack.callback(progress.close)
        bench.pool.get(bench.model, progress.say)  # a model that cannot be opened is one sentence, not one error a line
        if args.command == "export":
            return _export(args, bench, source, base)
        return _lines(args, bench, source, base, _sink(args, stack), progress)


def _measured(args: argparse.Namespace) -> int:
    names = {f.name for f in dataclasses.fields(speed.Setting)}
    given = {k: v for k, v in vars(args).items() if k in names}
    weights = Path(args.weights) if args.weights else None
    found = speed.bench(speed.Setting(**{**given, "against": tuple(args.against), "weights": weights}))
    print(speed.table(found))
    if args.json:
        Path(args.json).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


# ---------------------------------------------------------------- arguments
def _source(name: str, stack: contextlib.ExitStack) -> tuple[BinaryIO, Path]:
    """The requests and the folder their file paths are relative to."""
    if name == "-":
        return sys.stdin.buffer, Path.cwd()
    try:
        return stack.enter_context(open(name, "rb")), Path(name).resolve().parent
    except OSError as error:
        raise RequestInvalid(f"cannot be read ({error.strerror})", where=name) from error


def _bench(args: argparse.Namespace, data: Path) -> Bench:
    shipped = shipped_model()
    model, endpoints, key = served(args.model, args.endpoint, args.endpoint_key)
    return open_bench(
        model=model or (shipped.name if shipped else LEXICAL),
        template=None if args.template is None else template_text(args.template, "--template"),
        parity=args.parity,
        device=args.device,
        dtype=args.dtype,
        data=data,
        families=FAMILIES,
        shipped=shipped,
        endpoints=endpoints,
        endpoint_key=key,
        overrides=head_overrides(args.hf_overrides, endpoints),
    )


# ---------------------------------------------------------------- one answer a line
def _lines(
    args: argparse.Namespace, bench: Bench, source: BinaryIO, base: Path, out: TextIO, progress: Progress
) -> int:
    failed: list[str] = []
    done = 0
    for number, raw in _numbered(source):
        progress.say(f"line {number}" + (f", {len(failed)} failed" if failed else ""))
        try:
            answer = _answer(args, bench, _defaults(wire.parse(raw), args), base, progress)
            failed += [f"line {number}: {said}" for said in _faults(answer)]
        except WorkbenchError as error:
            answer = wire.error_body(error)
            failed.append(f"line {number}: {error}")
        out.write(json.dumps(answer, ensure_ascii=False, allow_nan=False) + "\n")
        out.flush()  # what is finished stays, whatever happens next
        done += 1
    progress.close()
    if failed:
        print(f"workbench: {len(failed)} of {done} lines failed; the first: {failed[0]}", file=sys.stderr)
    return 1 if failed else 0


def _answer(args: argparse.Namespace, bench: Bench, body: JSON, base: Path, progress: Progress) -> dict[str, JSON]:
    def stop() -> bool:  # asked between micro-batches: the moment to show that something moves
        progress.beat()
        return False

    if args.command == "score":
        return wire.answer_score(bench, wire.read_score(body, bench, base), stop=stop, details=args.details)
    request = wire.read_rerank(body, bench, base)
    if args.command == "render":
        return wire.answer_render(bench, request, stop=stop)
    if args.command == "lint":
        return {"findings": _linted(bench, request)}
    return wire.answer_rerank(bench, request, stop=stop, details=args.details)


def _linted(bench: Bench, request: wire.RerankRequest) -> list[JSON]:
    """What is wrong with each document's prompt; a row that cannot be read is in the list with its reason."""
    variant, found = bench.resolved(request.variant), list[JSON]()
    scorer, own = bench.pool.get(variant.model), bench.pool.template(variant.model)
    for index, row in enumerate(request.rows):
        if isinstance(row, WorkbenchError):
            found.append({"index": index, "error": row.as_dict()})
            continue
        for f in lint(bench.renderer, scorer, variant, request.query, row, own):
            place = f.position(variant.template.body if variant.template else "")
            at = {"line": place[0], "column": place[1]} if place else {}
            found.append({"index": index, "code": f.code, "sentence": f.sentence, "where": f.where, **at, "fix": _fix(f)})
    return found


def _faults(answer: dict[str, JSON]) -> list[str]:
    """The first error of a line's findings, where it has any: warnings fail no line."""
    found = [f for f in answer.get("findings", ()) if "error" in f or f["code"].startswith("E")]
    return [str(found[0].get("sentence") or found[0]["error"]["message"])] if found else []


def _fix(found: Finding) -> JSON:
    return None if found.fix is None else {"label": found.fix.label, "template": found.fix.template}


def _numbered(source: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, with their numbers."""
    return ((number, raw) for number, raw in enumerate(source, 1) if raw.strip())


def _defaults(body: JSON, args: argparse.Namespace) -> JSON:
    """--template and --parity are the bench's own defaults; --instruction is filled in where a line has none."""
    if isinstance(body, dict) and args.instruction is not None and body.get("instruction") is None:
        return {**body, "instruction": args.instruction}
    return body


def _sink(args: argparse.Namespace, stack: contextlib.ExitStack) -> TextIO:
    if args.out == "-":
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", newline="\n")
        return sys.stdout
    if args.source != "-" and Path(args.out).resolve() == Path(args.source).resolve():
        raise RequestInvalid("would overwrite the requests", where=f"--out {args.out}")
    try:
        return stack.enter_context(open(args.out, "w", encoding="utf-8", newline="\n"))
    except OSError as error:
        raise RequestInvalid(f"cannot be written ({error.strerror})", where=f"--out {args.out}") from error


class Progress:
    """A counter on standard error once a second has passed: one line that moves on a terminal, else one every few seconds."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.terminal = stream, stream.isatty()
        self.started = self.shown = time.monotonic()
        self.text, self.wrote = "", False

    def say(self, text: str) -> None:
        self.text = text
        self.beat()

    def beat(self) -> None:
        now = time.monotonic()
        if now - self.started < 1 or now - self.shown < (0.2 if self.terminal else 5):
            return
        self.shown, self.wrote = now, True
        text = f"{self.text}, {now - self.started:.0f} s"
        self.stream.write(f"\r\x1b[K{text}" if self.terminal else f"{text}\n")
        self.stream.flush()

    def close(self) -> None:
        if self.wrote and self.terminal:
            self.stream.write("\r\x1b[K")
            self.wrote = False


# ---------------------------------------------------------------- export and check
def _check(args: argparse.Namespace) -> int:
    """The bundle's check, and the tokens around every place where a server's prompt is another."""
    try:
        report = check.compare(args.url, Path(args.bundle), args.endpoint_key)
    except (check.Unanswered, OSError, ValueError, KeyError, IndexError, TypeError) as error:
        hint = "Give the address of a server and the folder of a bundle."
        raise RequestInvalid(f"cannot be checked ({error})", where=f"{args.url} against {args.bundle}", hint=hint) from error
    print(check.table(report))
    for text in differences(report, args.endpoint_key):
        print(text)
    if args.json:
        Path(args.json).write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return check.exit_code(report, args.strict)


def _export(args: argparse.Namespace, bench: Bench, source: BinaryIO, base: Path) -> int:
    """Writes one bundle from all requests; every one must ask the same way, and is proved to render the same."""
    requests: list[wire.RerankRequest] = []
    grades: tuple[int | None, ...] = ()
    for number, raw in _numbered(source):
        body = wire.parse(raw)
        request = wire.read_rerank(_defaults(body, args), bench, base)
        grades = grades if requests else grades_of(body, len(request.rows))
        if requests and request.variant != requests[0].variant:
            raise RequestInvalid(
                "asks in another way than the first", where=f"line {number}", hint="Export one at a time."
            )
        requests.append(request)
        prove(bench, request.variant, request.query, request.rows)
        if args.lint == "error":
            prove_sound(bench, request.variant, request.query, request.rows)
    if not requests:
        raise RequestInvalid("has no request", where=args.source, hint="Give at least one /rerank body to prove it on.")
    first = requests[0]
    out = outgoing(
        bench, first.variant, first.query, first.rows, target=args.target, synthetic=args.synthetic, grades=grades
    )
    rows = compatibility(bench, out)
    files = files_of(bench, out, rows)
    _write(Path(args.out), files)
    print(f"{args.out}: {', '.join(files)}")
    for found in out.findings:
        print(f"{found.code} {found.sentence}")
    for row in rows:
        print(f"{'✓' if row.ok else '✗'} {row.name}: {row.why_not or f'{row.same} of {row.asked} pairs equal'}")
    return 0


def _write(folder: Path, files: dict[str, bytes]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
            if name.endswith(".sh"):
                (folder / name).chmod(0o755)
    except OSError as error:
        raise RequestInvalid(f"cannot be written ({error.strerror})", where=f"--out {folder}") from error
