"""A runtime, a space, an objective, an accuracy and a surrogate of one's own."""
