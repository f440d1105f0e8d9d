"""Minutes of live video from another process: latency stays flat, and losing it is no end."""

import time

import pytest
from fakes import FakeSink
from network import sender  # noqa: F401 - a fixture

from stream.capture.address import SourceOptions, open_source
from stream.inference.overload import OverloadControl, levels_of
from stream.pipeline import Pipeline
from stream.stats import Histogram

MINUTES = 3
PARTS = 6


@pytest.mark.slow
@pytest.mark.timeout(60 * MINUTES + 240)
def test_latency_stays_flat_for_minutes_and_over_a_reconnection(sender):  # noqa: F811
    from stream.inference.deblurrer import Deblurrer

    deblurrer = Deblurrer("tiny")  # first: what comes while it loads would queue up
    far = sender("http")
    far.start()
    far.wait()

    class Measured(FakeSink):
        """Latency by part of the run, counted from the first frame."""

        def __init__(self):
            super().__init__()
            self.began = None
            self.parts = [Histogram() for _ in range(PARTS)]
            self.killed = False

        def write(self, frame):
            now = time.perf_counter()
            self.began = self.began or now
            part = int((now - self.began) / (60 * MINUTES) * PARTS)
            if part >= PARTS:
                pipeline.stop()
                return
            self.parts[part].add(now - frame.captured_at)
            if part == PARTS // 2 and not self.killed:
                self.killed = True
                far.kill()

    def on_message(message):
        print(message)
        if "connecting again" in message:
            far.start()

    source = open_source(far.address, SourceOptions(timeout_s=2), on_message=on_message)
    control = OverloadControl(levels_of(["tiny"], lambda name: deblurrer))
    sink = Measured()
    pipeline = Pipeline(source, control, sink, capacity=1)
    stats = pipeline.run()
    p95 = [part.percentile_ms(95) for part in sink.parts]
    print("p95 by part, ms:", [round(value, 1) for value in p95], control.report())
    print(stats.report())
    assert stats.frames_in == stats.frames_out + stats.frames_dropped
    assert stats.frames_in > 0.8 * 20 * 60 * MINUTES
    assert source.reconnects == 1
    assert p95[-1] < 2 * p95[0] + 20  # milliseconds; it would be seconds if frames queued up
