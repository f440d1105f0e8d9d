"""Sound on its way past the pictures: who gets what, and where it is placed."""

from fractions import Fraction

import pytest
from fakes import PLANES, FakeSource

from stream import sound
from stream.capture.clock import LiveClock
from stream.capture.connection import Arrival
from stream.capture.reconnect import ReconnectingSource
from stream.patience import Patience
from stream.sound import SoundFormat, SoundPacket, SoundTrack

FORMAT = SoundFormat("aac", 48_000, 1, b"", b"")
TICK = Fraction(1, 90_000)


def packet(start_s, size=10):
    return SoundPacket(bytes(size), Fraction(start_s), Fraction(1, 50), FORMAT)


def test_each_reader_gets_what_came_since_it_began_and_is_due():
    track = SoundTrack()
    track.put(packet(0))
    first = track.reader()
    track.put(packet(1))
    second = track.reader()
    track.put(packet(2))
    assert [each.start_s for each in first.take(Fraction(2))] == [1]
    assert [each.start_s for each in second.take(Fraction(5))] == [2]
    assert [each.start_s for each in first.take(Fraction(5))] == [2]
    assert first.take(Fraction(5)) == []


def test_an_output_that_takes_nothing_costs_no_more_than_the_limit(monkeypatch):
    monkeypatch.setattr(sound, "LIMIT_BYTES", 95)
    track = SoundTrack()
    track.format = FORMAT
    reader = track.reader()
    for second in range(20):
        track.put(packet(second))
    assert [each.start_s for each in reader.take(Fraction(99))] == list(range(11, 20))
    assert track.report() == {"codec": "aac", "packets": 20, "lost": 11}


def test_a_reader_that_is_closed_loses_nothing():
    track = SoundTrack()
    track.format = FORMAT
    track.reader().close()
    track.put(packet(0))
    assert track.report()["lost"] == 0


def test_the_same_sound_after_a_reconnection_is_the_same_format():
    again = SoundFormat("aac", 48_000, 1, b"", b"another first packet")
    assert again == FORMAT != SoundFormat("aac", 44_100, 1, b"", b"")


@pytest.mark.parametrize("begins_s", [0, 1000, -3])
def test_sound_keeps_its_distance_from_the_pictures_across_connections(begins_s):
    clock = LiveClock(TICK)
    clock.begin()
    first = clock.place(90_000, TICK, 10.0)
    assert clock.seconds(Fraction(3, 2)) - first.pts * TICK == Fraction(1, 2)
    clock.begin()
    later = clock.place(90_000 * begins_s, TICK, 17.0)
    assert later.pts * TICK == first.pts * TICK + 7
    assert clock.seconds(begins_s + Fraction(1, 3)) - later.pts * TICK == Fraction(1, 3)


class Connection:
    """Gives frames at these milliseconds, each with sound from these."""

    buffer_s = 0.0
    sound = FORMAT
    decode_failures = 0

    def __init__(self, *given):
        self.info = FakeSource(live=True).info
        self._given = given

    def pictures(self):
        for at, *heard in self._given:
            packets = (packet(Fraction(each, 1000)) for each in heard)
            yield Arrival(PLANES, round(at / 1000 / self.info.time_base), 0.0, tuple(packets))

    def close(self):
        pass


@pytest.mark.parametrize("back", [0, 90_000, 10_000_000])
def test_sound_that_lags_behind_a_jump_of_the_clock_holds_up_nothing(back):
    """Old sound comes with the new frames for a while, as of a playlist that begins anew."""
    old, new = 100_000, back
    track = SoundTrack()
    reader = track.reader()
    connection = Connection(
        (old, old - 20),
        (old + 100, old + 80),
        (new, old + 110, old + 160, new - 20),
        (new + 100, old + 180, new + 80),
        (new + 200, old + 260, new + 180),
    )
    source = ReconnectingSource(lambda: connection, Patience(), sound=track, wait=lambda s: True)
    frames = list(source.frames())
    shown = [frame.pts * frame.time_base for frame in frames]
    heard = [each.start_s for each in reader.take(Fraction(10**9))]
    assert heard == [moment - Fraction(20, 1000) for moment in shown]
    assert track.report()["lost"] == 4
