import dataclasses

import pytest

from stream.jobs.journal import Joined, Journal, Segment, digest_of, file_id
from stream.jobs.reader import Mark
from stream.stats import RunStats

IDENTITY = {"input": "a", "model": "b"}
STATS = RunStats(frames_in=4)


def segment(number):
    return Segment(
        name=f"{number}.mp4",
        size=10 + number,
        digest=f"digest {number}",
        reorder=2,
        before=(Mark(number - 1, 6, 90),),
        marks=(Mark(number, 7, 100), Mark(number + 1, 8, -1)),
        next_pts=None if number == 2 else number + 2,
        end=number + 2,
        frames=number,
    )


@pytest.fixture
def path(tmp_path):
    journal = Journal(tmp_path / "journal")
    journal.begin(IDENTITY)
    for number in range(3):
        journal.add(segment(number), STATS)
    journal.add_joined(Joined((1, 2, 3), ("a warning",)))
    return tmp_path / "journal"


def test_what_is_noted_is_read_again_in_order_of_time(path):
    journal = Journal(path.with_name("other"))
    journal.begin(IDENTITY)
    for number in (2, 0, 1):
        journal.add(segment(number), STATS)
    for each in (journal, Journal(path.with_name("other")), Journal(path)):
        assert each.identity == IDENTITY
        assert each.segments == [segment(number) for number in range(3)]
        assert each.total.frames_in == 12
    assert Journal(path).joined == Joined((1, 2, 3), ("a warning",))


def test_cut_off_at_any_byte_it_holds_what_was_whole_and_goes_on(path):
    raw = path.read_bytes()
    lines = raw.splitlines(keepends=True)
    for cut in range(0, len(raw), 7):
        path.write_bytes(raw[:cut])
        journal = Journal(path)
        whole = raw[:cut].count(b"\n")
        assert (journal.identity is not None) == (whole > 0)
        assert len(journal.segments) == max(0, min(3, whole - 1))
        assert (journal.joined is not None) == (whole == 5)
        journal.add(segment(1), STATS)
        assert path.read_bytes() == b"".join(lines[:whole]) + lines[2]


@pytest.mark.parametrize("garbage", [b"\0\0\0\n", b"[]\n", b"{}\n", b'{"segment": 5}\n', b"7\n"])
def test_garbage_ends_it(garbage, path):
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], garbage, *lines[2:]]))
    journal = Journal(path)
    assert [each.name for each in journal.segments] == ["0.mp4"]
    journal.add(segment(1), STATS)
    assert path.read_bytes() == b"".join(lines[:3])


def test_a_segment_that_is_not_whole_is_unfinished_until_it_is_done_again(path):
    journal = Journal(path, lambda segment: segment.name != "1.mp4")
    assert [each.name for each in journal.segments] == ["0.mp4", "2.mp4"]
    assert (journal.find("1.mp4"), journal.total.frames_in) == (None, 8)
    journal.add(segment(1), STATS)
    for each in (journal, Journal(path)):
        assert [each.name for each in each.segments] == ["0.mp4", "1.mp4", "2.mp4"]
        assert each.total.frames_in == 12
        assert each.joined is None


def test_of_a_segment_that_was_made_twice_the_last_time_counts(path):
    """It is not the file of the first time that is looked for."""
    lost = Journal(path, lambda segment: segment.name != "1.mp4")
    assert lost.digest_before("1.mp4") == "digest 1"
    again = dataclasses.replace(segment(1), digest="another")
    lost.add(again, STATS)
    journal = Journal(path, lambda segment: segment.digest != "digest 1")
    assert journal.find("1.mp4") == again
    assert journal.digest_before("1.mp4") == "another"
    assert journal.digest_before("9.mp4") is None
    assert journal.total.frames_in == 12


def test_a_digest_tells_contents_apart(tmp_path):
    paths = [tmp_path / name for name in "abc"]
    for path, content in zip(paths, (b"same", b"same", b"sane"), strict=True):
        path.write_bytes(content)
    one, other, third = map(digest_of, paths)
    assert one == other != third


def test_a_file_is_known_again_under_another_name(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("same")
    other.write_text("same")
    known = file_id(one)
    assert known != file_id(other)
    one.replace(tmp_path / "two")
    assert known == file_id(tmp_path / "two")
