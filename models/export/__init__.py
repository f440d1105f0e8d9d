"""Trained networks as files of other runtimes, each checked against the Keras model.

An exported file holds one step of the network: planes and state in, residual planes and state out.
"""
