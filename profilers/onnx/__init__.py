"""What is done to ONNX models before a runtime gets them: quantised, cast to another precision, shapes fixed, saved.

Models are written elsewhere (`hwnas.onnx`); nothing here runs one.
"""
