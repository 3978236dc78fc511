"""Forward passes: one door to the device, token-budget micro-batches sorted by length, the last token's hidden state only.

Knows nothing of templates, labels or rankings; it sees token ids, patches and positions.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from workbench.errors import ModelUnavailable

DEVICE = threading.Lock()  # the device has one door: whoever runs a forward pass holds this
TOKEN_BUDGET = {"cpu": 2048, "cuda": 32768, "npu": 16384, "mps": 8192}  # padded tokens in one micro-batch


@dataclass(frozen=True, slots=True)
class Row:
    """One prompt as the model takes it. `patches`: float32 [n, 3·temporal·patch²] of its media, pictures apart from clips;
    of a model that cuts a picture by itself, [1, 3, height, width].

    `type_ids`: one token type per token, or () where the model reads none.
    """

    token_ids: tuple[int, ...]
    type_ids: tuple[int, ...] = ()
    image_patches: torch.Tensor | None = None
    image_grids: tuple[tuple[int, int, int], ...] = ()
    video_patches: torch.Tensor | None = None
    video_grids: tuple[tuple[int, int, int], ...] = ()
    seen: int = 0  # so many tokens at the front are attended to by all, the rest by none; 0 = all are


def pick_device(wanted: str) -> torch.device:
    """`auto` is the first there is of cuda, npu, mps, cpu. ModelUnavailable names what a wanted device lacks."""
    if wanted in ("auto", "npu") or wanted.startswith("npu:"):
        with contextlib.suppress(ImportError):
            importlib.import_module("torch_npu")  # registers torch.npu
    there = [n for n, m in (("cuda", torch.cuda), ("npu", getattr(torch, "npu", None)), ("mps", torch.mps))
             if m is not None and m.is_available()] + ["cpu"]  # fmt: skip
    name = there[0] if wanted == "auto" else wanted
    if name.split(":")[0] not in there:
        raise ModelUnavailable(f"the device {wanted!r} is not on this machine", hint=f"There are: {', '.join(there)}.")
    return torch.device(name)


def pick_dtype(wanted: str, device: torch.device) -> torch.dtype:
    """`auto` is bfloat16 on an accelerator and float32 on a CPU."""
    if wanted == "auto":
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    kinds = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if wanted not in kinds:
        raise ModelUnavailable(f"{wanted!r} is not a dtype here", hint=f"There are: auto, {', '.join(kinds)}.")
    return kinds[wanted]


def use_cores() -> None:
    """Threads as many as the cores this process may really use (a container's share, not the machine's count)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        cores = min(cores, max(1, round(int(quota) / int(period)))) if quota != "max" else cores
    except (OSError, ValueError):
        pass
    torch.set_num_threads(cores)


class Pace:
    """How many padded tokens a micro-batch may have so that it takes about `seconds`: learnt from those before. Stop acts between
    two of them, or earlier where a forward can be left."""

    FIRST = 256

    def __init__(self, device: torch.device, seconds: float = 0.7) -> None:
        self._device, self._seconds, self._rate = device.type, seconds, 0.0

    def budget(self) -> int:
        most = TOKEN_BUDGET.get(self._device, 2048)
        return min(most, int(self._rate * self._seconds) if self._rate else self.FIRST)

    def note(self, tokens: int, seconds: float) -> None:
        self._rate = tokens / max(seconds, 1e-6)


