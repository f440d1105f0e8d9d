"""Measurements of speed: a burn-in stage, then a measured one; ratios within one run.

Imported by `deblur bench` alone. Each file measures one thing and returns JSON-ready figures.
"""
