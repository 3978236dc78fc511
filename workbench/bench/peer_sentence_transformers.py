"""sentence-transformers' CrossEncoder on the same folder and the same prompts; runs in an environment that has it.

Knows nothing of the workbench: it is started by path, and speaks the same JSON lines as `side`.
"""

from __future__ import annotations

import json
import sys
import time


def main(folder: str, device: str) -> None:
    from sentence_transformers import CrossEncoder, __version__  # type: ignore[import-not-found,unused-ignore]

    started = time.perf_counter()
    model = CrossEncoder(folder, device=None if device == "auto" else device)
    what = f"sentence-transformers {__version__}"
    print(json.dumps({"ready": round(time.perf_counter() - started, 3), "what": what}), flush=True)
    for line in sys.stdin:
        call = json.loads(line)
        texts = [text for text, _ in call["rows"]]
        size, seconds, logits = -(-len(texts) // call["requests"]), [], []
        for at in range(0, len(texts), size):
            begun = time.perf_counter()
            found = model.predict([(t, "") for t in texts[at : at + size]], activation_fn=logit, show_progress_bar=False)
            seconds.append(time.perf_counter() - begun)
            logits += [float(x) for x in found]
        ids = [len(i) for i in model.tokenizer([(t, "") for t in texts])["input_ids"]]
        print(json.dumps({"seconds": seconds, "logits": logits, "ids": ids, "counts": {}}), flush=True)


def logit(x: object) -> object:
    """The head's own number: no activation."""
    return x


if __name__ == "__main__":
    main(*sys.argv[1:])
