"""An objective of your own, by layer: energy in millijoule, from arithmetic and memory traffic."""


def millijoule(layer):
    """4.6 pJ a multiply-add, 160 pJ a byte that is read or written."""
    moved = 4 * (layer.params + layer.in_channels * layer.size**2 + layer.out_channels * layer.out**2)
    return 1e-9 * (4.6 * layer.madds + 160 * moved)


def top1(arch):
    """Stands for your accuracy."""
    return 60 + sum(arch["e"]) / 4


if __name__ == "__main__":
    import hwnas

    energy = hwnas.OwnObjective("energy_mj", layers=millijoule, unit="mJ")
    run = hwnas.search(
        "tiny", top1, objectives=["top1", "peak_memory", energy], initial=8, iterations=0, out="runs/python"
    )
    print(run.select("energy_mj<=0.05", n=2))
