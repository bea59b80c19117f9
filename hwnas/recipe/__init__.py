"""One recipe, from a folder of images to a shipped engine: what `hwnas init` writes and `hwnas run` carries out.

A program on the Python surface: of hwnas it imports `hwnas.api`, and what settings are made of. What a stage does is in
`stages/`, one file a stage; how networks are trained, searched or exported is not here.
"""
