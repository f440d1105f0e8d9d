"""Pictures found in what cameras send over HTTP, in blocks of any size."""

import pytest
from web_camera import jpeg, part

from stream.capture.jpegs import JpegParser

PICTURES = [jpeg(value) for value in (20, 90, 160)]


def found(raw, size):
    parser = JpegParser()
    blocks = [raw[place : place + size] for place in range(0, len(raw), size)]
    return [picture for block in blocks for picture in parser.feed(block)]


@pytest.mark.parametrize("size", [1, 2, 7, 4096])
def test_pictures_are_found_in_blocks_of_any_size(size):
    for raw in (b"".join(map(part, PICTURES)), b"\xff\xff".join(PICTURES), b"".join(PICTURES)):
        assert found(raw, size) == PICTURES


@pytest.mark.parametrize("size", [1, 4096])
def test_a_small_picture_in_the_header_of_another_belongs_to_it(size):
    small = PICTURES[0]
    header = b"\xff\xe1" + (len(small) + 2).to_bytes(2) + small
    whole = PICTURES[1][:2] + header + PICTURES[1][2:]
    assert found(part(whole) + part(small), size) == [whole, small]


def test_a_picture_that_was_cut_off_costs_no_other():
    cut = PICTURES[0][:-40]
    given = found(part(PICTURES[1]) + b"--frame\r\n\r\n" + cut + part(PICTURES[2]), 100)
    assert [given[0], given[2]] == PICTURES[1:]
    assert given[1].startswith(cut)


def test_what_holds_no_picture_is_not_kept():
    parser = JpegParser()
    assert not list(parser.feed(bytes(10**6) + b"\xff\xfe\xff\xd9" * 1000))
    assert len(parser) <= 1
