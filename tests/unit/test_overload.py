"""Overload control: by a clock that only work moves, and with a really slow engine."""

import dataclasses
import itertools
import time
from fractions import Fraction

import numpy as np
import pytest
from fakes import FakeProcessor, FakeSink, FakeSource

from stream.capture.realtime import RealtimeSource
from stream.capture.scene import SceneSource
from stream.frame import Discontinuity, Frame, Planes
from stream.inference.overload import Level, OverloadControl, Pace, levels_of
from stream.inference.reduced import Reduced
from stream.pipeline import Pipeline

INTERVAL = 1 / 30


class Machine:
    """Levels "off", "half", "full" and "best" that take what they are told to take."""

    def __init__(self, **intervals):
        self.now = 10.0
        self.cost = {"half": 0.2, "full": 0.5, "best": 0.7} | intervals
        self.slowness = 1.0
        self.index = 0
        self.seen = []
        self.control = None

    def clock(self):
        return self.now

    def levels(self):
        yield Level("off")
        for name in self.cost:
            yield Level(name, Working(self, name))

    def start(self, **pace):
        self.control = OverloadControl(self.levels(), Pace(**pace), clock=self.clock)
        self.control.start(FakeSource().info)
        return self.control

    def play(self, seconds):
        """Frames at their own times; those that come while one is worked on are dropped."""
        end = self.now + seconds
        while self.now < end:
            due = 10 + self.index * INTERVAL
            self.now = max(self.now, due)
            (result,) = self.control.process(frame(self.index))
            assert result.pts == self.index
            self.seen.append(self.control.level.name)
            self.index = max(self.index + 1, int((self.now - 10) / INTERVAL))


class Working(FakeProcessor):
    def __init__(self, machine, name):
        super().__init__()
        self._machine = machine
        self._name = name
        self.reasons = []

    def process(self, given):
        self._machine.now += self._machine.cost[self._name] * INTERVAL * self._machine.slowness
        self.reasons.append(given.discontinuity)
        return super().process(given)


def frame(index, **changes):
    planes = Planes((np.zeros((2, 2), np.uint8),))
    made = Frame(planes=planes, pts=index, time_base=Fraction(1, 30), index=index)
    return made.replace(**changes)


def names(control):
    return [(step.before, step.after) for step in control.steps]


def test_a_fast_machine_begins_with_the_best_and_stays_there():
    machine = Machine()
    control = machine.start()
    machine.play(60)
    assert set(machine.seen) == {"best"}
    assert not control.steps


def test_it_begins_with_the_best_level_that_has_room():
    machine = Machine(full=0.7, best=0.9)
    assert machine.start().level.name == "full"


def test_heavier_models_are_not_even_loaded_where_a_lighter_one_is_too_slow():
    control = Machine(half=0.4, full=3.5, best=5).start()
    assert control.report()["levels"] == ["off", "half", "full"]
    assert control.level.name == "half"


def test_a_slower_machine_steps_down_to_the_level_that_fits_within_a_few_frames():
    machine = Machine()
    machine.start()
    machine.play(5)
    machine.slowness = 3
    machine.play(0.5)
    assert names(machine.control) == [("best", "half")]
    assert 0 < machine.control.steps[0].at_s - 5 < 0.4
    assert "ms of 33 ms" in machine.control.steps[0].why


def test_where_nothing_fits_frames_pass_through():
    machine = Machine()
    machine.start()
    machine.slowness = 20
    machine.play(1)
    assert machine.control.level.name == "off"
    assert machine.seen[-1] == "off"


def test_it_steps_up_again_one_level_at_a_time():
    machine = Machine()
    machine.start()
    machine.slowness = 20
    machine.play(1)
    machine.slowness = 1
    machine.play(70)
    ups = [step for step in names(machine.control) if step[0] == "off" or step[1] == "best"]
    assert ups[-2:] == [("off", "half"), ("full", "best")]
    assert machine.control.level.name == "best"


def test_trials_that_fail_become_rare():
    machine = Machine()
    machine.start(try_after_s=2, try_at_most_s=60)
    machine.slowness = 20
    machine.play(300)
    trials = [step.at_s for step in machine.control.steps if step.after == "half"]
    waits = [after - before for before, after in itertools.pairwise(trials)]
    assert len(trials) < 12
    assert waits[-1] == pytest.approx(60, abs=2)
    assert machine.seen.count("off") > 0.99 * len(machine.seen)


def test_a_single_pause_is_no_overload():
    machine = Machine()
    machine.start()
    machine.play(1)
    machine.slowness = 50
    machine.control.process(frame(machine.index))
    machine.slowness = 1
    machine.index += 40
    machine.play(5)
    assert not machine.control.steps


