"""One command that says on any machine with an NVIDIA card whether the GPU half of hwnas holds there.

It runs from a source tree with whatever Python has torch, numpy, scipy and onnx. `parts` has a file for each part of
the check, `running` runs them one by one in processes of their own, within the time there is, and `report` is written
after each. `stand_ins` takes the place of small packages that are missing. docs/gpu-check.md is for its users.
"""
