"""Once-for-all's own files: net.config, checkpoints, the accuracy predictor, and the catalogue of what is published.

Whoever reads another of its formats does it here; everything behind works with our architectures and layers.
"""
