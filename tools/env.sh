# Shared by tools/demo and tools/test: one virtual environment, installed once and again only when pyproject.toml changes.
# Usage: extras=test,openvino; . tools/env.sh     afterwards $bin holds the environment's programs. With oldest=yes it has
# the lowest version of each dependency.
set -eu

venv=${HWNAS_VENV:-.venv}
bin=$venv/bin

# pytest's options for all cores (tests/cores.py); none if its arguments turn pytest-xdist off
spread() {
    case " $* " in
    *no:xdist*) ;;
    *) echo "-n auto --dist worksteal" ;;
    esac
}

python_of() {
    for candidate in "${HWNAS_PYTHON:-}" python3.11 python3.12 python3.13 python3; do
        if [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "hwnas needs Python 3.11 or newer with venv; got none of python3.11, python3.12, python3.13, python3" >&2
    exit 2
}

[ -x "$bin/python" ] || "$(python_of)" -m venv "$venv"

# What will be downloaded (measured on 29 November 2026 with the wheels of Linux on x86-64), before minutes of it begin
tell() {
    echo "+ pip install -e $what" >&2
    if "$bin/python" -c 'import sys, importlib.util as found; sys.exit(found.find_spec("torch") is None)'; then
        echo "  torch is there; downloads what is missing of the rest (0.7 GB in all), usually in a minute or two" >&2
        return
    fi
    echo "  downloads about 3.7 GB (torch with CUDA is 3.0 of them), usually in 5 to 15 minutes; takes 6.5 GB of disk" >&2
    if ! command -v nvidia-smi >/dev/null 2>&1 && [ ! -e /dev/nvidiactl ]; then
        echo "  No NVIDIA GPU here: torch without CUDA does, at a tenth of the size. Stop this (Ctrl-C), and give first" >&2
        echo "    $bin/python -m pip install torch torchvision --index-url https://download.pytorch.org/whl/cpu" >&2
    fi
}

# One stamp for each list of extras that was asked for; POSIX cksum of what decides the environment's content
stamp=$venv/.hwnas-${extras:-base}
wanted=$(cksum <pyproject.toml)
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    what=.${extras:+"[$extras]"}
    if [ -n "${oldest:-}" ]; then
        "$bin/python" tools/lowest.py "$extras" >"$venv/constraints.txt"
        export PIP_CONSTRAINT="$venv/constraints.txt"
    fi
    tell
    quiet=--quiet
    if [ -t 1 ]; then quiet=; fi # people see what is being downloaded
    # pip's warnings, of package folders that this machine does not have, are shown only if it fails
    "$bin/python" -m pip install $quiet --disable-pip-version-check -e "$what" 2>"$venv/pip.log" || {
        cat "$venv/pip.log" >&2
        exit 1
    }
    echo "$wanted" >"$stamp"
fi
