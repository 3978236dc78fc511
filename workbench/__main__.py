"""The command line: names the commands, hands each its arguments, turns errors into a sentence and an exit code.

Knows nothing of what the commands do; those of the demo wing are imported only when called.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from collections.abc import Sequence

from workbench.errors import WorkbenchError

DEMO = {
    "train": "train the small model that ships with the workbench",
    "check": "measure it on seeds it never saw",
    "scenarios": "draw the scenarios the screen opens with",
}


def main(argv: Sequence[str] | None = None) -> int:
    """0: all went well; 1: a line failed; 2: nothing could be done; 130: interrupted (finished lines are kept)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if arguments[:1] == ["demo"]:
            return _demo(arguments[1:])
        args = _parser().parse_args(arguments)
        from workbench import commands

        return commands.run(args)
    except WorkbenchError as error:
        print(f"workbench: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `… | head` has seen enough
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        print("workbench: interrupted; finished lines are kept", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m workbench",
        description="Rerank, score and render requests in vLLM's wire shape, and export what was tuned.",
        epilog="Example: python -m workbench rerank --in requests.jsonl --out answers.jsonl --details",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, help in (
        ("rerank", "answer bodies of POST /rerank, one a line"),
        ("score", "answer bodies of POST /score, one a line"),
        ("render", "show prompts and token ids of /rerank bodies, without weights"),
        ("lint", "say what is wrong with the prompts of /rerank bodies, without weights"),
    ):
        command = _common(commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}."))
        command.add_argument(
            "--out", default="-", metavar="FILE", help="answers, one a line; - is standard output (default)"
        )
        if name in ("rerank", "score"):
            command.add_argument(
                "--details", action="store_true", help="add `pairs`: prompt, tokens, logit or error of each"
            )
    export = _common(commands.add_parser("export", help="write what production needs: template, manifest, serve line"))
    export.add_argument("--target", required=True, metavar="NAME", help="what serves or calls it: vllm, sglang, …")
    export.add_argument("--synthetic", action="store_true", help="let no document leave: golden pairs are made up")
    export.add_argument("--lint", choices=("error", "off"), default="error", help="do its errors stop it (default: %(default)s)")
    export.add_argument("--out", required=True, metavar="DIR", help="the folder to write")
    _bench(commands.add_parser("bench", help="how fast scoring is here, beside others on the same ids"))
    check = commands.add_parser("check", help="does a server give what a bundle holds: 0 yes, 1 no, 2 it cannot be asked")
    check.add_argument("url", metavar="URL", help="the server, as http://HOST:8000")
    check.add_argument("--bundle", required=True, metavar="DIR", help="the folder that export wrote")
    check.add_argument("--json", metavar="FILE", help="also write the whole report there")
    check.add_argument("--endpoint-key", metavar="KEY", default="", help="sent as Authorization: Bearer KEY")
    check.add_argument("--strict", action="store_true", help="another dtype is a failure too")
    commands.add_parser("demo", help=f"the shipped model: {', '.join(DEMO)}", add_help=False)
    return parser


def _common(command: argparse.ArgumentParser) -> argparse.ArgumentParser:
    add = command.add_argument
    add("--model", metavar="NAME_DIR_OR_URL", help="a hub name, a folder or a server (default: the shipped model)")
    add("--endpoint", metavar="URL", nargs="+", default=[], help="servers of one model, used in parallel")
    add("--endpoint-key", metavar="KEY", help="what is sent to them: Authorization: Bearer KEY")
    add("--hf-overrides", metavar="JSON", help="entries of the model's config, in vLLM's words: classifier_from_token, method …")
    add("--template", metavar="FILE_OR_NAME", help="score template of lines that bring none: a file or a family's name")
    add("--instruction", metavar="TEXT", help="instruction of lines that bring none")
    add("--parity", choices=("reference", "vllm"), default="reference", help="whose recipe (default: %(default)s)")
    add("--device", default="auto", help="auto, cpu, cuda, npu, mps (default: %(default)s)")
    add("--dtype", choices=("auto", "float32", "bfloat16", "float16"), default="auto", help="(default: %(default)s)")
    add(
        "--in", dest="source", required=True, metavar="FILE", help="requests, one JSON body a line; - is standard input"
    )
    return command


def _bench(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--workload", default="rerank", help="rerank, requests, edit, vision, queryset, growth (default: %(default)s)")
    add("--shape", default="qwen3-0.6b", help="qwen3-0.6b|4b|8b|vl-2b|vl-8b, random weights (default: %(default)s)")
    add("--layers", type=int, help="fewer layers than the shape has")
    add("--documents", type=int, default=64, help="of one query (default: %(default)s)")
    add("--tokens", type=int, default=64, help="of a document, about (default: %(default)s)")
    add("--rounds", type=int, default=3, help="measured ones; one more comes first and only compares (default: %(default)s)")
    add("--against", action="append", default=[], metavar="PEER", help="sentence-transformers, naive, or a server's URL")
    add("--peer-python", default="", metavar="FILE", help="the Python that has sentence-transformers")
    add("--weights", metavar="DIR", help="keep the random weights there for the next run and for servers")
    add("--device", default="auto", help="auto, cpu, cuda, npu, mps (default: %(default)s)")
    add("--dtype", choices=("auto", "float32", "bfloat16", "float16"), default="auto", help="(default: %(default)s)")
    add("--json", metavar="FILE", help="write all figures there")


def _demo(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m workbench demo", description="The model that ships with the workbench."
    )
    parser.add_argument("what", choices=tuple(DEMO), help="; ".join(f"{name}: {help}" for name, help in DEMO.items()))
    name = parser.parse_args(arguments[:1]).what
    module = importlib.import_module(f"workbench.demo.{name}")
    parser = argparse.ArgumentParser(prog=f"python -m workbench demo {name}", description=f"{DEMO[name].capitalize()}.")
    module.add_arguments(parser)
    return int(module.run(parser.parse_args(arguments[1:])))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # private folders are removed on the way out
    sys.exit(main())
