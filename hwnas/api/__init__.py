"""The Python surface: what `import hwnas` promises, and what the command line calls. Nothing is decided above it.

A file per thing that a user holds: a device, a table, a network, a run, an engine. Each call returns an object that
prints itself, in a terminal and in a notebook. No algorithm belongs here: this room puts those of the others together.
"""
