"""From a model's name to its family and its configs, by what its folder's own files say it is.

Knows nothing of weights beyond that they must be safetensors, and nothing of what a score is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from workbench.errors import ModelUnavailable
from workbench.scorers import REMOTE
from workbench.scorers._hub import Report, locate
from workbench.scorers._json import read_any, read_json
from workbench.types import JSON, Family


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
    folder, revision = locate(name, folders, report)
    config = read_json(folder / "config.json")
    if config is None:
        raise ModelUnavailable(
            "has no config.json", where=name, hint="Point at the folder of a transformers checkpoint."
        )
    modules, processor = _modules(folder), read_json(folder / "processor_config.json") or {}
    chosen = families[family] if family else _family(name, config, modules, folder, families)
    return Checkpoint(
        name=name,
        folder=folder,
        family=_over_chat(chosen, folder) if chosen.scorer == "reward" else chosen,
        config=config,
        image_config=read_json(folder / "preprocessor_config.json") or processor.get("image_processor") or {},
        video_config=read_json(folder / "video_preprocessor_config.json") or {},
        declared_template=declared_template(folder),
        revision=revision,
        modules=modules,
        module_config=read_json(folder / "sentence_bert_config.json") or {},
    )


def _modules(folder: Path) -> tuple[Mapping[str, JSON], ...]:
    """modules.json of a Sentence-Transformers layout: {name, path, type} each, in the order they are run."""
    value = read_any(folder / "modules.json")
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(m, dict) for m in value):
        raise ModelUnavailable("modules.json holds no list of modules", where=str(folder))
    return tuple(value)


def _family(
    name: str, config: Mapping[str, JSON], modules: Sequence[Mapping[str, JSON]], folder: Path,
    families: Mapping[str, Family],
) -> Family:  # fmt: skip
    """By hub name, else by what the folder's own files say it is for, else by architecture."""
    for family in families.values():
        if name in family.models:
            return family
    # A decoder that reads pictures is a reranker unless its layout says that it embeds.
    families = dict(sorted(families.items(), key=lambda item: item[1].scorer == "bi_encoder"))
    architectures = [a for a in config.get("architectures") or [] if isinstance(a, str)]
    serving = [f for f in families.values() if set(architectures) & set(f.architectures)]
    if wanted := _layout(modules, folder):
        fitting = [f for f in families.values() if f.scorer == wanted and not f.template.placeholders.image]
        serving = [f for f in serving if f.scorer == wanted] or fitting
    if serving:
        return serving[0]
    served = "; ".join(f"{f.name} ({', '.join(f.architectures)})" for f in families.values() if f.architectures)
    raise ModelUnavailable(
        f"is a {' / '.join(architectures) or 'checkpoint without a named architecture'}, which no family here serves",
        where=name, hint=f"Families: {served}. A new one is a file in templates/.",
    )  # fmt: skip


def _layout(modules: Sequence[Mapping[str, JSON]], folder: Path) -> str:
    """The score type a Sentence-Transformers layout is of: vectors pooled, sparse or one per token; "" where it has none."""
    if not modules or (read_json(folder / "config_sentence_transformers.json") or {}).get("model_type") == "CrossEncoder":
        return ""
    types = [str(m.get("type")).rpartition(".")[2] for m in modules]
    if "SpladePooling" in types:
        return "sparse"
    return "bi_encoder" if "Pooling" in types else "late_interaction" if "Dense" in types else ""


def declared_template(folder: Path) -> str | None:
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
