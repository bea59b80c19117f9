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

# One stamp for each list of extras that was asked for; POSIX cksum of what decides the environment's content
stamp=$venv/.hwnas-${extras:-base}
wanted=$(cksum <pyproject.toml)
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    what=.${extras:+"[$extras]"}
    if [ -n "${oldest:-}" ]; then
        "$bin/python" tools/lowest.py "$extras" >"$venv/constraints.txt"
        export PIP_CONSTRAINT="$venv/constraints.txt"
    fi
    echo "+ pip install -e $what" >&2
    # pip's warnings, of package folders that this machine does not have, are shown only if it fails
    "$bin/python" -m pip install --quiet --disable-pip-version-check -e "$what" 2>"$venv/pip.log" || {
        cat "$venv/pip.log" >&2
        exit 1
    }
    echo "$wanted" >"$stamp"
fi
