"""Stubs for what driver.c leaves out: every other function of the toolkit's headers, returning "not supported".

Usage: generate.py INCLUDE_DIR DRIVER.o > stubs.c. The names are those that programs link to: the preprocessor has
applied cuda.h's renaming (cuMemAlloc is cuMemAlloc_v2), once as callers see it and once with the old versions.
"""

from __future__ import annotations

import re
import subprocess
import sys

HEADERS = ("cuda.h", "cudaProfiler.h")
OLD_VERSIONS = "-D__CUDA_API_VERSION_INTERNAL"
NOT_SUPPORTED = 801


def declared(include: str) -> set[str]:
    """Functions that the headers declare."""
    source = "".join(f"#include <{name}>\n" for name in HEADERS)
    found: set[str] = set()
    for extra in ([], [OLD_VERSIONS]):
        command = ["cc", "-E", "-P", "-x", "c", f"-I{include}", *extra, "-"]
        text = subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout
        found |= set(re.findall(r"\bCUresult\s+(cu\w+)\s*\(", text))
    return found


def defined(object_file: str) -> set[str]:
    """Functions that the object file has."""
    text = subprocess.run(["nm", "--defined-only", object_file], capture_output=True, text=True, check=True).stdout
    return {line.split()[-1] for line in text.splitlines() if line.split()[-2] == "T"}


def main() -> None:
    """Write the C source to standard output; the counts to standard error."""
    here = defined(sys.argv[2])
    missing = sorted(declared(sys.argv[1]) - here)
    print("\n".join(f"int {name}(void) {{ return {NOT_SUPPORTED}; }}" for name in missing))
    print(f"{len(here)} functions of driver.c, {len(missing)} generated", file=sys.stderr)


if __name__ == "__main__":
    main()
