"""Choosing from a finished or running search: budgets, preferences, what the front has in common.

    guaranteed   the one rule of `hwnas select`, `export` and `compare`: which networks surely keep the budgets
    choose       which of these are taken: by preference, by knee, or spread over their front
    parse        budgets and preferences as users write them
    insights     what the networks of the fronts have in common, with `frequencies`

Searching itself, its fronts and limits included, is in `hwnas.search`.
"""
