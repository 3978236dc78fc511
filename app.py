"""The roof: flags and environment to a bench, the HTTP door with the screen mounted on it, and a server.

Knows nothing of how anything is ranked or shown; all flags and environment variables of the server are read here.
"""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import logging
import os
import secrets
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from workbench.errors import RequestInvalid, WorkbenchError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from workbench.pool import Bench
    from workbench.store import Store

MAX_UPLOAD = 256_000_000  # bytes: the longest clip that is taken
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until interrupted. 2: it could not start, and a sentence says why."""
    args = arguments(sys.argv[1:] if argv is None else argv, os.environ)
    signal.signal(signal.SIGTERM, _leave)  # as Ctrl+C: the private folders are removed on the way out
    try:
        with contextlib.ExitStack() as stack:
            serve(args, stack)
    except WorkbenchError as error:
        print(f"app.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
    return 0


def _leave(*_: object) -> NoReturn:
    raise SystemExit(0)


# ---------------------------------------------------------------- flags and environment
def arguments(argv: Sequence[str], environment: Mapping[str, str]) -> argparse.Namespace:
    """Flags; on a hosted Space (SPACE_ID) the address comes from GRADIO_SERVER_NAME and GRADIO_SERVER_PORT."""
    parser = argparse.ArgumentParser(
        prog="app.py", description="A workbench for rerankers, with its HTTP door beside it."
    )
    add = parser.add_argument
    space = "SPACE_ID" in environment
    port = environment.get("GRADIO_SERVER_PORT", "7860") if space else "7860"
    host = environment.get("GRADIO_SERVER_NAME", "0.0.0.0") if space else "127.0.0.1"
    add("--host", default=host, help="address to listen on (default: %(default)s)")
    add("--port", type=_port, default=port, help="0 takes a free one (default: %(default)s)")
    add("--model", metavar="NAME_DIR_OR_URL", help="a hub name, a folder or a server (default: the shipped model)")
    add("--endpoint", metavar="URL", nargs="+", default=[], help="servers of one model, used in parallel")
    add("--endpoint-key", metavar="KEY", help="what is sent to them: Authorization: Bearer KEY")
    add("--hf-overrides", metavar="JSON", help="entries of the model's config, in vLLM's words: classifier_from_token, method …")
    add(
        "--template",
        metavar="FILE_OR_NAME",
        help="score template: a file or a family's name (default: the model's own)",
    )
    add("--parity", choices=("reference", "vllm"), default="reference", help="whose recipe (default: %(default)s)")
    add("--device", default="auto", help="auto, cpu, cuda, npu, mps (default: %(default)s)")
    add("--dtype", choices=("auto", "float32", "bfloat16", "float16"), default="auto", help="(default: %(default)s)")
    add("--data", type=Path, metavar="DIR", help="folder for what is kept (default: a private one, removed at exit)")
    add("--api-key", metavar="KEY", help="what callers of the HTTP door must send: Authorization: Bearer KEY")
    add("--auth", metavar="USER:PASSWORD", type=_user, help="guards the screen")
    add("--allow-host", metavar="NAME", nargs="+", default=[], help="names a reverse proxy calls this server by; needs --auth")
    add("--upload-quota", metavar="GB", type=_gigabytes, default="2", help="of files a page may send (default: %(default)s)")
    add("--media-quota", metavar="GB", type=_gigabytes, default="20", help="of pictures and clips under --data; those that no "
        "pinned run has used for longest go first (default: %(default)s)")
    add("--feature-cache", metavar="GB", type=_gigabytes, default=0, help="what a model makes of pictures and clips stays under "
        "--data too, so that a restart looks at none again; those not used for longest go first (default: in memory alone)")
    args = parser.parse_args(argv)
    args.space = space
    return args


def _port(text: str) -> int:
    if not (text.isdecimal() and int(text) < 1 << 16):
        raise argparse.ArgumentTypeError("expected a number from 0 to 65535")
    return int(text)


def _gigabytes(text: str) -> int:
    """In bytes."""
    try:
        size = int(float(text) * 1e9)
    except (ValueError, OverflowError):
        size = 0
    if size <= 0:
        raise argparse.ArgumentTypeError("expected a number of gigabytes, such as 2")
    return size


def _user(text: str) -> tuple[str, str]:
    user, colon, password = text.partition(":")
    if not (user and colon and password):
        raise argparse.ArgumentTypeError("expected USER:PASSWORD")
    return user, password


def _is_loopback(host: str) -> bool:
    try:
        return host in LOOPBACK or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_open(args: argparse.Namespace) -> bool:
    """Other machines can reach it, directly or through a proxy."""
    return not _is_loopback(args.host) or bool(args.allow_host)


# ---------------------------------------------------------------- the house
def serve(args: argparse.Namespace, stack: contextlib.ExitStack) -> None:
    """Opens everything, prints where it is, and serves. Raises RequestInvalid when it must not or cannot start."""
    if _is_open(args) and not (args.auth or args.space):
        flag = f"--host {args.host}" if not _is_loopback(args.host) else f"--allow-host {' '.join(args.allow_host)}"
        raise RequestInvalid(
            "can be reached from other machines, so the screen needs a guard", where=flag,
            hint="Start it with --auth USER:PASSWORD, or for 127.0.0.1 alone.",
        )  # fmt: skip
    sock = stack.enter_context(_bind(args.host, args.port))  # a taken port is said before anything heavy is imported
    private = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="workbench-")))
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(private / "uploads")
    lasting, args.data = args.data is not None, args.data or private / "data"
    bench = open_house(args)
    stack.callback(bench.close)
    bench.prepare()
    store = open_history(args.data, lasting=lasting)
    stack.callback(store.close)
    if args.api_key is None and _is_open(args) and not args.space:
        args.api_key = secrets.token_urlsafe(24)
        print(f"API key of this run (none was given): {args.api_key}", file=sys.stderr)
    _run(build(bench, args, store), sock, args.host)


def open_house(args: argparse.Namespace) -> Bench:
    """The bench of these flags. A Space offers the shipped and listed models only, and reads no folders."""
    from workbench.named import FAMILIES, head_overrides, served, shipped_model, template_text
    from workbench.pool import LEXICAL, open_bench

    shipped = shipped_model()
    model, endpoints, key = served(args.model, args.endpoint, args.endpoint_key)
    if shipped is None and model is None:
        print(f"The shipped model is not there: starting with {LEXICAL}, which needs no weights.", file=sys.stderr)
    try:
        args.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise RequestInvalid(f"cannot be made ({error.strerror})", where=f"--data {args.data}") from error
    return open_bench(
        model=model or (shipped.name if shipped else LEXICAL),
        template=None if args.template is None else template_text(args.template, "--template"),
        parity=args.parity, device=args.device, dtype=args.dtype, data=args.data, families=FAMILIES,
        shipped=shipped, offered_only=args.space, endpoints=endpoints, endpoint_key=key,
        overrides=head_overrides(args.hf_overrides, endpoints), features=args.feature_cache,
    )  # fmt: skip


def open_history(data: Path, *, lasting: bool) -> Store:
    """What earlier runs left in the data folder; `lasting` unless that folder goes with the program. Raises StoreFailed."""
    from workbench.store import Store

    store = Store(data / "history.db", lasting)
    if store.said:
        print(store.said, file=sys.stderr)
    return store


def build(bench: Bench, args: argparse.Namespace, store: Store | None = None) -> FastAPI:
    """The HTTP door with the screen mounted beside it, behind the checks of who may speak to it. Runs go into `store`."""
    import gradio as gr

    from workbench import api, ui

    app = api.build(bench, api_key=args.api_key)
    if not args.space:  # there a proxy owns the names
        known = _is_loopback(args.host) or args.allow_host
        app.add_middleware(api.SameHost, names=(*LOOPBACK, args.host, *args.allow_host) if known else ())
    options: dict[str, Any] = {
        "auth": args.auth,
        "max_file_size": MAX_UPLOAD,
        "blocked_paths": [str(args.data)],
        **ui.mount_options(),
    }
    page = ui.build(bench, quota=args.upload_quota, store=store, shelf=args.media_quota)
    mounted: FastAPI = gr.mount_gradio_app(app, page, path="/", **options)
    return mounted


# ---------------------------------------------------------------- the server
def _bind(host: str, port: int) -> socket.socket:
    """A socket that holds the address and does not listen yet."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # Named as TCP: else asyncio leaves Nagle's algorithm on, and every answer waits 40 ms for an acknowledgement.
        sock = socket.socket(family, kind, socket.IPPROTO_TCP)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(address)
        except OSError:
            sock.close()
            raise
    except OSError as error:
        hint = "Stop what holds it, or choose another with --port (0 takes a free one)."
        raise RequestInvalid(f"cannot be listened on ({error})", where=f"{host}:{port}", hint=hint) from error
    return sock


def _run(app: FastAPI, sock: socket.socket, host: str) -> None:
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                name = f"[{host}]" if ":" in host else host
                print(f"Reranker workbench: http://{name}:{sock.getsockname()[1]}", flush=True)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # an open page is cut off: no news
            await super().shutdown(sockets)

    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=1
    )
    Server(config).run(sockets=[sock])


if __name__ == "__main__":
    sys.exit(main())
