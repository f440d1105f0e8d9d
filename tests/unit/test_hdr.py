import struct
from fractions import Fraction

import pytest

from stream.hdr import HdrMetadata, read_hdr

CHROMATICITY = (34000, 16000, 13250, 34500, 7500, 3000, 15635, 16450)
MASTERING = struct.pack(
    "=20i2i",
    *(number for value in CHROMATICITY for number in (value, 50000)),
    *(1, 10000, 10000000, 10000),
    *(1, 1),
)
LIGHT = struct.pack("=2I", 1000, 400)


def test_side_data_is_read():
    hdr = read_hdr(MASTERING, LIGHT)
    assert hdr == HdrMetadata(
        tuple(Fraction(value, 50000) for value in CHROMATICITY),
        (Fraction(1, 10000), Fraction(1000)),
        (1000, 400),
    )


def test_flags_say_which_halves_are_there():
    without_luminance = MASTERING[:-4] + struct.pack("=i", 0)
    assert read_hdr(without_luminance, None).luminance is None
    assert read_hdr(MASTERING[:-8] + bytes(8), None) is None
    assert read_hdr(None, None) is None
    assert read_hdr(b"short", b"") is None


@pytest.mark.parametrize(
    ("encoder", "flags"),
    [
        (
            "libx265",
            {
                "x265-params": "master-display=G(13250,34500)B(7500,3000)R(34000,16000)"
                "WP(15635,16450)L(10000000,1):max-cll=1000,400"
            },
        ),
        (
            "libsvtav1",
            {
                "svtav1-params": "mastering-display=G(0.265,0.69)B(0.15,0.06)R(0.68,0.32)"
                "WP(0.3127,0.329)L(1000,0.0001):content-light=1000,400"
            },
        ),
        ("libvpx-vp9", None),
    ],
)
def test_each_encoder_has_its_own_way_to_say_it(encoder, flags):
    assert read_hdr(MASTERING, LIGHT).encoder_flags(encoder) == flags


def test_half_a_display_is_not_made_up():
    assert HdrMetadata(luminance=(Fraction(0), Fraction(1))).encoder_flags("libx265") == {}
