"""Memory on long videos with a real network: minutes, so not in the default run."""

import pytest
from fakes import FakeProcessor

from stream.bench.pipelines import measure_length
from stream.bench.timing import resident_mib
from stream.capture.synthetic import SyntheticSource
from stream.inference.deblurrer import Deblurrer
from stream.jobs.clean import clean_file
from stream.output.file import VideoWriter
from stream.pipeline import Pipeline


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_memory_after_2000_frames_is_that_after_300(tmp_path):
    sizes = {}

    def sample(stats):
        if stats.frames_out in (300, 1000, 2000):
            sizes[stats.frames_out] = resident_mib()

    source, out = tmp_path / "in.mp4", tmp_path / "out.mp4"
    Pipeline(SyntheticSource(640, 360, 2000), FakeProcessor(2), VideoWriter(source)).run()
    result = clean_file(source, out, Deblurrer("tiny"), on_progress=sample)
    assert result.stats.frames_out == 2000
    print({frames: f"{size:.1f} MiB" for frames, size in sizes.items()})
    assert sizes[2000] <= 1.05 * sizes[300]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_memory_after_20000_frames_is_that_after_500():
    """At a size where frames are quick: what would leak, leaks per frame, not per pixel.

    On one thread, so that the times it prints have no waiting for a core that others use in them.
    """
    deblurrer = Deblurrer("tiny", device="cpu", runtime="mnn", single_thread=True)
    rows = measure_length(deblurrer, 96, 64, (500, 5000, 10_000, 20_000))
    print(*rows, sep="\n")
    assert rows[-1]["frames"] == 20_000
    assert rows[-1]["rss_mib"] <= 1.02 * rows[0]["rss_mib"]
