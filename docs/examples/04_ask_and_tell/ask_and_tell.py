"""A search whose networks are evaluated by a program of your own. Kill it at any time, and start it again."""

import hwnas


def my_training_job(network):
    """Stands for hours on a cluster; `network.torch()` is the torch module, `network.to_json()` its description."""
    return 60 + sum(network.to_json()["e"]) / 4  # percent


with hwnas.open_search("tiny", objectives=["top1", "params"], initial=8, iterations=0, out="runs/asked") as search:
    while networks := search.ask(4):
        for network in networks:
            search.tell(network, top1=my_training_job(network))

run = hwnas.Run("runs/asked")
print(len(run.networks), "networks evaluated")
