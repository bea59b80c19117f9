"""Searching a space: objectives, archive, Algorithm 1 of NSGANetV2 and its parts, selection."""
