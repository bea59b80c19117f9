"""An objective of your own: energy of each layer, and how even a network is."""


def millijoule(layer):
    """Arithmetic and traffic: 4.6 pJ a multiply-add, 160 pJ a byte that is read or written."""
    moved = 4 * (layer.params + layer.in_channels * layer.size**2 + layer.out_channels * layer.out**2)
    return 1e-9 * (4.6 * layer.madds + 160 * moved)


def evenness(network):
    """The share of the multiply-adds that is not in the largest layer."""
    return 1 - max(layer.madds for layer in network["layers"]) / network["madds"]
