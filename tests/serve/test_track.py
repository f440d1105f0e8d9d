"""When frames are shown deblurred, as they came, or not at all: with a clock of the test's own."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError
from in_process import bounded

from stream.errors import SourceError
from stream.frame import Frame, Planes
from stream.pixel_format import read_planes
from stream.serve.limits import Limits
from stream.serve.statistics import LiveStats
from stream.serve.track import (
    LATE_S,
    NEW_SIZES,
    RECOVERED_S,
    SIZES_S,
    DeblurredTrack,
    stacked,
)


class Scene:
    """A track with a camera, an engine and a clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.stats = LiveStats()
        self.requests: list[tuple[Frame, Future[Frame]]] = []
        self._pictures: asyncio.Queue[av.VideoFrame | None] = asyncio.Queue()
        self._count = 0
        self.track = DeblurredTrack(
            self, self, Limits(live_pixels=64 * 48), self.stats, clock=lambda: self.now
        )
        self.task = asyncio.create_task(self.track.run())

    async def recv(self):
        """As the camera."""
        if (picture := await self._pictures.get()) is None:
            raise MediaStreamError
        return picture

    def submit(self, frame):
        """As the engine."""
        result: Future[Frame] = Future()
        self.requests.append((frame, result))
        return result

    async def arrive(self, width: int = 16, height: int = 8) -> None:
        self.put(width, height)
        await settle()

    def put(self, width: int = 16, height: int = 8) -> None:
        picture = av.VideoFrame(width, height, "yuv420p")
        picture.pts, picture.time_base = 3000 * self._count, Fraction(1, 90_000)
        self._count += 1
        self._pictures.put_nowait(picture)

    async def finish(self, index: int, after_s: float = 0.0) -> None:
        self.now += after_s
        frame, result = self.requests[index]
        result.set_result(frame.replace(planes=inverted(frame.planes)))
        await settle()

    async def shown(self) -> str:
        """What the sender gets, by the counters."""
        before = self.stats.outcomes.copy()
        await self.track.recv()
        return next(iter(self.stats.outcomes - before))

    async def end(self) -> None:
        self._pictures.put_nowait(None)
        await self.task
        assert self.stats.arrived == self.stats.outcomes.total()


def inverted(planes: Planes) -> Planes:
    return Planes(
        tuple(255 - array for array in planes.arrays), planes.subsampling, planes.bit_depth
    )


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_frames_pass_until_the_first_result(tmp_path):
    async def scenario():
        scene = Scene()
        await scene.arrive()
        assert await scene.shown() == "passed"
        await scene.finish(0, RECOVERED_S / 2)
        await scene.arrive()
        assert scene.stats.outcomes.total() == 1
        await scene.finish(1)
        assert await scene.shown() == "deblurred"
        await scene.end()

    bounded(scenario())


async def warmed() -> Scene:
    scene = Scene()
    await scene.arrive()
    await scene.shown()
    await scene.finish(0)
    assert not scene.track.passing
    return scene


def test_a_late_result_lets_the_next_frames_pass_until_one_is_in_time_again():
    async def scenario():
        scene = await warmed()
        await scene.arrive()
        await scene.finish(1, 1.01 * LATE_S)  # late, but newer than anything shown
        assert await scene.shown() == "deblurred"
        assert scene.track.passing
        await scene.arrive()
        assert await scene.shown() == "passed"
        await scene.finish(2, 1.01 * RECOVERED_S)  # not late, but not yet trusted
        assert scene.track.passing
        await scene.arrive()
        assert await scene.shown() == "passed"
        await scene.finish(3, 0.99 * RECOVERED_S)
        await scene.arrive()
        await scene.finish(4, 0.99 * LATE_S)  # trusted: as slow as this is well
        assert await scene.shown() == "deblurred"
        assert not scene.track.passing
        await scene.end()

    bounded(scenario())


def test_frames_pass_while_a_result_does_not_come_at_all():
    async def scenario():
        scene = await warmed()
        await scene.arrive()
        scene.now += 1.01 * LATE_S
        await scene.arrive()
        assert await scene.shown() == "passed"
        await scene.finish(1)  # older than what is shown: too late for anything
        await scene.finish(2)
        assert scene.stats.outcomes == {"passed": 2, "dropped": 1}
        await scene.end()

    bounded(scenario())


