"""Export a network as an engine, check it, run it."""

import numpy as np

import hwnas

networks = hwnas.Networks.sample("tiny", n=1, seed=1)
networks.save("arch.json")
engine = networks[0].export("onnxruntime", out="engine", random_weights=True, quick=True)

found = engine.validate(quick=True)
print("outputs agree with torch:", found["top1_agreement"] == 1)
print("scores:", engine.infer(np.zeros(engine.input_shape, np.float32)).shape)
