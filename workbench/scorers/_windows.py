"""How long an encoder's input may be, and whether it reads token types: from its config, its tokenizer and its layout.

Knows nothing of weights or of what is done with the tokens.
"""

from __future__ import annotations

from workbench.scorers._checkpoint import Checkpoint
from workbench.scorers._tokens import Tokens
from workbench.types import Parity

OFFSET = ("roberta", "xlm-roberta", "camembert", "xlm-roberta-xl", "mpnet")  # positions start behind the padding id
TYPED = ("bert", "ernie")  # whose second text has a type of its own
ABSOLUTE = (*OFFSET, *TYPED, "deberta-v2", "deberta", "electra", "albert", "distilbert")


def windows(checkpoint: Checkpoint, tokenizer_says: int, most: int) -> dict[Parity, int]:
    """The longest input in tokens by recipe: the positions there are, and what the tokenizer or sentence_bert_config.json
    says. vLLM believes the tokenizer only where positions are absolute. `most`: the family's own bound (reference only)."""
    config = checkpoint.config
    kind, positions = config.get("model_type"), int(config.get("max_position_embeddings") or 512)
    if kind in OFFSET:
        positions -= int(config.get("pad_token_id") or 1) + 1
    own = min(positions, tokenizer_says or positions)
    declared = checkpoint.module_config.get("max_seq_length")
    reference = min(positions, int(declared)) if declared else own
    vllm = int(declared) if declared else own if kind in ABSOLUTE else positions
    return {"reference": min(most, reference), "vllm": vllm}


def typed(checkpoint: Checkpoint, tokens: Tokens) -> bool:
    """Whether the model tells token types apart. RoBERTa has one, and no room for a second."""
    return bool(tokens.pair_frame.types) and kinds_of_text(checkpoint) > 1


def kinds_of_text(checkpoint: Checkpoint) -> int:
    """How many token types the model has."""
    return int(checkpoint.config.get("type_vocab_size", 2 if checkpoint.config.get("model_type") in TYPED else 0))
