"""Tasks that behave and misbehave in every way a worker must survive."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

from workbench.errors import TemplateInvalid


def echo(arguments: Any, blobs: list[bytes]) -> tuple[Any, list[bytes]]:
    return arguments, blobs


def pid(arguments: Any, blobs: list[bytes]) -> tuple[Any, list[bytes]]:
    return os.getpid(), []


def burn(arguments: Any, blobs: list[bytes]) -> tuple[Any, list[bytes]]:
    a = 9
    return (a ** (a**8)) % 7, []  # one C call: no signal handler and no other thread gets a turn


def sleep(arguments: Any, blobs: list[bytes]) -> tuple[Any, list[bytes]]:
    time.sleep(arguments)
    return None, []


def eat(arguments: Any, blobs: list[bytes]) -> tuple[Any, list[bytes]]:
    return len(bytearray(arguments)), []


def flood(arguments: Any, blobs: list[bytes]) -> tuple[Any, list[bytes]]:
    return None, [bytes(arguments)]


def scribble(arguments: Any, blobs: list[bytes]) -> tuple[Any, list[bytes]]:
    """Writes onto every pipe it finds, as a broken library might."""
    for number in range(3, 64):
        try:
            os.write(number, bytes.fromhex(arguments))
        except OSError:
            continue
    return None, []


def chatter(arguments: Any, blobs: list[bytes]) -> tuple[Any, list[bytes]]:
    print("noise")
    os.write(1, b"noise")
    os.write(2, b"noise")
    return sys.stdin.read(), []


def fail(arguments: Any, blobs: list[bytes]) -> tuple[Any, list[bytes]]:
    raise TemplateInvalid("is odd \ud800", line=7, hint="Mend it.")


def fail_otherwise(arguments: Any, blobs: list[bytes]) -> tuple[Any, list[bytes]]:
    return {}["missing"], []


def die(arguments: Any, blobs: list[bytes]) -> tuple[Any, list[bytes]]:
    os.kill(os.getpid(), signal.SIGKILL)
    return None, []


def surroundings(arguments: Any, blobs: list[bytes]) -> tuple[Any, list[bytes]]:
    heavy = [name for name in ("torch", "gradio", "transformers", "numpy", "jinja2") if name in sys.modules]
    return {"environment": dict(os.environ), "place": os.getcwd(), "heavy": heavy}, []


def write(arguments: Any, blobs: list[bytes]) -> tuple[Any, list[bytes]]:
    with open(arguments, "wb") as file:
        file.write(b"something")
    return None, []
