"""The campaign: what is loaded may be damaged, hostile or somebody else's, and gets one line or a right answer.

    python -m tools.campaign KIND [KIND …] --count N --seed S --workers W     N inputs of each kind
    python -m tools.campaign KIND --seed S --only NUMBER                      one of them again

    kinds/        a module a kind: what its inputs start from, how one is mutated, which commands take it
    mutations.py  of bytes and of trees (JSON, TOML)
    case.py       an input and what takes it
    inside.py     one input in this process, with a time limit
    judge.py      what came of it: traceback, hang, half-written files, wrong numbers, bad lines
    workers.py    processes that can be killed where an input hangs or kills them
    report.py     the table, and the folders of what was found

A short form of each kind runs in `tests/fuzz`.
"""
