"""ONNX models of our layers: written node by node, and edited where a batch or an output is to be another.

Nodes are named by layer index, so that a runtime's trace can be attributed to layers.
"""
