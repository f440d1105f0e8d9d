import json
import random

import pytest

from stream.stats import Histogram, RunStats


def test_percentiles_are_within_one_percent():
    random.seed(1)
    values = sorted(random.lognormvariate(-4, 2) for _ in range(999))
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    for percent, exact in ((50, values[499]), (95, values[949]), (99, values[989])):
        assert histogram.percentile_ms(percent) == pytest.approx(1e3 * exact, rel=0.011)


def test_memory_does_not_grow_with_the_run():
    histogram = Histogram()
    for index in range(20_000):
        histogram.add(1e-7 * 1.001**index)
    assert len(histogram._bins) < 1100


def test_nothing_measured_is_none():
    assert Histogram().percentile_ms(50) is None


def test_report_has_the_keys_scripts_rely_on():
    stats = RunStats(frames_in=3, frames_out=2, duration_s=4.0)
    stats.stages["capture"].add(0.25)
    report = json.loads(json.dumps(stats.report()))
    assert list(report) == [
        "frames_in",
        "frames_out",
        "frames_dropped",
        "frames_missing",
        "decode_failures",
        "duration_s",
        "fps",
        "stages",
        "latency_ms",
    ]
    assert report["fps"] == 0.5
    assert list(report["stages"]) == ["capture", "inference", "output"]
    assert list(report["stages"]["capture"]) == ["busy_s", "p50_ms", "p95_ms"]
    assert report["stages"]["capture"]["p50_ms"] == pytest.approx(250, rel=0.011)
    assert list(report["latency_ms"]) == ["p50", "p95", "p99"]
    assert report["latency_ms"]["p50"] is None


def test_time_left_follows_the_rate_so_far():
    stats = RunStats(frames_expected=100, frames_out=25, duration_s=5.0)
    assert stats.time_left_s == 15
    assert RunStats(frames_out=25, duration_s=5.0).time_left_s is None
    assert RunStats(frames_expected=100).time_left_s is None


def test_parts_of_a_job_add_up_after_a_crash():
    whole, total = RunStats(), RunStats()
    for number in (1, 2):
        part = RunStats(frames_in=number, frames_out=number, decode_failures=1, duration_s=0.5)
        for stats in (part, whole):
            for stage in stats.stages.values():
                stage.add(number / 8)
            stats.latency.add(number / 4)
        total.merge(json.loads(json.dumps(part.saved())))
    whole.frames_in = whole.frames_out = 3
    whole.decode_failures, whole.duration_s = 2, 1.0
    assert total.report() == whole.report()
