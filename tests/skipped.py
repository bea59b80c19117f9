"""Counts of the tests that were skipped, by what they needed, so that none vanishes without a word."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

NEEDS = (
    ("the authors' published files (../shared/published)", r"shared/published"),
    ("TensorRT's stubs (HWNAS_TRT_STUBS)", r"tensorrt-stubs"),
    ("the stand-in of the CUDA driver (tests/cuda_driver/run.sh)", r"stand-in|CUDA toolkit|PyCUDA is not built"),
    ("an NVIDIA GPU, its driver or TensorRT", r"NVIDIA|CUDA|tensorrt|GPU"),
    ("a browser", r"chrom"),
    ("sshd (openssh-server)", r"sshd"),
    ("another Python (HWNAS_PYTHON39)", r"Python 3\.9"),
    ("an optional package", r"could not import|not installed|No module named|pip install"),
    ("two cores", r"two cores"),
    ("a processor with bf16 or int8", r"bf16|int8|computes in"),
)
OTHER = "something that this case does not have (pytest -rs says what)"


def need(reason: str) -> str:
    """What a skipped test lacked, from its reason."""
    return next((words for words, pattern in NEEDS if re.search(pattern, reason, re.IGNORECASE)), OTHER)


def summary(reasons: Iterable[str]) -> list[str]:
    """Lines, the most frequent need first."""
    counts = Counter(need(reason) for reason in reasons)
    return [f"skipped: {count:4} that need {words}" for words, count in counts.most_common()]
