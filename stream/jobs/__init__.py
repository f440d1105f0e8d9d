"""Recorded videos from file to file: cleaned in segments, joined, and put in place when whole."""

from stream.jobs.clean import CleanOptions, CleanResult, clean_file

__all__ = ["CleanOptions", "CleanResult", "clean_file"]
