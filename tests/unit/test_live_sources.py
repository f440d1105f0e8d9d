"""The synthetic camera, a file at its own pace, and the names of sources."""

from fractions import Fraction
from itertools import islice

import cv2
import numpy as np
import pytest
from fakes import FakeSource, Time

from stream.capture.address import open_source
from stream.capture.realtime import RealtimeSource
from stream.capture.scene import SceneSource
from stream.errors import OpenError


def test_frames_come_when_they_are_due():
    time = Time()
    source = RealtimeSource(FakeSource(90), clock=time.clock, wait=time.wait)
    assert source.info.live
    captured = [frame.captured_at for frame in source.frames()]
    assert captured == pytest.approx([100 + index / 30 for index in range(90)])


def test_a_slow_reader_gets_late_frames_at_once_and_all_of_them():
    time = Time()
    source = RealtimeSource(FakeSource(30), clock=time.clock, wait=time.wait)
    indices = []
    for frame in source.frames():
        indices.append(frame.index)
        time.now += 0.1
    assert indices == list(range(30))
    assert time.now == pytest.approx(103)


def test_stop_ends_a_wait():
    class Hourly(FakeSource):
        def frames(self):
            for frame in super().frames():
                yield frame.replace(time_base=Fraction(3600))

    source = RealtimeSource(Hourly(3))
    frames = source.frames()
    assert next(frames).index == 0
    source.stop()
    assert list(frames) == []


def test_the_scene_moves_is_blurred_sideways_and_is_the_same_on_every_run():
    one, other = (list(SceneSource(320, 180, frames=4).frames()) for _ in range(2))
    luma = [frame.planes.arrays[0] for frame in one]
    for left, right in zip(one, other, strict=True):
        for a, b in zip(left.planes.arrays, right.planes.arrays, strict=True):
            np.testing.assert_array_equal(a, b)
    top = [plane[:40].astype(int) for plane in luma]  # above the sign
    np.testing.assert_array_equal(top[0][:, 6:], top[1][:, :-6])
    assert np.abs(top[0] - top[1]).mean() > 1
    across, along = (np.abs(cv2.Sobel(luma[0], cv2.CV_32F, *d)).max() for d in ((1, 0), (0, 1)))
    assert across < 0.75 * along


def test_the_scene_runs_on_and_fits_small_sizes():
    for width, height in ((64, 64), (64, 240), (322, 66)):
        frames = list(islice(SceneSource(width, height).frames(), 150))
        assert {(frame.width, frame.height) for frame in frames} == {(width, height)}


@pytest.mark.parametrize(
    ("address", "size", "rate"),
    [
        ("test:", (1280, 720), 30),
        ("test:320x180", (320, 180), 30),
        ("test:@12.5", (1280, 720), Fraction(25, 2)),
        ("test:640x360@15", (640, 360), 15),
    ],
)
def test_a_test_address_says_size_and_rate(address, size, rate):
    info = open_source(address).info
    assert (info.width, info.height, info.frame_rate, info.live) == (*size, rate, True)


@pytest.mark.parametrize("mode", ["no", "321x180", "32x32", "@0", "640x360@"])
def test_a_mode_that_is_none_is_refused(mode):
    with pytest.raises(OpenError, match=f"test:{mode} is no mode"):
        open_source(f"test:{mode}")


def test_a_file_needs_to_be_told_its_pace(tmp_path):
    file = tmp_path / "a.mp4"
    file.touch()
    with pytest.raises(OpenError, match="--realtime"):
        open_source(str(file))
    with pytest.raises(OpenError, match="is no source"):
        open_source(str(tmp_path / "none.mp4"))
