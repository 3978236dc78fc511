"""A pack as sequences of unequal lengths: what a GPU's kernel is given, here answered by a loop that follows its rules."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from workbench.scorers import _attention as attention
from workbench.scorers import _varlen as varlen
from workbench.scorers._packs import Packer
from workbench.scorers._tree import tree

CPU = torch.device("cpu")


def looped(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, asked: torch.Tensor, seen: torch.Tensor,
    longest: int, widest: int, *, scale: float, window_size: tuple[int, int], enable_gqa: bool,
) -> torch.Tensor:  # fmt: skip
    """torch.nn.attention.varlen's contract: [tokens, heads, size]; with the window (-1, 0) the last query sees all keys."""
    assert window_size == (-1, 0)
    out = torch.empty_like(query)
    for i in range(len(asked) - 1):
        rows, keys = slice(int(asked[i]), int(asked[i + 1])), slice(int(seen[i]), int(seen[i + 1]))
        n, m = rows.stop - rows.start, keys.stop - keys.start
        assert n <= longest and m <= widest
        mask = torch.ones(n, m).tril(m - n).bool()
        parts = (query[rows], key[keys], value[keys])
        out[rows] = scaled_dot_product_attention(
            *(t.transpose(0, 1)[None] for t in parts), attn_mask=mask, scale=scale, enable_gqa=enable_gqa
        )[0].transpose(0, 1)
    return out


def exact(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *rest: Any, **more: Any) -> torch.Tensor:
    """Another way to the same numbers: float32 inside, rounded once."""
    return looped(query.float(), key.float(), value.float(), *rest, **more).to(query.dtype)


def from_the_top(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, asked: torch.Tensor, seen: torch.Tensor, *rest: Any, **more: Any
) -> torch.Tensor:
    """The other meaning of a causal mask: the first query sees the first key alone."""
    shown = [torch.arange(int(b), int(b) + int(n)) for b, n in zip(seen, asked.diff(), strict=False)]
    counts = torch.tensor([0, *torch.tensor([len(s) for s in shown]).cumsum(0)], dtype=torch.int32)
    places = torch.cat(shown)
    return looped(query, key[places], value[places], asked, counts, *rest, **more)


def torn(*_: Any, **__: Any) -> torch.Tensor:
    raise RuntimeError("no such kernel")


@pytest.mark.parametrize("budget", [7, 40, 1000])
@pytest.mark.parametrize("last", [False, True])
def test_sequences_see_what_the_mask_lets_them_see(budget: int, last: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(1)
    front = torch.randint(100, (30,), generator=generator).tolist()
    rows = [
        front + torch.randint(100, (n,), generator=generator).tolist() + [7] for n in (5, 60, 3, 12, 0)
    ] + [front[:12] + [101] * 26]  # fmt: skip
    packer = Packer(tree([torch.tensor(r).numpy() for r in rows]))
    while packer:
        pack = packer.take(budget)
        plan = attention.plan(pack, CPU)
        for node in plan.earlier():
            node.kept[0] = (torch.randn(2, len(node), 16), torch.randn(2, len(node), 16))
        finals = plan.finals if last else None
        if last and not finals:
            packer.ran(pack)
            continue
        asked = len(plan.finals) if last else len(pack)
        query, key, value = torch.randn(1, 4, asked, 16), torch.randn(1, 2, len(pack), 16), torch.randn(1, 2, len(pack), 16)
        masked = attention._at_once(plan, 0, query, key, value, finals, 0.25)
        monkeypatch.setattr(varlen, "kernel", lambda *_: looped)
        found = attention._at_once(plan, 0, query, key, value, finals, 0.25)
        monkeypatch.undo()
        assert torch.allclose(found, masked, atol=1e-5)


def test_a_kernel_is_used_only_where_it_agrees() -> None:
    given = (CPU, torch.float32, 4, 2, 16)
    assert varlen.agrees(looped, *given)
    assert not varlen.agrees(lambda *a, **k: looped(*a, **k) + 0.1, *given)
    for dtype in varlen.HALF:
        for heads, shared, size in ((16, 8, 128), (32, 8, 128), (4, 2, 32)):
            half = (CPU, dtype, heads, shared, size)
            assert varlen.agrees(exact, *half)
            assert not varlen.agrees(from_the_top, *half)
    assert varlen.kernel(*given) is None  # there is none on a CPU


def test_a_gpu_without_the_kernel_stays_with_the_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch.nn.attention.varlen as own

    monkeypatch.setattr(own, "varlen_attn", torn)
    varlen.kernel.cache_clear()
    monkeypatch.setattr(varlen, "agrees", lambda kernel, *_: kernel())
    assert varlen.kernel(torch.device("cuda"), torch.bfloat16, 4, 2, 16) is None
    varlen.kernel.cache_clear()
