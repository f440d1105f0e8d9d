"""The network for frames of one size, on each runtime of a CPU: features in, residual out.

Each module is a runtime and has `open_network(weights, size, compute)`; `stream.inference.backends`
says which there are, and which is chosen.
"""
