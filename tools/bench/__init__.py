"""Benches: what this project's figures rest on, each run from the repository's root as `python -m tools.bench.NAME`.

    search    hypervolume by evaluated networks, beside Lu et al.'s reference code; its parts are search_*.py
    lookup    architectures a second
    tables    ways to make a latency table, side by side
    noise     how far two loadings of the same networks differ by the way they are timed
    profile   known networks by `hwnas profile`, a plain loop and benchmark_app
    truth     the same networks by export, validate, a plain loop and benchmark_app
    torch_modes  torch eager, compiled and as a package, and its run.py alone
    ship      engine selection, intervals, int8, known networks
    train     a training step beside once-for-all's (plain_ofa); what inherited accuracies are worth
    finetuning  whether fine-tuning each evaluated network pays, at equal seconds
    gpu       GPU tables from few networks, against published measurements
    order     whether accuracies depend on the order of the training images

Tests are in `tests/`; what a user runs is in `hwnas/`. `data/` holds what the reference code reached, and a table.
"""
