"""A sink that takes every frame and keeps none: for benchmarks and tests."""

from __future__ import annotations

from stream.frame import Frame, StreamInfo


class NullSink:
    """Takes frames and lets go of them."""

    def open(self, info: StreamInfo) -> None:
        """Nothing to prepare."""

    def write(self, frame: Frame) -> None:
        """Nothing to keep."""

    def finish(self) -> None:
        """Nothing to complete."""

    def abort(self) -> None:
        """Nothing to remove."""
