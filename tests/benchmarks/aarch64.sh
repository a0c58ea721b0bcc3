#!/usr/bin/env bash
# Run the kernels as an aarch64 process under QEMU, on any Debian machine, as root for apt:
# the tests against the reference, the same bits as on this processor, and the instruction counts.
#
#   tests/benchmarks/aarch64.sh [FOLDER]      FOLDER for the arm64 Python, default build/aarch64
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(realpath -m "${1:-build/aarch64}")
python=python3.11
mkdir -p "$folder/sysroot" "$folder/debs" "$folder/wheels" "$folder/site"

if [ ! -e "$folder/.done" ]; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -qq --no-install-recommends qemu-user-static > /dev/null
    dpkg --add-architecture arm64
    apt-get update -qq
    packages=$(printf '%s:arm64 ' $python $python-minimal lib$python-minimal lib$python-stdlib \
        libc6 libgcc-s1 libstdc++6 zlib1g libexpat1 libffi8 libbz2-1.0 liblzma5 libuuid1 libgomp1 \
        libssl3 libsqlite3-0)
    (cd "$folder/debs" && apt-get download -qq $packages)
    for package in "$folder"/debs/*.deb; do dpkg-deb -x "$package" "$folder/sysroot"; done
    .venv/bin/pip download --quiet --dest "$folder/wheels" --only-binary=:all: \
        --python-version 3.11 --platform manylinux2014_aarch64 --platform manylinux_2_27_aarch64 \
        --platform manylinux_2_28_aarch64 \
        numba numpy 'opencv-python-headless<5' pytest hypothesis tqdm
    for wheel in "$folder"/wheels/*.whl; do .venv/bin/python -m zipfile -e "$wheel" "$folder/site"; done
    touch "$folder/.done"
fi

arm() {
    PYTHONPATH="$PWD:$folder/site" PYTHONDONTWRITEBYTECODE=1 \
        NUMBA_CACHE_DIR="$folder/cache-$processor" qemu-aarch64-static -cpu "$processor" \
        -L "$folder/sysroot" "$folder/sysroot/usr/bin/$python" "$@"
}

echo "the default backbone's codes, here:"
PYTHONPATH=$PWD .venv/bin/python tests/benchmarks/codes.py | tee "$folder/codes.here"

# The Raspberry Pi 4's, which multiplies bytes otherwise, and one with everything.
for processor in cortex-a72 max; do
    echo "$processor: instructions of the inner loops:"
    arm tests/benchmarks/aarch64_instructions.py

    echo "$processor: the default backbone's codes:"
    arm tests/benchmarks/codes.py | tee "$folder/codes.$processor"
    if [ "$(cut -d' ' -f1 "$folder/codes.here" "$folder/codes.$processor" | sort -u | wc -l)" != 1 ]; then
        echo "the bits differ" >&2
        exit 1
    fi
done

echo "the kernels' tests:"
arm -m pytest -p no:cacheprovider -W default -k "numba or not backend" \
    tests/kernels/test_area.py tests/kernels/test_binary_convolution.py tests/kernels/test_grey.py \
    tests/kernels/test_light.py tests/kernels/test_portable.py tests/contract/test_backends.py
processor=cortex-a72
arm -m pytest -p no:cacheprovider -W default -k "numba and (same_bits or one_channel)" \
    tests/contract/test_backends.py