def test_a_level_near_its_limit_does_not_flutter():
    machine = Machine(half=0.2, full=0.6, best=0.98)
    machine.start()
    machine.play(120)
    assert len(machine.control.steps) <= 2


def test_the_interval_is_the_source_s_own_with_dropped_frames_counted():
    machine = Machine()
    control = machine.start()
    for index in range(0, 900, 3):
        control.process(frame(index, time_base=Fraction(1, 10)))
    assert control._interval.seconds == pytest.approx(0.1, rel=0.01)


def intervals(control, *steps_s):
    """Frames whose distances are these; gives what the control takes for the interval."""
    at, found = 0, []
    for index, step_s in enumerate([0, *steps_s]):
        at += round(1000 * step_s)
        control.process(frame(index, pts=at, time_base=Fraction(1, 1000)))
        found.append(control._interval.seconds)
    return found


def test_the_interval_follows_a_camera_that_slows_down_at_night():
    control = Machine().start()
    found = intervals(control, *[1 / 25] * 100, *[2.0] * 15)
    assert found[100] == pytest.approx(1 / 25, rel=0.03)
    assert found[110:] == pytest.approx([2.0] * 6)


def test_a_pause_and_a_burst_leave_the_interval_as_it_is():
    control = Machine().start()
    found = intervals(control, *[1 / 25] * 20, 30.0, *[0.002] * 6, *[1 / 25] * 20)
    assert found[20:] == pytest.approx([1 / 25] * len(found[20:]), rel=0.03)


def test_a_model_that_is_slow_for_video_serves_a_camera_with_two_frames_in_five_seconds():
    machine = Machine(best=2.0)
    machine.start()
    for index in range(200):
        at_ms = 2500 * index
        machine.now = max(machine.now, 10 + at_ms / 1000)
        machine.control.process(frame(index, pts=at_ms, time_base=Fraction(1, 1000)))
    assert machine.control.level.name == "best"


def test_a_level_that_comes_back_begins_afresh_and_the_stream_does_not_notice():
    machine = Machine()
    control = machine.start()
    levels = {level.name: level.processor for level in control._levels}
    machine.play(1)
    machine.slowness = 3
    machine.play(1)
    assert levels["half"].reasons.count(Discontinuity.LEVEL_CHANGE) == 1
    (out,) = control.process(frame(machine.index, discontinuity=Discontinuity.RECONNECT))
    assert out.discontinuity is Discontinuity.RECONNECT


def test_frames_that_a_level_holds_back_are_not_lost_on_a_step():
    machine = Machine()

    def levels():
        yield Level("off")
        yield Level("slow", Holding(machine))

    class Holding(FakeProcessor):
        def __init__(self, world):
            super().__init__(lookahead=2)
            self._world = world

        def process(self, given):
            self._world.now += self._world.slowness * 0.5 * INTERVAL
            return super().process(given)

        def close(self):
            super().close()
            self._held.clear()

    control = OverloadControl(levels(), clock=machine.clock)
    control.start(FakeSource().info)
    out = []
    for index in range(60):
        machine.slowness = 1 if index < 30 else 10
        out += control.process(frame(index))
    out += control.flush()
    assert [each.pts for each in out] == list(range(60))
    assert all(each.original is not None for each in out)
    assert names(control)[0] == ("slow", "off")


def test_a_single_level_is_used_whatever_it_costs():
    machine = Machine()
    control = OverloadControl([Level("full", Working(machine, "full"))], clock=machine.clock)
    control.start(FakeSource().info)
    machine.control, machine.slowness = control, 50
    machine.play(5)
    assert set(machine.seen) == {"full"}


def test_a_second_run_warms_every_level_for_its_own_stream():
    started = []

    class Starting(Working):
        def start(self, info):
            started.append((self._name, info.width))
            super().start(info)

    machine = Machine(half=0.2, full=0.9, best=3.5)
    levels = (Level(name, Starting(machine, name)) for name in machine.cost)
    control = OverloadControl(levels, clock=machine.clock)
    info = FakeSource().info
    control.start(info)
    assert control.level.name == "half"
    control.close()
    started.clear()
    machine.slowness = 0.5
    control.start(dataclasses.replace(info, width=4))
    assert started == [("half", 4), ("full", 4), ("best", 4)]
    assert control.level.name == "full"


def test_a_second_run_owes_nothing_of_the_first():
    machine = Machine()

    def run(control):
        machine.control = control
        machine.now, machine.index, machine.slowness = 10.0, 0, 1
        control.start(FakeSource().info)
        machine.play(1)
        machine.slowness = 3
        machine.play(10)
        return control.report()

    used = machine.start()
    machine.slowness = 20
    machine.play(20)
    used.close()
    alone = run(OverloadControl(machine.levels(), clock=machine.clock))
    assert run(used) == alone
    assert alone["steps_down"]


