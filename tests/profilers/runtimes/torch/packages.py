"""Packages without the compiler, which takes half a minute: their modules are kept here, by what is in their files."""

from __future__ import annotations

import pytest

from profilers.errors import BadInput
from profilers.runtimes.torch import aot


@pytest.fixture
def uncompiled(monkeypatch):
    """`write_package` and `open_package` of modules that are kept as they are; gives the examples by file's bytes."""
    modules, examples = {}, {}

    def write(module, example, path, threads=0):
        text = f"package {len(modules)} for {threads} threads".encode()
        modules[text], examples[text] = module, example
        path.write_bytes(text)

    def open_(path):
        if path.read_bytes() not in modules:
            raise BadInput("no package")
        return modules[path.read_bytes()]

    monkeypatch.setattr(aot, "write_package", write)
    monkeypatch.setattr(aot, "open_package", open_)
    return examples
