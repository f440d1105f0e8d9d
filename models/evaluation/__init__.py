"""Scoring networks on full frames against sharp references."""
