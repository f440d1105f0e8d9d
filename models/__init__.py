"""The deblurring networks: architecture, weights, training and evaluation.

Knows pixels as planes and nothing of streams, files or windows; never imports `stream`.
"""
