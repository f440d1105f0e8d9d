"""What every source promises, asked of each, and the synthetic one's own manners."""

import numpy as np
import pytest
from clips import Clip
from fakes import FakeSource

from stream.capture.file import FileSource
from stream.capture.realtime import RealtimeSource
from stream.capture.scene import SceneSource
from stream.capture.synthetic import SyntheticSource
from stream.frame import Discontinuity
from stream.pixel_format import format_of

SOURCES = {
    "file": lambda clip: FileSource(clip(Clip(gaps=(512, 300)))),
    "synthetic": lambda clip: SyntheticSource(64, 48, frames=9),
    "synthetic 10 bit 4:2:2 odd": lambda clip: SyntheticSource(
        63, 47, frames=9, subsampling=(1, 0), bit_depth=10
    ),
    "scene": lambda clip: SceneSource(320, 180, frames=9),
    "file in real time": lambda clip: RealtimeSource(
        FileSource(clip(Clip(gaps=(512, 300)))), wait=lambda seconds: False
    ),
    "fake": lambda clip: FakeSource(9),
}


@pytest.fixture(params=SOURCES.values(), ids=SOURCES)
def source(request, clip):
    source = request.param(clip)
    yield source
    source.close()


def test_contract_of_a_source(source):
    info = source.info
    frames = list(source.frames())
    assert frames
    assert frames[0].discontinuity is Discontinuity.START
    assert {frame.discontinuity for frame in frames[1:]} == {None}
    assert [frame.index for frame in frames] == list(range(len(frames)))
    pts = [frame.pts for frame in frames]
    assert pts == sorted(set(pts))
    assert pts[0] == info.start_pts
    assert info.frames_estimate == len(frames)
    for frame in frames:
        assert (frame.width, frame.height) == (info.width, info.height)
        assert format_of(frame.planes) == info.pixel_format
        assert (frame.time_base, frame.color) == (info.time_base, info.color)
    captured = [frame.captured_at for frame in frames]
    assert captured == sorted(captured)
    assert source.decode_failures == 0
    source.close()
    source.close()


def test_the_pattern_moves_and_is_the_same_on_every_run():
    first, second = (list(SyntheticSource(64, 48, frames=3).frames()) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        for left, right in zip(one.planes.arrays, other.planes.arrays, strict=True):
            np.testing.assert_array_equal(left, right)
    luma = [frame.planes.arrays[0] for frame in first]
    np.testing.assert_array_equal(luma[1][:, :-6], luma[0][:, 6:])
    chroma = [frame.planes.arrays[1] for frame in first]
    np.testing.assert_array_equal(chroma[1][:, :-3], chroma[0][:, 3:])
