"""Where does a model's time go? Any ONNX file or torch module; here a small network of hwnas itself."""

import hwnas

(network,) = hwnas.Networks.sample("tiny", n=1, seed=1)
network.onnx("model.onnx")

found = hwnas.Device("onnxruntime", threads=1).profile("model.onnx")
print(found)
