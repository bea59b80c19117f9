"""How large what is loaded may be: the one place of these limits, which SECURITY.md states too.

What a field of a file may hold is stated by its type (`profilers.constraints`, `profilers.validation`), and what a
picture may be in `hwnas/data/picture.py`, which must work alone.
"""

from __future__ import annotations

TEXT_BYTES = 2**28  # of a text: JSON, TOML, YAML, CSV, lines
FILE_BYTES = 2**33  # of any file that is read as a whole: weights, models
HEADER_BYTES = 2**24  # of what stands before the tensors of a safetensors file
JSON_LEVELS = 60  # of lists and objects inside each other
JSON_DIGITS = 100  # of a number
CSV_CHARACTERS = 2**17  # of a field
