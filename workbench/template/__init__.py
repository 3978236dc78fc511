"""Score templates: family files read, contents flattened, prompts rendered with the segments they are made of.

Knows nothing of models or tokens, and no Jinja: what strangers wrote is compiled and rendered in a worker process only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import get_args

from workbench.errors import RequestInvalid, TemplateInvalid, TemplateLimit, WorkbenchError
from workbench.template._content import flatten
from workbench.template._families import read_families, read_family, split_facts, template_of
from workbench.template._page import families_table
from workbench.types import JSON, Media, RenderedPrompt, ScoreTemplate, Segment, SegmentKind
from workbench.worker import Worker, WorkerFailed, WorkerLimit

__all__ = [
    "RESERVED", "Renderer", "Settings", "TemplateFacts", "families_table", "flatten", "read_families", "read_family",
    "split_facts", "template_of",
]  # fmt: skip

# What the renderer itself passes, and vLLM's and transformers' arguments beside it: a request may set none of them.
RESERVED = frozenset(
    "messages conversation conversations tokenizer tokenize chat_template tools documents add_generation_prompt "
    "continue_final_message padding truncation max_length return_tensors return_dict return_assistant_tokens_mask "
    "tokenizer_kwargs processor_kwargs model_config".split()
)
Settings = tuple[bool, bool, bool]  # trim_blocks, lstrip_blocks, keep_trailing_newline
MAX_VARIABLES, MAX_DEPTH = 256 << 10, 16
NONE: Mapping[str, JSON] = MappingProxyType({})
KINDS = frozenset(get_args(SegmentKind))
LIMITS = {
    "time": "took longer than {seconds:g} s",
    "memory": "needed more memory than it may have",
    "output": "made more text than it may",
    "crash": "ended the process it ran in",
}


@dataclass(frozen=True, slots=True)
class TemplateFacts:
    """The names a template reads without setting them, sorted; Jinja's own functions are not among them."""

    variables: tuple[str, ...]
    reads_instruction: bool


