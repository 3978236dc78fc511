"""What the linter finds, as examples: the tests run them and README's table is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from workbench.lint import Evidence, Finding, Fix, Target, findings, gather, mend
from workbench.lint import with_fixes as _with_fixes
from workbench.pool import Bench
from workbench.template import split_facts
from workbench.types import ContentPart, Document, Limits, Query, Text, Variant

HEAD = '<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct provided. ' \
    'Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'  # fmt: skip
TAIL = "<|im_end|>\n<|im_start|>assistant\n"
SYSTEM_SEARCH = (
    "{%- set task = messages | selectattr('role', 'eq', 'system') | map(attribute='content') | first | default("
)
OWN_SEARCH = "{%- set task = instruction | default("


@dataclass(frozen=True)
class Example:
    """The model's own template with `there` in place of `own`, asked in some way; `fix` is the button's label, "" where there
    is none, and `fixed` what then stands for `there` in the template ("" = the fix is not in the template)."""

    code: str
    shown: str  # README's words for what is wrong
    own: str = ""
    there: str = ""
    fix: str = ""
    fixed: str = ""
    query: str = "a red star"
    document: tuple[ContentPart, ...] = (Text("a crimson square"),)
    asked: Mapping[str, Any] = field(default_factory=dict)  # fields of the variant
    evidence: Mapping[str, Any] = field(default_factory=dict)  # what no prompt tells: scores of a run, targets, labels


LAST = "{{- '<|im_start|>assistant\\n' -}}"
ROLE = "(messages | selectattr('role', 'eq', 'query') | first).content"
SENT = {"instruction": "Only the colour matters."}
DOCUMENT = "{{- '<Document>:' ~ document ~ '<|im_end|>\\n' -}}"
QUERY = "{{- '<Query>:' ~ query ~ '\\n' -}}"
TASK = "{{- '<Instruct>: ' ~ task -}}"
WORDS = "Given a search query, retrieve relevant candidates that answer the query."

EXAMPLES = (
    Example("E1", "a tag that is not closed", LAST, "{% if %}"),
    Example("E2", "a side is left out", DOCUMENT, "{{- '<Document>:' ~ '<|im_end|>\\n' -}}"),
    Example("E3", "a role that no message has", ROLE, ROLE.replace("query", "user"), "Write 'query'", ROLE),
    Example("E3", "the instruction looked for in a system message", f"{OWN_SEARCH}\n  '{WORDS}', true)",
            f"{SYSTEM_SEARCH}\n  '{WORDS}')", "Read the instruction", f"{OWN_SEARCH}'{WORDS}', true)", asked=SENT),
    Example("E3", "contents read as lists of parts", ROLE, ROLE + "[0].text", "Read the text", ROLE),
    Example("E4", "an instruction is sent, the prompt has its own", TASK, "{{- '<Instruct>: " + WORDS + "' -}}",
            "Read the instruction", "{{- ('<Instruct>: ' ~ (instruction | default('" + WORDS + "', true))) -}}", asked=SENT),
    Example("E4", "an instruction is sent, the prompt has none", TASK, "{{- '<Instruct>: Be strict.' -}}",
            "Clear the instruction", asked=SENT),
    Example("E5", "a document that was wrapped before it came", document=(Text("<Document>:a crimson square" + TAIL),),
            fix="Unwrap the documents"),
    Example("E5", "a query that brings the system turn", query=HEAD + "<Instruct>: Find it.<Query>:a red star\n",
            fix="Unwrap the query"),
    Example("E5", "a template that wraps twice", DOCUMENT,
            "{%- set document = '<Document>:' ~ document ~ '<|im_end|>\\n<|im_start|>assistant\\n' -%}\n" + DOCUMENT,
            "Remove the wrapping", DOCUMENT),
    Example("E6", "a lost newline", LAST, "{{- '<|im_start|>assistant' -}}", "Add the newline", LAST),
    Example("E6", "a lost newline, in plain words", LAST, "<|im_start|>assistant", "Add the newline",
            "<|im_start|>assistant\n{{- '\\n' -}}"),
    Example("E6", "a turn that is never opened", "{{- '<Document>:' ~ document ~ '<|im_end|>\\n' -}}\n" + LAST,
            "{{- '<Document>:' ~ document ~ '\\n' -}}"),
    Example("E7", "truncation that takes the end", asked={"parity": "vllm", "limits": Limits(truncate_prompt_tokens=12)}),
    Example("E8", "a placeholder that the template removes", DOCUMENT,
            DOCUMENT.replace("document ~", "document | replace('<|image_pad|>', '') ~")),
    Example("E9", "a name that no request may set", asked={"variables": {"tools": []}}),
    Example("E9", "an end that waits for add_generation_prompt", LAST,
            "{%- if add_generation_prompt -%}" + LAST + "{%- endif -%}", "Render it always",
            "{%- if true -%}" + LAST + "{%- endif -%}"),
    Example("W1", "a blank that the model never saw", QUERY, QUERY.replace("<Query>:", "<Query>: "),
            "Take the model's own", QUERY),
    Example("W2", "a control token in a document", document=(Text("a star <|im_end|> and more"),)),
    Example("W3", "a label of two tokens", evidence={"labels": {"very yes": 2}}),
    Example("W4", "a target without a feature", evidence={"targets": (Target("llama.cpp", "an instruction cannot be sent"),)}),
    Example("W5", "a template that other settings read otherwise", QUERY, "{% if query %}\n" + QUERY + "\n{% endif %}\n!",
            "Settle the whitespace"),
    Example("W6", "scores without a spread", evidence={"scores": (1.0, 1.001, 1.002)}),
    Example("W7", "no room for the document", query="star " * 700, evidence={"window": 800}),
    Example("W8", "the document in front of the query", QUERY + "\n" + DOCUMENT,
            DOCUMENT.replace("<|im_end|>\\n", "\\n") + "\n" + QUERY.replace("\\n", "<|im_end|>\\n")),
)  # fmt: skip


def template(bench: Bench, example: Example) -> str:
    own = split_facts(bench.pool.template(bench.model).body)[1]
    assert not example.own or own.count(example.own) == 1, f"{example.shown}: the template has no {example.own!r}"
    return own.replace(example.own, example.there) if example.own else own


def linted(bench: Bench, example: Example, document: tuple[ContentPart, ...] | None = None) -> tuple[Finding, ...]:
    """What the linter says of an example on the bench's own model."""
    scorer, own = bench.pool.get(bench.model), bench.pool.template(bench.model)
    variant = bench.variant(template=replace(own, body=template(bench, example)), **example.asked)
    asked = Query("q", (Text(example.query),)), Document("d", example.document if document is None else document)

    def seen(variant: Variant, query: Query, document: Document) -> Evidence:
        return replace(gather(bench.renderer, scorer, variant, query, document, own), **example.evidence)

    def again(fix: Fix) -> Evidence:
        return seen(*mend(fix, variant, *asked))

    evidence = seen(variant, *asked)
    return _with_fixes(evidence, findings(evidence), bench.renderer, again)


def table(said: Mapping[int, Finding]) -> str:
    """README's table, from the finding of each example."""
    rows = ["| Code | Example | It says | One click |", "| --- | --- | --- | --- |"]
    for i, example in enumerate(EXAMPLES):
        found = said[i]
        cells = (found.code, example.shown, found.sentence, found.fix.label if found.fix else "")
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "".join(row.rstrip() + "\n" for row in rows)
