"""The nouns every floor speaks: content, templates, variants, encodings and scores.

Knows nothing of how anything is rendered, decoded, scored or shown; imports only the errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from workbench.errors import WorkbenchError

JSON: TypeAlias = Any  # a JSON value: None, bool, int, float, str, list or dict of the same
Parity: TypeAlias = Literal["reference", "vllm"]
Layout: TypeAlias = Literal["joint", "pair", "separate"]
Method: TypeAlias = Literal["from_2_way_softmax", "no_post_processing", "sequence_head"]
SegmentKind: TypeAlias = Literal["system", "instruction", "query", "document", "template", "suffix"]


# ---------------------------------------------------------------- content
@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """A picture by content: `digest` (SHA-256 of the file's bytes) finds it in the media library, `source` names it."""

    digest: str
    source: str = ""
    min_pixels: int = 0  # its own bounds on the area it is resized to; 0 = those of the recipe
    max_pixels: int = 0


@dataclass(frozen=True, slots=True)
class Video:
    """A clip by content, as `Image`. `fps`, `frames`: its own sampling, as a rate or a count, which wins; 0 = the recipe's."""

    digest: str
    source: str = ""
    fps: float = 0.0
    frames: int = 0


Media: TypeAlias = Image | Video
ContentPart: TypeAlias = Text | Image | Video


@dataclass(frozen=True, slots=True)
class Query:
    id: str
    content: tuple[ContentPart, ...]


@dataclass(frozen=True, slots=True)
class Document:
    id: str
    content: tuple[ContentPart, ...]


# ---------------------------------------------------------------- templates
@dataclass(frozen=True, slots=True)
class Message:
    """What a score template receives: exactly two of these, query first."""

    role: Literal["query", "document"]
    content: str


@dataclass(frozen=True, slots=True)
class Placeholders:
    """The text that stands for one media item in a prompt before its tokens are known; "" = cannot take it."""

    image: str = ""
    video: str = ""


@dataclass(frozen=True, slots=True)
class ScoreTemplate:
    body: str
    placeholders: Placeholders = Placeholders()
    layout: Layout = "joint"


@dataclass(frozen=True, slots=True)
class Segment:
    """Characters [start, end) of a prompt that come from one place.

    `system`: the template's words before the first inserted value; `template`: its words between values;
    `suffix`: its words after the last one; the others: the inserted values themselves.
    """

    kind: SegmentKind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """One rendered template. `segments` cover `text` without gaps, or are None when they cannot be known exactly."""

    text: str
    media: tuple[Media, ...] = ()
    segments: tuple[Segment, ...] | None = None
    unused: tuple[str, ...] = ()  # variables the caller gave and the template never reads
    reason: str = ""  # why they are unused, where it is not the template that leaves them out


@dataclass(frozen=True, slots=True)
class PixelLimits:
    """Bounds on the area of one picture or frame, in pixels, after resizing to multiples of the patch factor."""

    min_pixels: int
    max_pixels: int


@dataclass(frozen=True, slots=True)
class ClipSampling:
    """How frames are taken from a clip: `fps` of its duration, between `min_frames` and `max_frames`."""

    fps: float
    min_frames: int
    max_frames: int
    min_pixels: int
    max_pixels: int  # per frame
    total_pixels: int  # over all frames


@dataclass(frozen=True, slots=True)
class Family:
    """One file of templates/: how checkpoints of one kind are prompted and read."""

    name: str
    scorer: str  # a name of scorers.kinds()
    template: ScoreTemplate
    models: tuple[str, ...] = ()  # hub names it serves
    architectures: tuple[str, ...] = ()  # of config.json, for folders
    labels: tuple[str, ...] = ()  # true, false; or the one whose logit is the score; or none
    default_instruction: str = ""
    max_length: int = 8192
    image: PixelLimits | None = None
    video: ClipSampling | None = None
    source: str = ""  # the whole file, as exported
    notes: str = ""
    method: Method = "from_2_way_softmax"  # how labels become a score, in vLLM's words; or the checkpoint's own head
    instruction: Literal["template", "none"] = "template"  # "none": an instruction changes nothing, and doors say so
    temperature: float = 1.0  # by the reference the value is the sigmoid of logit / temperature; vLLM knows none
    separator: str = ""  # by the reference this text is tokenized apart where it follows a query or a document
    bidirectional: bool = False  # every token sees every other, and the mean of all hidden states is read
    remote: str = ""  # why it cannot be scored here, so that only a server can; "" = it can
    recipe: str = ""  # one line for people: what is prompted and what is read
    checked: str = ""  # one line for people: what prompt and scores were compared with


# ---------------------------------------------------------------- variants
@dataclass(frozen=True, slots=True)
class Limits:
    """Token limits in vLLM's words; None = not limited. `max_length` is the model's window, when smaller than its own."""

    max_tokens_per_query: int | None = None
    max_tokens_per_doc: int | None = None
    truncate_prompt_tokens: int | None = None  # -1 = the model's window
    truncation_side: Literal["left", "right"] | None = None
    max_length: int | None = None


@dataclass(frozen=True, slots=True)
class Variant:
    """One way of asking: serves template A/B and instruction A/B alike.

    `template` None means the one resolved for the model; `instruction` None means not given (the template's default).
    `variables` are vLLM's chat_template_kwargs and win over `instruction`, even when null.
    """

    model: str
    template: ScoreTemplate | None = None
    instruction: str | None = None
    variables: Mapping[str, JSON] = field(default_factory=dict)
    limits: Limits = Limits()
    parity: Parity = "reference"
    media_options: Mapping[str, JSON] = field(default_factory=dict)  # vLLM's mm_processor_kwargs


# ---------------------------------------------------------------- what is scored
@dataclass(frozen=True, slots=True)
class Pair:
    """All a scorer may look at: one query, one document, and the prompt(s) made of them.

    `prompts`: layout joint, the one rendered prompt; pair and separate, the query's text and the document's as they are.
    """

    query: Query
    document: Document
    prompts: tuple[RenderedPrompt, ...]
    variables: Mapping[str, JSON] = field(default_factory=dict)
    limits: Limits = Limits()
    parity: Parity = "reference"
    media_options: Mapping[str, JSON] = field(default_factory=dict)
    text_cuts: tuple[str, ...] = ()  # sides whose raw text was cut before templating ("query", "document")


@dataclass(frozen=True, slots=True)
class MediaInput:
    """What the model gets of one picture or clip.

    `grid`: per frame group (rows, columns) of patches; `tokens` in all; `frames`: indices taken from the clip;
    `timestamps`: seconds, one per frame group.
    """

    part: Media
    width: int  # after resizing, pixels
    height: int
    grid: tuple[int, int, int]  # frame groups, patch rows, patch columns
    tokens: int
    frames: tuple[int, ...] = ()
    timestamps: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Cut:
    """Tokens removed by truncation: `ids` were dropped in front of position `at` of the final token ids."""

    at: int
    ids: tuple[int, ...]
    span: tuple[int, int]  # characters of the prompt that went
    suffix_lost: bool = False
    other: Cut | None = None  # where both sides were cut, the cut of the other one


@dataclass(frozen=True, slots=True)
class Encoding:
    """The very object that is scored; the preview counts and colours this and nothing else.

    `token_ids` are final: media expanded, truncation done. `spans[i]` are the characters of the prompt behind token i;
    tokens of one media item share their placeholder's span.
    """

    pair: Pair
    token_ids: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    media: tuple[MediaInput, ...] = ()
    cut: Cut | None = None
    neutralised: tuple[tuple[int, int], ...] = ()  # characters of control tokens in user text that were encoded as plain text
    shown: RenderedPrompt | None = None  # the text `spans` point into, where it is not the pair's one prompt
    type_ids: tuple[int, ...] = ()  # token types, one per token; empty where the model reads none
    query_tokens: int = 0  # layout separate: so many tokens at the front are the query's, the rest the document's

    @property
    def prompt(self) -> RenderedPrompt:
        return self.shown or self.pair.prompts[0]


@dataclass(frozen=True, slots=True)
class Score:
    """Rank by the float32 `logit`; show `value` (its sigmoid where the family says so). `cached`: remembered, not computed."""

    logit: float
    value: float
    detail: Mapping[str, JSON] = field(default_factory=dict)
    cached: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """A document's score, or the reason it has none: never both, never a number for a failed row."""

    index: int  # position in the request
    document: Document
    encoding: Encoding | None = None
    score: Score | None = None
    error: WorkbenchError | None = None


@dataclass(frozen=True, slots=True)
class Ranking:
    """`ranked` by falling logit (stable); `failed` in input order. `seconds` is the wall time of scoring."""

    variant: Variant
    query: Query
    ranked: tuple[ScoreResult, ...]
    failed: tuple[ScoreResult, ...] = ()
    seconds: float = 0.0
    partial: bool = False  # stopped before every document was scored
    warnings: tuple[str, ...] = ()  # what was asked and changed nothing, a sentence each


Row: TypeAlias = Document | WorkbenchError  # a document, or the reason it could not be read
