"""One file a stage of a recipe: what it needs, makes, depends on, checks and does, by the Python surface.

`hwnas.recipe.stage` is the contract, `hwnas.recipe.order` the list. Where a stage leaves a configuration that a single
command takes (`supernet.toml`, `search.toml`, `finetune.toml`), that command does the same.
"""
