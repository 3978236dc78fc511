"""Whose history a request is about: the user who signed in, else the browser by a number that only it knows.

Knows nothing of what is remembered. The page's script keeps the number (128 random bits) and sends it as a header; here only
its hash is kept, so that the file of the history opens nobody's page.
"""

from __future__ import annotations

import hashlib
import re

import gradio as gr

HEADER = "x-workbench-browser"


def owner_of(request: gr.Request) -> str:
    """A page without the number (no script, no storage) has a history of its own that ends with it."""
    if name := getattr(request, "username", None):
        return f"user:{name}"
    number = (getattr(request, "headers", None) or {}).get(HEADER, "")
    if re.fullmatch("[0-9a-f]{32}", number):
        return f"browser:{hashlib.sha256(number.encode()).hexdigest()[:32]}"
    return f"session:{request.session_hash}"
