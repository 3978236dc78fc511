"""The two editors: whose side it is, the instruction, the template, what is wrong with it.

Knows nothing of what listens to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from workbench.ui.widgets import editor, line, panel


@dataclass
class Side:
    """The parts of one editor."""

    head: gr.HTML
    undo: gr.HTML
    instruction: gr.Textbox
    silent: gr.HTML
    template: gr.Code
    lint: gr.HTML


@dataclass
class Editors:
    """Both sides: A the Baseline, B the Draft."""

    a: Side
    b: Side
    steps: gr.State  # what each click changed, as it was

    @property
    def clicked(self) -> list[Any]:
        """The panels whose buttons write into the editors."""
        return [self.a.head, self.b.head, self.a.lint, self.b.lint, self.b.undo]

    @property
    def written(self) -> list[Any]:
        """What is typed, side by side."""
        return [self.a.template, self.a.instruction, self.b.template, self.b.instruction]

    @property
    def templates(self) -> list[gr.Code]:
        return [self.a.template, self.b.template]

    @property
    def instructions(self) -> list[gr.Textbox]:
        return [self.a.instruction, self.b.instruction]


def build(hint: str) -> Editors:
    """`hint`: the default instruction of the model, shown where none is written."""
    with gr.Row(elem_id="editors", equal_height=True):
        return Editors(_side("a", hint), _side("b", hint), gr.State([]))


def _side(side: str, hint: str) -> Side:
    with gr.Column(elem_id=f"side-{side}", elem_classes=["sheet", "side", side.upper()], min_width=280):
        with gr.Row(elem_classes="head-row"):
            undo = panel(name=f"undo-{side}", events=True)
            head = panel(name=f"head-{side}", classes="head", events=True)
        with gr.Row(elem_classes="field"):
            panel('<span class="name" aria-hidden="true">Instruction</span>', name=f"label-{side}")
            instruction = line(f"instruction-{side}", label=f"Instruction {side.upper()}", placeholder=hint, most=3)
        silent = panel(name=f"silent-{side}")
        template = editor(f"template-{side}", label=f"Template {side.upper()}")
        lint = panel(name=f"lint-{side}", classes="lint", events=True)
    return Side(head, undo, instruction, silent, template, lint)
