#!/usr/bin/env bash
# Make the venvs for the engines we compare with, measure all in one run each, write one table.
#
#   tests/benchmarks/peers.sh [FOLDER]      FOLDER for the venvs and results, default build/peers
#
# MODEL=FILE.model, IMAGES=FOLDER of good parts for it, and MOBILENET=FILE.tflite in the environment
# add whole inspections.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(realpath -m "${1:-build/peers}")
mkdir -p "$folder"

if [ ! -e "$folder/ours/.done" ]; then
    python3 -m venv "$folder/ours"
    "$folder/ours/bin/pip" install --quiet --editable '.[tflite]' openvino faiss-cpu
    touch "$folder/ours/.done"
fi
# Larq Compute Engine ended with TensorFlow 2.15 and Python 3.11.
if [ ! -e "$folder/larq/.done" ] && command -v python3.11 > /dev/null; then
    python3.11 -m venv "$folder/larq"
    "$folder/larq/bin/pip" install --quiet 'tensorflow-cpu<2.16' 'numpy<2' larq larq-compute-engine
    touch "$folder/larq/.done"
fi
larq=()
if [ -e "$folder/larq/.done" ]; then
    larq=(--engine "$folder/larq/bin/python tests/benchmarks/larq_engine.py")
fi

bench="$folder/ours/bin/python -m edge_agent bench"
$bench kernels --json "${larq[@]}" > "$folder/kernels.json" 2> "$folder/kernels.log"
$bench search --json --rounds 30 > "$folder/search.json" 2> "$folder/search.log"
$bench shrink --json --rounds 50 > "$folder/shrink.json" 2> "$folder/shrink.log"
$bench network --json --rounds 50 > "$folder/network.json" 2> "$folder/network.log"
results=("$folder"/{kernels,search,shrink,network}.json)
if [ -n "${MODEL:-}" ]; then
    $bench inspect "$MODEL" ${IMAGES:+--images "$IMAGES"} ${MOBILENET:+--mobilenet "$MOBILENET"} --json > "$folder/inspect.json"
    results+=("$folder/inspect.json")
fi
"$folder/ours/bin/python" tests/benchmarks/table.py "${results[@]}" | tee "$folder/table.md"
