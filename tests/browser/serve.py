"""Serves the page with a model, scenarios and scenes of the caller's choice, and says where: `serve.py DATA MODEL SCENES`."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import gradio as gr
import uvicorn
from fastapi import FastAPI

from workbench import ui
from workbench.pool import open_bench

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    data, model, scenes = map(Path, sys.argv[1:])
    bench = open_bench(model=model.name, data=data, families=ROOT / "templates", shipped=model, device="cpu")
    page = ui.build(bench, ROOT / "assets" / "scenarios", scenes)
    app = gr.mount_gradio_app(FastAPI(), page, path="/", **ui.mount_options())
    sock = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{sock.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[sock])


if __name__ == "__main__":
    main()
