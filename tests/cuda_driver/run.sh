#!/bin/sh
# Runs the tests marked `cuda_stub`: the code above PyCUDA, under the real PyCUDA, on a stand-in of the CUDA driver.
# They test the order of the binding's calls, not CUDA.
# Needs a CUDA toolkit (headers), a C and C++ compiler. PyCUDA is built once (two minutes) and kept in the cache.
#   PYTHON           interpreter with hwnas and pytest            [python3]
#   CUDA_HOME        the toolkit                                  [/usr/local/cuda]
#   HWNAS_CACHE      where driver and wheel are kept              [~/.cache/hwnas]
# Arguments go to pytest. Without a toolkit it says so and ends well.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
cuda=${CUDA_HOME:-/usr/local/cuda}
cache=${HWNAS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hwnas}
version=2026.1

if [ ! -f "$cuda/include/cuda.h" ]; then
    echo "cuda_stub: skipped, no CUDA toolkit at $cuda (CUDA_HOME names another place)"
    exit 0
fi
mkdir -p "$cache"
tag=$("$python" -c 'import sys; print("cp%d%d" % sys.version_info[:2])')
toolkit=$(sed -n 's/^#define CUDA_VERSION *\([0-9]*\).*/\1/p' "$cuda/include/cuda.h")
site=$cache/pycuda-$version-$tag-cuda$toolkit

work=$(mktemp -d "$cache/work.XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM

# The driver: compiled every time, it takes a second
cc -std=c11 -Wall -Wextra -O1 -fPIC -I"$cuda/include" -c "$here/driver.c" -o "$work/driver.o"
"$python" "$here/generate.py" "$cuda/include" "$work/driver.o" >"$work/stubs.c"
cc -shared -fPIC -Wl,-soname,libcuda.so.1 -o "$work/libcuda.so.1" "$work/driver.o" "$work/stubs.c"
ln -s libcuda.so.1 "$work/libcuda.so"

# PyCUDA, without curand, linked against it. Its setup reads the home folder's .aksetup-defaults.py
if [ ! -d "$site" ]; then
    echo "cuda_stub: building PyCUDA $version, about two minutes"
    mkdir "$work/home"
    cat >"$work/home/.aksetup-defaults.py" <<EOF
CUDA_ROOT = "$cuda"
CUDA_ENABLE_CURAND = False
CUDADRV_LIB_DIR = ["$work"]
EOF
    HOME="$work/home" PIP_CONFIG_FILE="${PIP_CONFIG_FILE:-$HOME/.config/pip/pip.conf}" \
        "$python" -m pip wheel --quiet --no-deps --no-binary pycuda -w "$work/wheels" "pycuda==$version" \
        >"$cache/pycuda.log" 2>&1 || {
        cat "$cache/pycuda.log" >&2
        exit 1
    }
    # --target beside the environment, whose own packages stay as they are
    "$python" -m pip install --quiet --target "$work/site" "$work"/wheels/pycuda-*.whl >>"$cache/pycuda.log" 2>&1 || {
        cat "$cache/pycuda.log" >&2
        exit 1
    }
    mv "$work/site" "$site"
fi

cd "$here/../.."
status=0
LD_LIBRARY_PATH="$work${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" PYTHONPATH="$site${PYTHONPATH:+:$PYTHONPATH}" \
    HWNAS_CUDA_STUB_ACTIVE=1 "$python" -m pytest -m cuda_stub "$here" "$@" || status=$?
exit "$status"
