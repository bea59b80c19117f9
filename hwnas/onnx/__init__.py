"""ONNX models: of our layers, written node by node, and any other one, read or exported from torch.

Nodes of our own are named by layer index, so that a runtime's trace can be attributed to layers.
"""
