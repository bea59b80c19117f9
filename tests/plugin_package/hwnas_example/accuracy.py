"""An accuracy: a made-up one that grows with depth, kernels and resolution, up to a limit."""


class Saturating:
    """`saturating:90`: percent that no network reaches."""

    def __init__(self, limit, space, **settings):
        self.limit = float(limit)

    def evaluate(self, arch):
        network = arch.to_json()
        size = sum(network["ks"]) + 2 * sum(network["e"]) + network["r"]
        return self.limit * size / (size + 30)
