"""An accuracy of your own, of several networks at once."""


def top1(networks):
    size = [sum(k * e for k, e in zip(n["ks"], n["e"], strict=True)) + 4 * n["r"] for n in networks]
    return [99 - 900 / (s + 10) for s in size]
