"""Makes a model folder that sentence-transformers loads with this bundle's prompt.

usage: python make_folder.py CHECKPOINT OUT     (CHECKPOINT: the folder of the model, as `hf download` leaves it)
Files are linked where the file system can and copied where it cannot; CHECKPOINT is left as it is.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main(checkpoint: Path, out: Path) -> None:
    if not (checkpoint / "config.json").is_file():
        sys.exit(f"{checkpoint} is no checkpoint: it has no config.json")
    if out.exists() and any(out.iterdir()):
        sys.exit(f"{out} is not empty")
    ours = HERE / "sentence-transformers"
    replaced = {p.relative_to(ours) for p in ours.rglob("*") if p.is_file()}
    for source in (p for p in checkpoint.rglob("*") if p.is_file() and p.relative_to(checkpoint) not in replaced):
        link(source.resolve(), out / source.relative_to(checkpoint))
    for name in replaced:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes((ours / name).read_bytes())
    print(f"{out}: CrossEncoder({str(out)!r}).predict([(query, document)])")


def link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
