"""Models without a prompt of their own: which of them can leave, and that nothing was asked that they never read.

Knows nothing of templates, files or targets.
"""

from __future__ import annotations

from workbench.errors import PromptInvalid
from workbench.scorers import Scorer
from workbench.types import Variant


def prove_lone(scorer: Scorer, variant: Variant) -> None:
    """Raises PromptInvalid: a model that rates chats or reads query and document apart, an instruction or a variable."""
    serve = f"Serve it as it is: vllm serve {scorer.name} --runner pooling"
    if scorer.family.scorer == "reward":
        raise PromptInvalid(
            "is a reward model: it rates a chat, and a server is sent whole chats and not pairs", where=scorer.name,
            hint=f"{serve}, and send chats to /classify, or to /pooling for a score per step.",
        )  # fmt: skip
    if scorer.family.template.layout != "pair":
        raise PromptInvalid(
            "reads query and document apart, each as it is: there is no prompt to export", where=scorer.name,
            hint=f"{serve}; its /rerank compares what it makes of both.",
        )  # fmt: skip
    given = {"instruction": variant.instruction or None, **variant.variables}
    if read := [name for name, value in given.items() if value is not None]:
        raise PromptInvalid(
            f"reads no {' and no '.join(read)}: query and document go to it as they are", where=scorer.name,
            hint="Clear what it does not read, or write a template that does.",
        )  # fmt: skip
