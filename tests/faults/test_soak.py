"""Memory on long videos with a real network: minutes, so not in the default run."""

from pathlib import Path

import pytest
from fakes import FakeProcessor

from stream.capture.synthetic import SyntheticSource
from stream.inference.deblurrer import Deblurrer
from stream.jobs.clean import clean_file
from stream.output.file import VideoWriter
from stream.pipeline import Pipeline


def resident_bytes():
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * 4096


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's /proc")
def test_memory_after_2000_frames_is_that_after_300(tmp_path):
    sizes = {}

    def sample(stats):
        if stats.frames_out in (300, 1000, 2000):
            sizes[stats.frames_out] = resident_bytes()

    source, out = tmp_path / "in.mp4", tmp_path / "out.mp4"
    Pipeline(SyntheticSource(640, 360, 2000), FakeProcessor(2), VideoWriter(source)).run()
    result = clean_file(source, out, Deblurrer("tiny"), on_progress=sample)
    assert result.stats.frames_out == 2000
    print({frames: f"{size / 2**20:.1f} MiB" for frames, size in sizes.items()})
    assert sizes[2000] <= 1.05 * sizes[300]