def test_a_frame_that_a_newer_one_replaced_is_dropped():
    async def scenario():
        scene = await warmed()
        await scene.arrive()
        scene.requests[1][1].cancel()
        await scene.arrive()
        await scene.finish(2)
        assert await scene.shown() == "deblurred"
        assert scene.stats.outcomes["dropped"] == 1
        await scene.end()

    bounded(scenario())


def test_of_frames_that_come_together_the_newest_is_taken_and_counts_the_others():
    async def scenario():
        scene = await warmed()
        for _ in range(3):
            scene.put()
        await settle()
        assert [(frame.index, frame.gap) for frame, _ in scene.requests] == [(0, 0), (3, 2)]
        assert scene.stats.outcomes["dropped"] == 2
        await scene.finish(1)
        assert await scene.shown() == "deblurred"
        await scene.end()

    bounded(scenario())


def test_the_sender_gets_the_newest_frame_only():
    async def scenario():
        scene = await warmed()
        for index in (1, 2, 3):
            await scene.arrive()
            await scene.finish(index)
        picture = await scene.track.recv()
        assert picture.pts == 9000
        assert scene.stats.outcomes["dropped"] == 2
        await scene.end()

    bounded(scenario())


def test_frames_under_way_when_the_camera_ends_count_as_dropped():
    async def scenario():
        scene = await warmed()
        await scene.arrive()
        await scene.arrive()
        await scene.end()
        assert scene.stats.outcomes["dropped"] == 2
        await scene.finish(1)
        assert scene.stats.outcomes["dropped"] == 2

    bounded(scenario())


def test_frames_add_up_whenever_a_stream_is_ended_that_ends_by_itself():
    """A browser that hangs up says so by both ways at once."""

    async def scenario():
        for delay in range(6):
            scene = await warmed()
            await scene.arrive()
            await scene.arrive()
            scene._pictures.put_nowait(None)
            for _ in range(delay):
                await asyncio.sleep(0)
            scene.task.cancel()
            await asyncio.wait([scene.task])
            assert scene.stats.arrived == scene.stats.outcomes.total(), delay

    bounded(scenario())


def test_a_picture_beyond_the_limit_is_counted():
    async def scenario():
        scene = Scene()
        await scene.arrive(640, 480)
        with pytest.raises(SourceError, match="640x480 is more than this server takes live"):
            await scene.task
        assert scene.stats.arrived == scene.stats.outcomes["dropped"] == 1

    bounded(scenario())


def test_frames_of_one_size_too_many_pass_until_a_minute_is_over():
    """A phone may be turned for hours; whoever asks for all sizes at once stops nobody."""

    async def scenario():
        scene = Scene()
        for width in range(16, 16 + 2 * NEW_SIZES, 2):
            await scene.arrive(width)
            await scene.shown()
        assert len(scene.requests) == NEW_SIZES
        for width in (40, 42, 40):
            await scene.arrive(width)
            assert await scene.shown() == "passed"
        assert len(scene.requests) == NEW_SIZES
        await scene.arrive(18)  # a size that the engine is ready for
        assert scene.requests[-1][0].width == 18
        assert scene.requests[-1][0].gap == 3
        scene.now += SIZES_S
        await scene.arrive(40)
        assert scene.requests[-1][0].width == 40
        await scene.end()

    bounded(scenario())


@pytest.mark.parametrize(("width", "height"), [(16, 8), (17, 9), (1, 1), (15, 8)])
def test_both_pictures_can_be_cut_out_again_at_any_size(width, height):
    rng = np.random.default_rng(1)
    chroma = (-(-height // 2), -(-width // 2))
    planes = Planes(
        tuple(rng.integers(0, 256, shape, np.uint8) for shape in ((height, width), chroma, chroma))
    )
    before = Frame(planes=planes, pts=5, time_base=Fraction(1, 90_000))
    picture = stacked(before, before.replace(planes=inverted(planes)))
    assert (picture.width, picture.height) == (width, 2 * (height + height % 2))
    assert (picture.pts, picture.time_base) == (5, Fraction(1, 90_000))
    for got, want in zip(read_planes(picture).arrays, planes.arrays, strict=True):
        half = len(got) // 2
        assert (got[: len(want)] == want).all()
        assert (got[half : half + len(want)] == 255 - want).all()
