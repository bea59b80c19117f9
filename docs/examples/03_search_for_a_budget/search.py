"""Search for a budget: accuracy against parameters and latency, at most 0.4 ms."""

import hwnas


def top1(arch):
    """Stands for your accuracy: larger networks are better, with less and less gain."""
    work = sum(k * e for k, e in zip(arch["ks"], arch["e"], strict=True)) * arch["r"] / 16
    return 90 - 40 / (1 + 0.05 * work)


if __name__ == "__main__":
    run = hwnas.search(
        "tiny",
        top1,
        resolutions=[12, 16],
        tables={"gpu_ms": "gpu.json"},
        objectives=["top1", "params", "gpu_ms"],
        budget={"gpu_ms": 0.4},
        initial=8,  # quick; leave these out for 100 and 30 rounds of 8
        iterations=1,
        per_iteration=4,
        surrogate="gp",
        out="runs/python",
    )
    print(run.select("gpu_ms<=0.35", n=2))
    run.report()
