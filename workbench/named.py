"""What a caller's words mean: the model that ships, a template's name or file, the address of a server.

Knows nothing of flags, bodies or pages; every door that opens a bench asks here.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

from workbench.errors import RequestInvalid
from workbench.imported import from_place, from_server
from workbench.pool import RENDER_SECONDS, is_address
from workbench.template import Renderer
from workbench.types import JSON
from workbench.worker import Worker

ROOT = Path(__file__).resolve().parent.parent
FAMILIES = ROOT / "templates"
SHIPPED = ROOT / "assets" / "demo-reranker"


def shipped_model() -> Path | None:
    """The folder of the model that comes with the workbench, where it is there."""
    return SHIPPED if (SHIPPED / "config.json").is_file() else None


def template_text(name: str, where: str = "template") -> str:
    """The text of a template: a family's name stays one; a file, a bundle, a checkpoint's folder, a server's address.

    Raises RequestInvalid, named by `where`.
    """
    if is_address(name):
        return _server_template(name)
    path, why = Path(name), "there is no such file or folder"
    try:
        if path.exists() or not (FAMILIES / f"{name}.jinja").is_file():
            if (text := from_place(path)) is not None:
                return text
        else:
            return name
    except (OSError, zipfile.BadZipFile) as error:
        why = str(error)
    families = ", ".join(sorted(p.stem for p in FAMILIES.glob("*.jinja")))
    hint = f"Name a file, a bundle, a server or a family: {families}."
    raise RequestInvalid(f"cannot be read ({why})", where=f"{where} {name}", hint=hint)


def _server_template(name: str) -> str:
    """What a server renders, as a template. Raises RequestInvalid or ModelUnavailable."""
    from workbench.scorers._endpoints import Endpoints, address

    place = address(name)
    worker = Worker("workbench.sandbox", seconds=RENDER_SECONDS, memory_mb=512, output_bytes=1 << 20)
    try:
        return from_server(Endpoints([place]), Renderer(worker), place.model)
    finally:
        worker.close()


def head_overrides(text: str | None, endpoints: Sequence[str]) -> dict[str, JSON]:
    """vLLM's --hf-overrides: entries of the model's config as a JSON object; {} where nothing is given. Raises RequestInvalid."""
    where, hint = "--hf-overrides", 'Write e.g. {"classifier_from_token": ["Yes"], "method": "no_post_processing"}.'
    if text is None:
        return {}
    try:
        found = json.loads(text)
    except ValueError as error:
        raise RequestInvalid(f"is no JSON ({error})", where=where, hint=hint) from error
    if not isinstance(found, dict):
        raise RequestInvalid(f"is no JSON object: {text[:80]}", where=where, hint=hint)
    if endpoints and found:
        raise RequestInvalid("does nothing to a server", where=where, hint="Give it to `vllm serve`, which reads the head there.")
    return found


def served(model: str | None, endpoints: Sequence[str], key: str | None) -> tuple[str | None, tuple[str, ...], str]:
    """(model, addresses, key). An address given as the model is the first endpoint.

    A key within an address is taken out, so that no answer, page or log shows it. Raises RequestInvalid.
    """
    given = [model] if model is not None and is_address(model) else []
    if model is not None and endpoints and not given:
        hint = "Give either; an endpoint is a model that runs elsewhere."
        raise RequestInvalid("cannot be used together with --endpoint", where=f"model {model}", hint=hint)
    if not (given or endpoints):
        if key:
            raise RequestInvalid("has no endpoint to go to", where="--endpoint-key", hint="Give --endpoint URL too.")
        return model, (), ""
    from workbench.scorers._endpoints import address

    places = [address(text) for text in dict.fromkeys([*given, *endpoints])]
    keys = {p.key for p in places if p.key} | ({key} if key else set())
    if len(keys) > 1:
        raise RequestInvalid("are several", where="endpoint keys", hint="All endpoints of a model take the same --endpoint-key.")
    names = tuple(p.name for p in places)
    return names[0], names, next(iter(keys), "")