def test_the_model_is_the_one_that_treated_the_most_frames():
    machine = Machine(tiny=0.2, small=0.5)
    half = Level("tiny at half size", Working(machine, "half"), "tiny")
    tiny = Level("tiny", Working(machine, "tiny"), "tiny")
    small = Level("small", Working(machine, "small"), "small")
    control = OverloadControl([Level("off"), half, tiny, small], clock=machine.clock)
    control.start(FakeSource().info)
    assert control.model is None
    control.counts.update({"off": 9, "tiny at half size": 3, "tiny": 3, "small": 5})
    assert control.model == "tiny"


def test_the_ladder_leads_from_nothing_over_size_to_models():
    opened = []

    def open_model(name):
        opened.append(name)
        return FakeProcessor()

    ladder = levels_of(["tiny", "small"], open_model)
    first = [next(ladder) for _ in range(3)]
    assert [level.name for level in first] == ["off", "tiny at half size", "tiny"]
    assert [level.model for level in first] == [None, "tiny", "tiny"]
    assert opened == ["tiny"]
    assert [(level.name, level.model) for level in ladder] == [("small", "small")]


@pytest.mark.slow
def test_with_a_really_slow_engine_latency_stays_low_and_the_picture_goes_on():
    """From frame 20 on the engine takes three frame intervals."""
    interval, slow_from = 0.05, 20

    class Slow(FakeProcessor):
        def process(self, given):
            if given.index >= slow_from:
                time.sleep(3 * interval)
            return super().process(given)

    source = RealtimeSource(SceneSource(64, 64, 140, frame_rate=Fraction(20)))
    control = OverloadControl(levels_of(["slow"], lambda name: Slow()))
    stats = Pipeline(source, control, FakeSink(), capacity=1).run()
    report = stats.report() | {"overload": control.report()}
    assert report["frames_in"] == report["frames_out"] + report["frames_dropped"] == 140
    assert report["latency_ms"]["p95"] < 3e3 * interval
    assert report["frames_out"] > 110
    assert report["overload"]["steps_down"] >= 1
    assert report["overload"]["frames"]["off"] > 80


class Brighter(FakeProcessor):
    """Adds 10 to every sample of the luma."""

    def process(self, given):
        luma, *rest = given.planes.arrays
        peak = (1 << given.planes.bit_depth) - 1
        luma = np.minimum(luma.astype(int) + 10, peak).astype(luma.dtype)
        planes = Planes((luma, *rest), given.planes.subsampling, given.planes.bit_depth)
        return super().process(given.replace(planes=planes))


def noise(width, height, depth=8, subsampling=(1, 1)):
    rng, dtype = np.random.default_rng(3), np.uint8 if depth == 8 else np.uint16
    chroma = (-(-height >> subsampling[1]), -(-width >> subsampling[0]))
    shapes = [(height, width), chroma, chroma]
    arrays = tuple(rng.integers(0, 1 << depth, shape).astype(dtype) for shape in shapes)
    return Planes(arrays, subsampling, depth)


@pytest.mark.parametrize("depth", [8, 10, 16])
@pytest.mark.parametrize("size", [(64, 48), (63, 47), (3, 1)])
@pytest.mark.parametrize("subsampling", [(1, 1), (1, 0), (0, 0)])
def test_a_correction_at_half_size_is_added_to_the_picture_itself(depth, size, subsampling):
    planes = noise(*size, depth, subsampling)
    given = frame(0, planes=planes)
    (same,) = Reduced(FakeProcessor()).process(given)
    (brighter,) = Reduced(Brighter()).process(given)
    for before, after in zip(planes.arrays, same.planes.arrays, strict=True):
        np.testing.assert_array_equal(before, after)
    luma = planes.arrays[0].astype(int)
    change = brighter.planes.arrays[0] - luma
    assert change.min() >= 0
    middle = luma < (1 << depth) - 20
    assert change[middle].min() >= 0
    assert change.max() <= 10
    if depth < 16:
        assert np.median(change) == 10


def test_a_model_that_looks_ahead_gets_its_own_frames_back_at_half_size():
    reduced = Reduced(FakeProcessor(lookahead=2))
    given = [frame(index, planes=noise(16, 16)) for index in range(5)]
    out = [result for each in given for result in reduced.process(each)] + list(reduced.flush())
    assert [each.pts for each in out] == [0, 1, 2, 3, 4]
    assert all(each.width == 16 for each in out)
