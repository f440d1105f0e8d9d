from fractions import Fraction

import numpy as np
import pytest

from stream.frame import ColorTags, Discontinuity, Frame, Planes, StreamInfo, chroma_size


def yuv(width, height, chroma, dtype=np.uint8):
    return tuple(np.zeros(shape, dtype) for shape in ((height, width), chroma, chroma))


@pytest.mark.parametrize(
    ("subsampling", "chroma"), [((1, 1), (240, 427)), ((1, 0), (479, 427)), ((0, 0), (479, 853))]
)
def test_chroma_of_odd_sizes_is_rounded_up(subsampling, chroma):
    planes = Planes(yuv(853, 479, chroma), subsampling)
    assert (planes.width, planes.height) == (853, 479)
    assert chroma_size(853, 479, subsampling) == chroma[::-1]


def test_grey_has_one_plane_and_no_subsampling():
    assert Planes((np.zeros((3, 5), np.uint16),), bit_depth=10).subsampling == (0, 0)


@pytest.mark.parametrize(
    ("arrays", "depth"),
    [
        (yuv(6, 4, (1, 3)), 8),
        (yuv(6, 4, (2, 3)), 10),
        (yuv(6, 4, (2, 3), np.uint16), 8),
        (yuv(6, 4, (2, 3))[:2], 8),
        (yuv(6, 4, (2, 3)), 7),
        ((np.zeros((0, 4), np.uint8),), 8),
        ((np.zeros((4, 8), np.uint8)[:, ::2],), 8),
        ((np.zeros((4, 6, 1), np.uint8),), 8),
    ],
)
def test_planes_that_do_not_fit_are_refused(arrays, depth):
    with pytest.raises(ValueError, match=r"plane|depth"):
        Planes(arrays, (1, 1), depth)


def test_planes_cannot_be_written_through_and_leave_the_owner_alone():
    array = np.zeros((2, 2), np.uint8)
    planes = Planes((array,))
    with pytest.raises(ValueError, match="read-only"):
        planes.arrays[0][0, 0] = 1
    array[0, 0] = 1


def test_planes_print_shapes_not_pixels():
    text = repr(Planes(yuv(1280, 720, (360, 640))))
    assert "720x1280" in text
    assert len(text) < 100


def test_replace_keeps_time_and_everything_else():
    frame = Frame(
        planes=Planes((np.zeros((2, 2), np.uint8),)),
        pts=1001,
        time_base=Fraction(1, 30000),
        duration=1001,
        color=ColorTags(2, 9, 16, 9),
        stream_id=3,
        index=7,
        captured_at=1.5,
        gap=2,
        discontinuity=Discontinuity.GAP,
    )
    other = frame.replace(planes=Planes((np.ones((2, 2), np.uint8),)))
    assert other.planes.arrays[0].all()
    assert other.replace(planes=frame.planes) == frame
    with pytest.raises(AttributeError):
        frame.pts = 0


@pytest.mark.parametrize(
    ("matrix", "degrees"),
    [
        (None, 0),
        ((65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30), 0),
        ((0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30), 90),
        ((-65536, 0, 0, 0, -65536, 0, 0, 0, 1 << 30), 180),
        ((0, -65536, 0, 65536, 0, 0, 0, 0, 1 << 30), 270),
    ],
)
def test_rotation_is_read_clockwise_from_the_display_matrix(matrix, degrees):
    info = StreamInfo(
        name="x",
        width=4,
        height=2,
        pixel_format="gray",
        source_pixel_format="gray",
        time_base=Fraction(1, 30),
        display_matrix=matrix,
    )
    assert info.rotation == degrees
