"""Inference: the compiled step, its state per stream, and what resets it."""
