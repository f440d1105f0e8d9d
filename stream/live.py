"""A live source as an iterator of deblurred frames, for programs of one's own."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from stream.channel import Channel, ChannelAborted
from stream.frame import Frame, StreamInfo
from stream.pipeline import Pipeline
from stream.stages import Processor, Source


def deblurred(source: Source, processor: Processor) -> Iterator[Frame]:
    """The frames of ``source``, each as ``processor`` gives it, while the next one is worked on.

    A live source drops what the caller is too slow for; a recorded one waits. Leaving the loop
    ends everything; the source is closed then.

    Args:
        source: Of `open_source`, for example.
        processor: A `Deblurrer`, for example; all its work is done on a thread of its own.

    Raises:
        DeblurError: What went wrong in the source or the processor.
    """
    handed = _Handover(source.info.live)
    pipeline = Pipeline(source, processor, handed, capacity=1 if source.info.live else 2)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            pipeline.run()
        except BaseException as error:
            failed.append(error)
        finally:
            handed.frames.close()

    thread = threading.Thread(target=run, name="output")
    thread.start()
    try:
        for frame, dropped in handed.frames:
            yield frame.replace(gap=frame.gap + dropped)
        if failed:
            raise failed[0]
    finally:
        pipeline.stop()
        handed.frames.abort()
        thread.join()


class _Handover:
    """The output that hands frames to the loop."""

    def __init__(self, latest: bool) -> None:
        self.frames = Channel[Frame](1, latest=latest)
        self._left = False

    def open(self, info: StreamInfo) -> None:
        """Nothing to prepare."""

    def write(self, frame: Frame) -> None:
        if not self._left:
            try:
                self.frames.put(frame)
            except ChannelAborted:
                self._left = True  # the loop was left: let the rest of the run drain

    def finish(self) -> None:
        """The thread that runs it closes the channel."""

    def abort(self) -> None:
        """Likewise."""
