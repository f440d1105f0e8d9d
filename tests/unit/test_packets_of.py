"""Reading packets from a container that is damaged in places, played by a fake."""

from dataclasses import dataclass

import av
import pytest

from stream.capture.container import packets_of
from stream.errors import SourceError

DAMAGE = av.error.InvalidDataError(1094995529, "Invalid data found when processing input")


@dataclass
class Packet:
    size: int = 1

    def has_sidedata(self, kind):
        return False


class Container:
    """Each call of demux goes on where the last one stopped, as FFmpeg's does."""

    name = "file:/videos/a.mp4"

    def __init__(self, *script):
        self.script = list(script)

    def demux(self, *streams):
        while self.script:
            item = self.script.pop(0)
            if isinstance(item, Exception):
                raise item
            yield item


def read(*script):
    damaged = []
    packets = list(packets_of(Container(*script), [], lambda: damaged.append(1)))
    return len(packets), len(damaged)


def test_reading_goes_on_behind_damage_and_counts_the_place_once():
    assert read(Packet(), DAMAGE, DAMAGE, Packet(), DAMAGE, Packet()) == (3, 2)


def test_damage_at_the_end_is_one_place():
    assert read(Packet(), *[DAMAGE] * 3) == (1, 1)
    assert read(Packet(), *[DAMAGE] * 999, Packet()) == (1, 1)


def test_empty_packets_are_not_passed_on():
    """FFmpeg's decoders take an empty packet for the end."""
    assert read(Packet(), Packet(0), Packet(), Packet(0)) == (2, 0)


def test_a_failing_disk_is_not_the_files_damage():
    with pytest.raises(SourceError, match=r"^/videos/a.mp4: reading failed \(Input/output error\)"):
        read(Packet(), av.error.OSError(5, "Input/output error"))
