"""The three stages of a pipeline, as protocols, and who calls what on which thread.

`stream.pipeline.Pipeline` is the one owner: once it runs, it and nobody else ends each stage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from stream.frame import Frame, StreamInfo


class Source(Protocol):
    """Delivers frames. Opened by its constructor, read and closed on the capture thread."""

    @property
    def info(self) -> StreamInfo:
        """Known from the start."""

    @property
    def decode_failures(self) -> int:
        """How many pictures could not be decoded so far; each was replaced by a repeat."""

    def frames(self) -> Iterator[Frame]:
        """Every frame, once, in order of strictly increasing pts.

        The first has ``Discontinuity.START``. A wait for the next frame is bounded by a time-out
        of the source's own, so that a pipeline can always be stopped.

        Raises:
            SourceError: The source failed; nothing more will come.
        """

    def stop(self) -> None:
        """Cut short a wait that is the source's own, such as for a reconnection. From any thread.

        `frames` may end then without giving a further one.
        """

    def close(self) -> None:
        """Free what is held; may be called twice."""


class Processor(Protocol):
    """Turns frames into better ones, one for one. All calls come from the inference thread."""

    def start(self, info: StreamInfo) -> None:
        """Get ready, warmed up, for frames of this stream; none is captured before."""

    def process(self, frame: Frame) -> Sequence[Frame]:
        """Take one frame, give those that are ready: earlier ones where it looks ahead."""

    def flush(self) -> Sequence[Frame]:
        """Give the rest; no frame follows."""

    def close(self) -> None:
        """Forget the stream; called once a run, whether or not it succeeded.

        Another run may `start` afterwards, and finds nothing of this one.
        """


class Sink(Protocol):
    """Takes frames away. All calls come from the thread that runs the pipeline."""

    def open(self, info: StreamInfo) -> None:
        """Get ready for frames of this stream.

        Raises:
            SinkError: The place or the format will not do.
        """

    def write(self, frame: Frame) -> None:
        """Take one frame.

        Raises:
            SinkError: It could not be written; `abort` follows.
        """

    def finish(self) -> None:
        """Make what was written whole and final.

        Raises:
            SinkError: It could not be completed; `abort` follows.
        """

    def abort(self) -> None:
        """Leave nothing behind. Called after any failure, that of `open` included."""
