"""`python -m hwnas`, and `torchrun -m hwnas` for training in several processes."""

from __future__ import annotations

from hwnas.cli import main

main()
