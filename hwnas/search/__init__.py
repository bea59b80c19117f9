"""Searching a space (algorithm 1 of NSGANetV2): where to find what.

    config, objectives, problem     what is searched: TOML, the objectives, their normalisation and budgets
    own_objectives, made_objectives objectives of one's own: where they come from, and what a run keeps of them
    lookups, network_values, memory values of layers and of networks; bytes of weights and activations
    objective_headers, units        how objectives are written and shown
    run, archive, archive_formats   what is kept: a run's folder, its database, and that as JSONL, CSV or Parquet
    driver, ask_tell                the outer loop, with someone to ask, or with answers that come from outside
    state                           what both share: propose, record, where a killed run continues
    strategies                      what an iteration proposes: surrogate, `inner` search, `acquisition`
    operators, transfer             how networks are drawn and varied; drawn like another run's front
    improvement, hypervolume        the measures that proposals are chosen by
    executors, worker               who evaluates: this process, `processes`, or `ray_tasks`
    metrics                         what is recorded of each iteration
    front, limits                   the front of a run; whether a network keeps a limit, and surely
    places, differences             files that a run names, and where they lie now
    kept_weights                    weights of fine-tuned networks that may yet be chosen

Choosing from a run is in `hwnas.select`. It imports no torch: searching needs none.
"""

from hwnas.callable_room import make_callable

make_callable(__name__, "hwnas.api.searching:search")  # so that `hwnas.search(…)` is the command too