def micro_batches(lengths: Sequence[int], budget: Callable[[], int]) -> Iterator[list[int]]:
    """Indices by falling length, so many that padded tokens stay within the budget asked for each time (at least one)."""
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    while order:
        count = max(1, min(len(order), budget() // lengths[order[0]]))
        yield order[:count]
        order = order[count:]


@torch.inference_mode()
def last_hidden(backbone: Any, rows: Sequence[Row], pad_id: int, image_id: int, video_id: int) -> torch.Tensor:
    """Final-norm hidden states at each row's last token: float32 [rows, hidden], on the CPU.

    Rows are padded on the right: attention is causal, so no token sees the padding and positions stay the row's own.
    """
    device, dtype = backbone.device, backbone.dtype
    ids, mask = _padded(rows, pad_id)
    inputs: dict[str, Any] = {"input_ids": ids.to(device), "attention_mask": mask.to(device), "use_cache": False}
    if any(r.image_patches is not None or r.video_patches is not None for r in rows):
        inputs |= _media(rows, ids, mask, image_id, video_id, device, dtype)
    hidden = backbone(**inputs).last_hidden_state
    last = torch.tensor([len(r.token_ids) - 1 for r in rows], device=device)
    return hidden[torch.arange(len(rows), device=device), last].float().cpu()  # type: ignore[no-any-return]


@torch.inference_mode()
def mean_hidden(backbone: Any, rows: Sequence[Row], pad_id: int) -> torch.Tensor:
    """The mean of a row's final-norm hidden states where every token sees every other: float32 [rows, hidden], on the CPU.

    A causal model takes a mask of four dimensions as it is: true where a token (third) may see another (fourth).
    """
    ids, mask = _padded(rows, pad_id)
    sees = mask.bool()[:, None, None, :].expand(-1, 1, mask.shape[1], -1)
    hidden = backbone(
        input_ids=ids.to(backbone.device), attention_mask=sees.to(backbone.device), use_cache=False,
        position_ids=torch.arange(ids.shape[1], device=backbone.device)[None],
    ).last_hidden_state  # fmt: skip
    own = mask.to(hidden.device)[..., None]
    return ((hidden.float() * own).sum(1) / own.sum(1)).cpu()  # type: ignore[no-any-return]


@torch.inference_mode()
def head_logits(model: Any, rows: Sequence[Row], pad_id: int) -> torch.Tensor:
    """What an encoder's classification head says: float32 [rows, labels], on the CPU. Padding is masked out."""
    return model(**encoder_inputs(model, rows, pad_id)).logits.float().cpu()  # type: ignore[no-any-return]


@torch.inference_mode()
def all_hidden(backbone: Any, rows: Sequence[Row], pad_id: int) -> list[torch.Tensor]:
    """Last hidden states of every token of every row: float32 [tokens, hidden] each, on the CPU."""
    hidden = backbone(**encoder_inputs(backbone, rows, pad_id)).last_hidden_state.float().cpu()
    return [hidden[i, : len(r.token_ids)] for i, r in enumerate(rows)]


def encoder_inputs(model: Any, rows: Sequence[Row], pad_id: int) -> dict[str, torch.Tensor]:
    """Rows padded on the right, with their mask and, where all have them, their token types."""
    ids, mask = _padded(rows, pad_id)
    for i, row in enumerate(rows):
        if row.seen:
            mask[i, row.seen :] = 0
    inputs = {"input_ids": ids, "attention_mask": mask}
    if all(r.type_ids for r in rows):
        types = torch.zeros_like(ids)
        for i, row in enumerate(rows):
            types[i, : len(row.type_ids)] = torch.tensor(row.type_ids)
        inputs["token_type_ids"] = types
    return {k: v.to(model.device) for k, v in inputs.items()}


def _padded(rows: Sequence[Row], pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids padded on the right, and 1 where they are a row's own: int64 [rows, longest] both."""
    longest = max(len(r.token_ids) for r in rows)
    ids = torch.full((len(rows), longest), pad_id, dtype=torch.long)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, : len(row.token_ids)] = torch.tensor(row.token_ids)
        mask[i, : len(row.token_ids)] = 1
    return ids, mask


def _media(
    rows: Sequence[Row], ids: torch.Tensor, mask: torch.Tensor, image_id: int, video_id: int,
    device: torch.device, dtype: torch.dtype,
) -> dict[str, Any]:  # fmt: skip
    kinds = torch.zeros_like(ids)
    kinds[(ids == image_id) & (mask == 1)] = 1
    kinds[(ids == video_id) & (mask == 1)] = 2
    inputs: dict[str, Any] = {"mm_token_type_ids": kinds.to(device)}
    images = [r.image_patches for r in rows if r.image_patches is not None]
    if images:
        inputs["pixel_values"] = torch.cat(images).to(device, dtype)
        inputs["image_grid_thw"] = torch.tensor([g for r in rows for g in r.image_grids], device=device)
    videos = [r.video_patches for r in rows if r.video_patches is not None]
    if videos:
        inputs["pixel_values_videos"] = torch.cat(videos).to(device, dtype)
        inputs["video_grid_thw"] = torch.tensor([g for r in rows for g in r.video_grids], device=device)
    return inputs


def out_of_memory(error: BaseException) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error).lower()


def free(device: torch.device) -> None:
    """Returns what a let-go model held to the device."""
    gc.collect()
    if device.type in ("cuda", "npu", "mps"):
        getattr(torch, device.type).empty_cache()
