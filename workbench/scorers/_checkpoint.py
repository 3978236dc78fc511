"""From a model's name to a local folder, its family and its configs: shipped, given as a folder, cached, or downloaded.

Knows nothing of weights beyond that they must be safetensors, and nothing of what a score is.
"""

from __future__ import annotations

import concurrent.futures
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from workbench.scorers import REMOTE
from workbench.types import JSON, Family, ModelUnavailable

FILES = [
    "*.json",
    "*.safetensors",
    "*.jinja",
    "*/*.jinja",
    "[0-9]_*/*.json",
    "[0-9]_*/*.safetensors",
    "merges.txt",
    "vocab.txt",
    "*.model",
]  # what a scorer reads; never pickles
HUB_SECONDS = 4.5
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model on this disk. `declared_template` is the score template its own configs name, if any; `modules` and
    `module_config` are its Sentence-Transformers layout (modules.json, sentence_bert_config.json), empty where it has none."""

    name: str
    folder: Path
    family: Family
    config: Mapping[str, JSON]
    image_config: Mapping[str, JSON]
    video_config: Mapping[str, JSON]
    declared_template: str | None = None
    revision: str = ""
    modules: tuple[Mapping[str, JSON], ...] = ()
    module_config: Mapping[str, JSON] = field(default_factory=dict)


def open_checkpoint(
    name: str, families: Mapping[str, Family], *, folders: bool = True, report: Report = lambda _: None, family: str = ""
) -> Checkpoint:
    """`name` is a folder (where `folders` allows it) or a hub name such as Qwen/Qwen3-Reranker-0.6B.

    The family is the one asked for, else the one that lists the name, else what the folder's Sentence-Transformers layout
    says, else the one that lists the config's architecture.
    Raises ModelUnavailable, within five seconds where a hub cannot be reached.
    """
    if family and family not in families:
        raise ModelUnavailable(f"there is no family {family!r}", where=name, hint=f"There are: {', '.join(families)}.")
    for known in families.values():
        if name in known.models and known.remote and not family:
            raise ModelUnavailable(known.remote, where=name, hint=REMOTE)
    folder, revision = _locate(name, folders, report)
    config = read_json(folder / "config.json")
    if config is None:
        raise ModelUnavailable(
            "has no config.json", where=name, hint="Point at the folder of a transformers checkpoint."
        )
    modules = _modules(folder)
    chosen = families[family] if family else _family(name, config, modules, folder, families)
    return Checkpoint(
        name=name,
        folder=folder,
        family=_over_chat(chosen, folder) if chosen.scorer == "reward" else chosen,
        config=config,
        image_config=read_json(folder / "preprocessor_config.json") or {},
        video_config=read_json(folder / "video_preprocessor_config.json") or {},
        declared_template=_declared_template(folder),
        revision=revision,
        modules=modules,
        module_config=read_json(folder / "sentence_bert_config.json") or {},
    )


def read_json(path: Path) -> dict[str, JSON] | None:
    """The object in a file, None where there is no file; ModelUnavailable where it is damaged."""
    value = _read(path)
    if value is not None and not isinstance(value, dict):
        raise ModelUnavailable(f"{path.name} holds no JSON object", where=str(path.parent))
    return value


def _read(path: Path) -> JSON:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"{path.name} cannot be read ({error})", where=str(path.parent)) from error


def _modules(folder: Path) -> tuple[Mapping[str, JSON], ...]:
    """modules.json of a Sentence-Transformers layout: {name, path, type} each, in the order they are run."""
    value = _read(folder / "modules.json")
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(m, dict) for m in value):
        raise ModelUnavailable("modules.json holds no list of modules", where=str(folder))
    return tuple(value)


def _locate(name: str, folders: bool, report: Report) -> tuple[Path, str]:
    path = Path(name).expanduser()
    if path.is_dir() and folders:
        return path, ""
    if name.count("/") != 1 or name.startswith((".", "/", "~")) or "\\" in name:
        hint = "Give the folder of a checkpoint, or a hub name such as Qwen/Qwen3-Reranker-0.6B."
        raise ModelUnavailable("is neither a folder here nor a hub name", where=name, hint=hint)
    return _from_hub(name, report)


def _from_hub(name: str, report: Report) -> tuple[Path, str]:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, allow_patterns=FILES, local_files_only=True))
        if _whole(folder):
            return folder, folder.name
    except (LocalEntryNotFoundError, OSError, ValueError):
        pass
    _reach(name)
    report(f"Downloading {name}")
    try:
        folder = Path(snapshot_download(name, allow_patterns=FILES, tqdm_class=_progress(name, report)))
    except Exception as error:  # the hub client raises many kinds; each is said with its own words
        raise ModelUnavailable(
            f"could not be downloaded ({_short(error)})", where=name, hint=_ways_out(name)
        ) from error
    return folder, folder.name


def _whole(folder: Path) -> bool:
    """Whether all weight files are there: a download may have been interrupted between two of them."""
    index = read_json(folder / "model.safetensors.index.json")
    names = set(index["weight_map"].values()) if index else {"model.safetensors"}
    return all((folder / n).is_file() for n in names)


def _reach(name: str) -> None:
    """Asks the hub about a model: the question that tells quickly whether it answers at all, and has it."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    pool = concurrent.futures.ThreadPoolExecutor(1)  # the client's own timeout does not cover all of a connection
    try:
        pool.submit(HfApi().model_info, name, timeout=HUB_SECONDS).result(timeout=HUB_SECONDS)
    except GatedRepoError as error:
        hint = "Accept its terms on its page and set HF_TOKEN."
        raise ModelUnavailable(
            "is gated: the hub wants an accepted licence and a token", where=name, hint=hint
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelUnavailable("is not on the hub (or is private)", where=name, hint=_ways_out(name)) from error
    except Exception as error:
        why = f"is not on this machine, and the model hub cannot be reached ({_short(error)})"
        raise ModelUnavailable(why, where=name, hint=_ways_out(name)) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _ways_out(name: str) -> str:
    return (
        "Ways out: give a folder that holds the checkpoint; set HF_ENDPOINT to a mirror you can reach; or download it "
        f"elsewhere with `hf download {name}` and copy the folder."
    )


def _short(error: BaseException) -> str:
    """Why a hub did not serve, in a few words of ours where the case is a common one."""
    kind, text = type(error).__name__, str(error).strip().split("\n")[0]
    if "Offline" in kind:
        return "HF_HUB_OFFLINE is set"
    if isinstance(error, TimeoutError) or "Timeout" in kind:
        return "no answer in time"
    return "no connection" if "Connect" in kind else f"{kind}: {text[:160]}" if text else kind


def _progress(name: str, report: Report) -> type[Any]:
    """A tqdm class for the hub client that passes the share of bytes on to `report`."""
    from huggingface_hub.utils import tqdm

    class Reporting(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.done, self.counts_bytes = 0.0, options.get("unit") == "B"  # a bar that is not drawn keeps neither

        def update(self, n: float | None = 1) -> bool | None:
            drawn = super().update(n)
            self.done += n or 0
            if self.counts_bytes and self.total:
                report(f"Downloading {name}: {100 * self.done / self.total:.0f} % of {self.total / 1e9:.1f} GB")
            return drawn  # type: ignore[no-any-return]

    return Reporting


def _family(
    name: str, config: Mapping[str, JSON], modules: Sequence[Mapping[str, JSON]], folder: Path,
    families: Mapping[str, Family],
) -> Family:  # fmt: skip
    """By hub name, else by what the folder's own files say it is for, else by architecture."""
    for family in families.values():
        if name in family.models:
            return family
    architectures = [a for a in config.get("architectures") or [] if isinstance(a, str)]
    serving = [f for f in families.values() if set(architectures) & set(f.architectures)]
    if wanted := _layout(modules, folder):
        serving = [f for f in serving if f.scorer == wanted] or [f for f in families.values() if f.scorer == wanted]
    if serving:
        return serving[0]
    served = "; ".join(f"{f.name} ({', '.join(f.architectures)})" for f in families.values() if f.architectures)
    raise ModelUnavailable(
        f"is a {' / '.join(architectures) or 'checkpoint without a named architecture'}, which no family here serves",
        where=name, hint=f"Families: {served}. A new one is a file in templates/.",
    )  # fmt: skip


def _layout(modules: Sequence[Mapping[str, JSON]], folder: Path) -> str:
    """The score type a Sentence-Transformers layout is of: pooled vectors, or one vector per token; "" where it has none."""
    if not modules or (read_json(folder / "config_sentence_transformers.json") or {}).get("model_type") == "CrossEncoder":
        return ""
    types = [str(m.get("type")).rpartition(".")[2] for m in modules]
    return "bi_encoder" if "Pooling" in types else "late_interaction" if "Dense" in types else ""


def _declared_template(folder: Path) -> str | None:
    """The score template that a Sentence-Transformers CrossEncoder config declares, by vLLM's rule (0.33).

    The first module takes flat messages; `processing_kwargs.chat_template.chat_template` names one of the tokenizer's
    templates, and without a name it is the default one. A tokenizer's chat template that no such config declares is for
    chatting and never used.
    """
    st = read_json(folder / "config_sentence_transformers.json") or {}
    module = read_json(folder / "sentence_bert_config.json") or {}
    message = (module.get("modality_config") or {}).get("message") or {}
    if st.get("model_type") != "CrossEncoder" or message.get("format") != "flat":
        return None
    wanted = ((module.get("processing_kwargs") or {}).get("chat_template") or {}).get("chat_template") or "default"
    templates = _tokenizer_templates(folder)
    if wanted not in templates:
        raise ModelUnavailable(
            f"its Sentence-Transformers config names a template {wanted!r} that its tokenizer does not have",
            where=str(folder), hint=f"There are: {', '.join(sorted(templates)) or 'none'}.",
        )  # fmt: skip
    return templates[wanted]


def _over_chat(family: Family, folder: Path) -> Family:
    """The family's words with the tokenizer's chat template below them: a reward model judges an answer in a chat."""
    templates = _tokenizer_templates(folder)
    if "default" not in templates:
        hint = "Add chat_template.jinja to its folder."
        raise ModelUnavailable("is a reward model whose tokenizer has no chat template", where=str(folder), hint=hint)
    body = family.source.rstrip("\n") + "\n" + templates["default"]
    return replace(family, source=body, template=replace(family.template, body=body))


def _tokenizer_templates(folder: Path) -> dict[str, str]:
    """All named templates of a tokenizer: from its config, `chat_template.jinja` and `additional_chat_templates/`."""
    saved = (read_json(folder / "tokenizer_config.json") or {}).get("chat_template")
    found: dict[str, str] = {"default": saved} if isinstance(saved, str) else {}
    if isinstance(saved, list):
        found.update({t["name"]: t["template"] for t in saved if isinstance(t, dict)})
    if (path := folder / "chat_template.jinja").is_file():
        found["default"] = path.read_text(encoding="utf-8")
    for path in (folder / "additional_chat_templates").glob("*.jinja"):
        found[path.stem] = path.read_text(encoding="utf-8")
    return found
