"""A latency table of this machine: build, verify, predict. The space is tiny and the time short; see the README."""

import hwnas

cpu = hwnas.Device("fake", threads=1)  # a simulated device: "onnxruntime" measures this machine
table = cpu.build_table("tiny", out="table.json", resolutions=[12], budget_seconds=1)
print(table.verify(n=4))

networks = hwnas.Networks.sample("tiny", n=3, resolutions=[12])
print(table.predict(networks))
