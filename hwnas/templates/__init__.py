"""Configurations with comments: every key of a settings class with what it means, what it may be and its default.

`writer.py` writes them from the class itself (docstrings of fields, types, ranges, defaults); `examples.py` holds what
a key without a default is shown with; `options.py` the options of accuracy sources; `kinds.py` the files that commands
read.
"""

from __future__ import annotations

from hwnas.templates.writer import commented_toml as commented_toml
