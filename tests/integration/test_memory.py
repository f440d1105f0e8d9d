"""Memory does not grow with the length of a video."""

from fractions import Fraction

import pytest
from fakes import FakeProcessor

from stream.bench.timing import resident_mib
from stream.capture.synthetic import SyntheticSource
from stream.jobs import CleanOptions, clean_file
from stream.output.encoder import EncoderOptions
from stream.output.file import VideoWriter
from stream.pipeline import Pipeline


@pytest.mark.slow
def test_resident_memory_is_flat(tmp_path):
    """After 200 frames to fill encoder and caches, 2,800 more of 1.4 MiB add less than six.

    What is left is the muxer's index: some 100 bytes a frame. In segments, where encoders and
    threads come and go, what the allocator holds goes up and down by some 15 MiB, so the peaks of
    the first and the second half are compared.
    """
    seen = {}

    def progress(stats):
        if stats.frames_out % 20 == 0:
            seen[stats.frames_out] = resident_mib()

    whole = tmp_path / "whole.mp4"
    fast = EncoderOptions(codec="h264", preset="ultrafast", crf=40)
    source = SyntheticSource(1280, 720, 3000, Fraction(60))
    Pipeline(source, FakeProcessor(2), VideoWriter(whole, fast), on_progress=progress).run()
    assert seen[3000] - seen[200] < 8
    seen.clear()
    options = CleanOptions(fast, segment_s=Fraction(2))
    clean_file(whole, tmp_path / "out.mp4", FakeProcessor(2), options, progress)
    early = max(seen[frames] for frames in range(20, 1520, 20))
    assert max(seen.values()) < 1.05 * early