class Renderer:
    """Renders score templates as vLLM does, through a Worker("workbench.sandbox", …). Thread-safe."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def render(
        self,
        template: ScoreTemplate,
        query: str,
        document: str,
        *,
        instruction: str | None = None,
        variables: Mapping[str, JSON] = NONE,
        special_tokens: Mapping[str, str] = NONE,
        media: tuple[Media, ...] = (),
    ) -> RenderedPrompt:
        """The prompt of one pair, in one round trip.

        As in vLLM an instruction that is not None becomes the variable `instruction` unless `variables` has one, even null;
        variables the template never reads are dropped and named in `unused`.
        Raises TemplateInvalid or TemplateLimit with the template's line, RequestInvalid for what cannot be passed on.
        """
        given = {} if instruction is None else {"instruction": _plain_text(instruction, "instruction")}
        arguments = {
            "body": _plain_text(template.body, "template"),
            "query": _plain_text(query, "query"),
            "document": _plain_text(document, "document"),
            "variables": {**given, **_checked(variables)},
            "special_tokens": dict(special_tokens),
        }
        answer, (text, *_) = self._ask("render", arguments)
        prompt = text.decode()
        return RenderedPrompt(prompt, media, _segments(answer["segments"], len(prompt)), tuple(answer["unread"]))

    def check(self, body: str) -> TemplateFacts:
        """What a template reads; raises as `render` does where it does not compile."""
        names, _ = self._ask("check", {"body": _plain_text(body, "template")})
        return TemplateFacts(tuple(names), "instruction" in names)

    def render_under(
        self, settings: Settings, body: str, query: str, document: str, *, variables: Mapping[str, JSON] = NONE,
        special_tokens: Mapping[str, str] = NONE, roles: tuple[str, str] = ("query", "document"),
    ) -> str:  # fmt: skip
        """The prompt as a program with other settings of Jinja, or other roles, makes it. Raises as `render`."""
        arguments = {
            "body": _plain_text(body, "template"), "query": query, "document": document, "roles": list(roles),
            "settings": list(settings), "variables": dict(variables), "special_tokens": dict(special_tokens),
        }  # fmt: skip
        return self._ask("render_under", arguments)[1][0].decode()

    def probe(
        self, body: str, asked: Sequence[Mapping[str, JSON]], *, special_tokens: Mapping[str, str] = NONE
    ) -> tuple[tuple[str, ...], list[str | None]]:
        """(names it reads without setting them, a text per question or None where it makes none), in one round trip.

        A question has "messages" and "variables", and perhaps "settings": a conversation nobody sends, to see what the
        template would do with it. Raises as `render`.
        """
        arguments = {"body": _plain_text(body, "template"), "asked": list(asked), "special_tokens": dict(special_tokens)}
        answer, texts = self._ask("probe", arguments)
        found = zip(answer["known"], texts, strict=True)
        return tuple(answer["names"]), [text.decode() if known else None for known, text in found]

    def steady(self, body: str) -> str:
        """The same template with its whitespace in literals, from `{{-` to `-}}`: it renders the same under all settings."""
        return str(self._ask("steady", {"body": _plain_text(body, "template")})[0])

    def _ask(self, task: str, arguments: JSON) -> tuple[JSON, list[bytes]]:
        try:
            return self._worker.call(task, arguments)
        except WorkerLimit as limit:
            message = LIMITS[limit.kind].format(seconds=self._worker.seconds)
            raise TemplateLimit(message, hint="Render less, or in fewer steps.") from None
        except WorkerFailed as error:
            if error.kind == TemplateLimit.kind:
                raise TemplateLimit(error.message, line=error.line) from None
            if error.kind == TemplateInvalid.kind:
                raise TemplateInvalid(error.message, line=error.line, column=error.column) from None
            raise WorkbenchError(f"templates cannot be rendered: {error.message}", where="renderer") from error
        except (TypeError, ValueError) as error:  # only special tokens are sent unchecked
            raise RequestInvalid(f"cannot be passed to a template ({error})", where="request") from error


def _checked(variables: Mapping[str, JSON]) -> dict[str, JSON]:
    """Variables a request may set: plain JSON of limited size, under names that are not the renderer's own."""
    if not variables:
        return {}
    if taken := sorted(RESERVED & variables.keys()):
        raise RequestInvalid(
            f"{', '.join(taken)} cannot be set by a request", where="variables", hint="Choose another name."
        )
    if any(_deeper(value, MAX_DEPTH) for value in variables.values()):
        raise RequestInvalid(f"are nested deeper than {MAX_DEPTH} levels", where="variables")
    try:
        size = len(json.dumps(dict(variables), ensure_ascii=False, allow_nan=False).encode())
    except UnicodeEncodeError as error:
        raise RequestInvalid("hold half a character (a lone surrogate)", where="variables") from error
    except (TypeError, ValueError) as error:
        raise RequestInvalid(f"are not plain JSON ({error})", where="variables") from error
    if size > MAX_VARIABLES:
        raise RequestInvalid(f"take {size >> 10} kB where {MAX_VARIABLES >> 10} fit", where="variables")
    return dict(variables)


def _deeper(value: JSON, levels: int) -> bool:
    """Whether lists and dicts stand within each other on more than `levels` levels."""
    inside = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list | tuple) else None
    return inside is not None and (levels == 0 or any(_deeper(v, levels - 1) for v in inside))


def _plain_text(text: str, where: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        message = f"holds half a character (a lone surrogate) at position {error.start}, which no tokenizer can read"
        if where == "template":
            raise TemplateInvalid(message, line=text.count("\n", 0, error.start) + 1) from None
        raise RequestInvalid(message, where=where) from None
    return text


def _segments(spans: JSON, length: int) -> tuple[Segment, ...] | None:
    """The sandbox's answer, believed only when it covers the text without gaps."""
    if spans is None:
        return None
    segments = tuple(Segment(kind, start, end) for kind, start, end in spans)
    edges = [0, *(s.end for s in segments)]
    sound = [s.start for s in segments] == edges[:-1] and edges[-1] == length and all(s.kind in KINDS for s in segments)
    return segments if sound else None
