import io
from fractions import Fraction

import av
import pytest

from stream.jobs.retime import Clock


@pytest.fixture
def stream():
    """Makes a stream of a container whose header is written."""
    containers = []

    def make(format_name, codec):
        container = av.open(io.BytesIO(), "w", format=format_name)
        containers.append(container)
        made = container.add_mux_stream(codec, rate=48000 if codec == "aac" else None)
        container.start_encoding()
        return made

    yield make
    for container in containers:
        container.close()


def moved(clock, time_base, *times):
    """The (pts, dts) that packets of these get."""
    result = []
    for pts, dts in times:
        packet = av.Packet(b"x")
        packet.time_base, packet.pts, packet.dts = time_base, pts, dts
        done = clock.retime(packet)
        result.append((done.pts, done.dts))
    return result


def test_times_are_exact_in_a_finer_time_base(stream):
    clock = Clock(stream("mp4", "mov_text"))
    assert clock._time_base == Fraction(1, 90000)
    assert moved(clock, Fraction(1, 1000), (0, 0), (40, 40)) == [(0, 0), (3600, 3600)]


def test_a_repeated_dts_moves_by_the_least_where_the_muxer_demands_it(stream):
    audio = stream("mp4", "aac")
    unit = audio.time_base
    assert moved(Clock(audio), unit, (5, 5), (5, 5), (9, 3)) == [(5, 5), (6, 6), (9, 7)]


@pytest.mark.parametrize(("format_name", "codec"), [("matroska", "aac"), ("mp4", "mov_text")])
def test_a_repeated_dts_stays_where_the_muxer_takes_it(format_name, codec, stream):
    """Two subtitles may begin together; Matroska takes repeated times in any stream."""
    target = stream(format_name, codec)
    assert moved(Clock(target), target.time_base, (5, 5), (5, 5), (4, 4)) == [(5, 5)] * 3


def test_a_shift_moves_pts_and_dts(stream):
    audio = stream("matroska", "aac")
    clock = Clock(audio, Fraction(1, 2))
    assert moved(clock, Fraction(1, 1000), (0, -20), (40, 20)) == [(500, 480), (540, 520)]


def test_missing_times_follow(stream):
    audio = stream("matroska", "aac")
    times = moved(Clock(audio), Fraction(1, 1000), (7, None), (None, None), (None, 9))
    assert times == [(7, 7), (7, 7), (9, 9)]
