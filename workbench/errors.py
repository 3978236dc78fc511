"""The one error tree: what went wrong, where, and the way out.

Knows nothing of who raises or shows them; imports nothing.
"""

from __future__ import annotations


class WorkbenchError(Exception):
    """What went wrong, where, and the way out; each door translates it once.

    WorkbenchError
    ├── RequestInvalid     a body, file or flag that cannot be understood        (HTTP 400)
    ├── TemplateInvalid    a score template that does not compile or render      (HTTP 400)
    ├── TemplateLimit      a template that ran into time, memory or output limits (HTTP 400)
    ├── MediaInvalid       a picture or clip that cannot be read                 (HTTP 400)
    ├── PromptInvalid      a prompt that cannot be scored as it stands           (HTTP 400)
    ├── ModelUnavailable   a model that cannot be found, read or reached         (HTTP 404)
    ├── ScoreFailed        a forward pass that gave no usable number             (HTTP 500)
    ├── StoreFailed        a history that cannot be opened, read or written    (workbench.store; HTTP 500)
    ├── Busy               more work than the queue takes                        (HTTP 503)
    └── Stopped            the caller asked for it                               (HTTP 499)
    """

    kind = "error"

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message, self.where, self.hint = message, where, hint

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        stop = "." if self.hint and self.message[-1:] not in ".!?…" else ""
        return f"{place}{self.message}{stop} {self.hint}".rstrip()

    def as_dict(self) -> dict[str, str]:
        return {"kind": self.kind, "message": self.message, "where": self.where, "hint": self.hint}


class RequestInvalid(WorkbenchError):
    kind = "request_invalid"


class TemplateInvalid(WorkbenchError):
    """`line` and `column` are 1-based in the template body, 0 when unknown."""

    kind = "template_invalid"

    def __init__(self, message: str, *, line: int = 0, column: int = 0, where: str = "", hint: str = "") -> None:
        super().__init__(message, where=where or (f"template, line {line}" if line else "template"), hint=hint)
        self.line, self.column = line, column


class TemplateLimit(TemplateInvalid):
    kind = "template_limit"


class MediaInvalid(WorkbenchError):
    kind = "media_invalid"


class PromptInvalid(WorkbenchError):
    kind = "prompt_invalid"


class ModelUnavailable(WorkbenchError):
    kind = "model_unavailable"


class ScoreFailed(WorkbenchError):
    kind = "score_failed"


class Busy(WorkbenchError):
    kind = "busy"


class Stopped(WorkbenchError):
    kind = "stopped"
