"""capture -> inference -> output: three threads, two channels, and how they end.

Owns the threads and ends every stage; knows the protocols of `stream.stages` and nothing of what
fills them. The output runs on the caller's thread: windows need it, and Ctrl-C lands there.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from stream.channel import Channel, ChannelAborted, ChannelClosed
from stream.errors import JobError
from stream.frame import Discontinuity, Frame
from stream.stages import Processor, Sink, Source
from stream.stats import RunStats

IDLE_S = 0.05
"""How long the output waits for a frame before it counts as idle."""

PROCESSED_FRAMES = 4
"""How many finished frames wait for the output at most; what comes behind them waits before."""


class Pipeline:
    """One run of one source through one processor into one sink.

    Frames are dropped at one place only, the first channel, and only where ``source.info.live``:
    then the latest frame wins. A recorded video waits instead, and never loses a frame.

    Args:
        source: Closed on the capture thread.
        processor: Started, used and closed on the inference thread.
        sink: Opened, written, and finished or aborted on the thread that calls `run`.
        on_progress: Called after each frame written, on that same thread; may call `stop`.
        on_idle: Called on that thread too, every `IDLE_S` while no frame comes: for windows.
        capacity: Frames that wait for the processor at most.
        clock: Seconds, the same clock as ``Frame.captured_at``.
    """

    def __init__(
        self,
        source: Source,
        processor: Processor,
        sink: Sink,
        *,
        on_progress: Callable[[RunStats], None] | None = None,
        on_idle: Callable[[], None] | None = None,
        capacity: int = 2,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.stats = RunStats(frames_expected=source.info.frames_estimate)
        self._source = source
        self._processor = processor
        self._sink = sink
        self._on_progress = on_progress
        self._on_idle = on_idle
        self._clock = clock
        self._captured = Channel[Frame](capacity, latest=source.info.live)
        self._processed = Channel[Frame](min(capacity, PROCESSED_FRAMES))
        self._breaks: deque[tuple[int, Discontinuity]] = deque(maxlen=16)
        self._warm = threading.Event()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._error: BaseException | None = None
        self._started_at: float | None = None
        self._threads = [_StageThread("capture", self._guard, self._capture)]
        self._threads += [_StageThread("inference", self._guard, self._infer)]

    def stop(self) -> None:
        """Read no more frames, bring those inside to the sink and finish it. From any thread."""
        self._stopping.set()
        self._source.stop()

    def run(self) -> RunStats:
        """Run to the end of the source, or until `stop`; once only.

        Raises:
            BaseException: The first error of any stage, with its traceback. All threads have
                ended and the sink was aborted.
            JobError: A recorded video lost frames on the way.
        """
        try:
            self._guard(self._output)
        finally:
            self._join()  # a second Ctrl-C may have cut the first join short
        if self._error is None:
            return self.stats
        try:
            raise self._error
        finally:
            self._error = None  # it holds this frame through its traceback: break the cycle

    def _guard(self, stage: Callable[[], None]) -> None:
        """Run ``stage``; its error, where it is the first, becomes the run's, and ends the run."""
        try:
            stage()
        except ChannelAborted:
            pass  # somebody else has failed, and has said so
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            self._error = self._error or error
        self._captured.abort()
        self._processed.abort()
        self._source.stop()
        self._warm.set()

    def _capture(self) -> None:
        stats, busy = self.stats, self.stats.stages["capture"]
        try:
            self._warm.wait()
            frames = iter(self._source.frames())
            while not self._stopping.is_set():
                began = self._clock()
                frame = next(frames, None)
                if frame is None:
                    break
                busy.add(self._clock() - began)
                stats.frames_in += 1
                stats.decode_failures = self._source.decode_failures
                if frame.discontinuity:
                    self._breaks.append((frame.index, frame.discontinuity))
                self._captured.put(frame)
                stats.frames_dropped = self._captured.dropped_count
            stats.decode_failures = self._source.decode_failures
        finally:
            self._source.close()
        self._captured.close()

    def _infer(self) -> None:
        busy = self.stats.stages["inference"]
        try:
            self._processor.start(self._source.info)
            self._started_at = self._clock()
            self._warm.set()
            for frame, dropped in self._captured:
                began = self._clock()
                reason = self._break_before(frame)
                if dropped:
                    frame = frame.replace(gap=frame.gap + dropped, discontinuity=reason)
                results = self._processor.process(frame)
                busy.add(self._clock() - began)
                self._hand_on(results)
            self._hand_on(self._processor.flush())
        finally:
            self._processor.close()
        self._processed.close()

    def _break_before(self, frame: Frame) -> Discontinuity | None:
        """The last break of the stream since the frame before, that of a dropped frame included."""
        reason = None
        while self._breaks and self._breaks[0][0] <= frame.index:
            _, reason = self._breaks.popleft()
        return reason

    def _hand_on(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            self._processed.put(frame)

    def _output(self) -> None:
        """The sink is finished only after both threads have ended without an error."""
        try:
            self._write_all()
            self._require_whole()
            self._sink.finish()
        except BaseException as error:
            self._fail(error)
            self._sink.abort()
            raise
        finally:
            self.stats.duration_s = self._elapsed_s()

    def _write_all(self) -> None:
        try:
            for thread in self._threads:
                thread.start()
            self._sink.open(self._source.info)
            while (frame := self._next_processed()) is not None:
                self._write(frame)
        except BaseException as error:
            self._fail(error)
            raise
        finally:
            self._join()

    def _next_processed(self) -> Frame | None:
        """The next frame, or None at the end."""
        while True:
            try:
                return self._processed.get(IDLE_S if self._on_idle else None)[0]
            except ChannelClosed:
                return None
            except TimeoutError:
                if self._on_idle:
                    self._on_idle()

    def _write(self, frame: Frame) -> None:
        stats = self.stats
        began = self._clock()
        self._sink.write(frame)
        now = self._clock()
        stats.stages["output"].add(now - began)
        stats.latency.add(now - frame.captured_at)
        stats.frames_out += 1
        stats.duration_s = self._elapsed_s()
        if self._on_progress:
            self._on_progress(stats)

    def _join(self) -> None:
        """Wait for both threads; a Ctrl-C on the way is kept, and only hurries them."""
        waiting = True
        while waiting:
            try:
                for thread in self._threads:
                    thread.finish()
                waiting = False
            except KeyboardInterrupt as interrupt:
                self._fail(interrupt)

    def _elapsed_s(self) -> float:
        return 0.0 if self._started_at is None else self._clock() - self._started_at

    def _require_whole(self) -> None:
        if self._error is not None:
            raise ChannelAborted
        stats, info = self.stats, self._source.info
        if not info.live and stats.frames_out != stats.frames_in:
            raise JobError(
                f"{info.name}: {stats.frames_in} frames went in but {stats.frames_out} came out; "
                "nothing was written, please report this"
            )


class _StageThread(threading.Thread):
    """A thread that says itself when it has ended.

    A `join` that Ctrl-C interrupts takes the thread for ended although it still runs (CPython
    before 3.13: `_wait_for_tstate_lock` finds the lock held and gives up on it), so the thread's
    own word is waited for first.
    """

    def __init__(
        self, name: str, guard: Callable[[Callable[[], None]], None], stage: Callable[[], None]
    ) -> None:
        super().__init__(name=name)
        self._guard = guard
        self._stage = stage
        self._ended = threading.Event()

    def run(self) -> None:
        try:
            self._guard(self._stage)
        finally:
            del self._guard, self._stage  # or the run would hold itself, encoder and all
            self._ended.set()

    def finish(self) -> None:
        """Wait until the thread has ended; at once where it was never started."""
        if self.ident is not None:
            self._ended.wait()
            self.join()
