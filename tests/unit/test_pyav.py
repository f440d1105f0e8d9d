"""What PyAV 18 and 19 do differently, and what must come out alike."""

from fractions import Fraction

import pytest
from av.rational import AVRational
from clips import Clip

from stream.pyav import exact, open_input, open_output


@pytest.mark.parametrize("ratio", [Fraction(1001, 30000), AVRational(1001, 30000)])
def test_a_ratio_of_either_version_is_a_fraction(ratio):
    """PyAV#2382 returns AVRational: two of them multiply in 32 bits, and FFmpeg rounds."""
    made = exact(ratio)
    assert (type(made), made) == (Fraction, Fraction(1001, 30000))
    assert made * exact(AVRational(1, 2**31 - 1)) == Fraction(1001, 30000 * (2**31 - 1))


@pytest.mark.parametrize("unset", [None, Fraction(0), AVRational(0, 1), AVRational(1, 0)])
def test_what_is_not_set_is_0(unset):
    """PyAV#2382: None before, and AVRational(0, 1) since."""
    assert exact(unset) == 0


def test_tags_that_are_no_utf_8_keep_their_bytes(clip, tmp_path):
    """PyAV#2386 took ``metadata_errors`` out; told nothing, 18 raises UnicodeDecodeError."""
    raw = clip(Clip(".mkv", frames=2, metadata=(("title", "cafe au lait"),))).read_bytes()
    assert raw.count(b"cafe au lait") == 1
    source, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
    source.write_bytes(raw.replace(b"cafe au lait", b"caf\xe9 au lait"))
    with open_input(str(source)) as container, open_output(str(target)) as written:
        written.add_stream_from_template(container.streams.video[0])
        written.metadata.update(container.metadata)
        written.start_encoding()
    assert b"caf\xe9 au lait" in target.read_bytes()
