"""What becomes of a video in a codec that the user asked for by ``--codec``."""

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from fakes import FakeProcessor

from stream.capture.file import FileSource
from stream.errors import UsageError
from stream.frame import ColorTags, StreamInfo
from stream.jobs import CleanOptions, clean_file
from stream.output.encoder import EncoderOptions, choose_encoding

SIZE = WIDTH, HEIGHT = 256, 144  # DNxHR takes no smaller one


def make(path, layout="yuv420p", color=(1, 1, 1, 1)):
    """Two pictures, lossless, whose samples rise and fall evenly."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("ffv1", rate=25)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, layout
        context = video.codec_context
        context.color_range, context.color_primaries, context.color_trc = color[:3]
        context.colorspace = color[3]
        for index in range(2):
            shot = av.VideoFrame(WIDTH, HEIGHT, layout)
            unit = 1 << (shot.format.components[0].bits - 8)
            for plane, (x, y) in zip(shot.planes, ((1, 0), (0.5, 0.25), (-0.5, 0.5)), strict=False):
                columns, rows = np.meshgrid(np.arange(plane.width), np.arange(plane.height))
                values = np.clip((128 if x < 1 else 0) + x * columns + y * rows, 20, 235) * unit
                raw = np.frombuffer(plane, np.uint8 if unit == 1 else np.uint16)
                raw.reshape(plane.height, -1)[:, : plane.width] = values
            shot.pts = index
            container.mux(video.encode(shot))
        container.mux(video.encode(None))
    return path


def decoded(path):
    source = FileSource(path)
    frames = list(source.frames())
    source.close()
    return source.info, frames


@pytest.mark.parametrize(
    ("codec", "tolerance"), [("v210", 0), ("prores", 6), ("dnxhr", 6), ("cineform", 6)]
)
def test_a_codec_of_finer_chroma_and_more_bits_is_given_them(codec, tolerance, tmp_path):
    """The tolerance, in codes of 1023, is what the codec loses of a smooth picture."""
    source, target = make(tmp_path / "in.mkv"), tmp_path / "out.mov"
    result = clean_file(source, target, FakeProcessor(), CleanOptions(EncoderOptions(codec)))
    (before, frames), (after, kept) = decoded(source), decoded(target)
    assert after.pixel_format == "yuv422p10le"
    assert after.color.full_range == before.color.full_range is False
    assert replace(after.color, range=1) == before.color == ColorTags(1, 1, 1, 1)
    (warning,) = result.warnings
    assert f"{source}: chroma is enlarged to 4:2:2, 8 bits a sample become 10 (" in warning
    for one, other in zip(frames, kept, strict=True):
        luma, *chroma = (plane.astype(int) << 2 for plane in one.planes.arrays)
        expected = luma, *map(between, chroma)
        for ours, theirs in zip(expected, other.planes.arrays, strict=True):
            assert np.abs(ours - theirs.astype(int)).max() <= tolerance


def between(plane):
    """Chroma of 4:2:0 where 4:2:2 has it, worked out by position."""
    rows = np.arange(2 * len(plane)) / 2 - 0.25
    above = np.clip(np.floor(rows), 0, len(plane) - 1).astype(int)
    below = np.clip(np.floor(rows) + 1, 0, len(plane) - 1).astype(int)
    share = (rows - np.floor(rows))[:, None]
    return np.rint(plane[above] * (1 - share) + plane[below] * share).astype(int)


@pytest.mark.parametrize(
    ("codec", "flowing", "given", "change"),
    [
        ("h264", "yuv420p", "yuv420p", ""),
        ("hevc", "yuv420p12le", "yuv420p12le", ""),
        ("h264", "yuv420p12le", "yuv420p10le", "12 bits a sample are rounded to 10"),
        ("prores", "yuv444p", "yuv444p10le", "8 bits a sample become 10"),
        ("prores", "gray", "yuv422p10le", "8 bits a sample become 10"),
        (
            *("prores", "yuv420p12le", "yuv422p10le"),
            "12 bits a sample are rounded to 10, chroma is enlarged to 4:2:2",
        ),
        (
            *("prores", "yuva420p", "yuva444p10le"),
            "chroma is enlarged to 4:4:4, 8 bits a sample become 10",
        ),
        (
            *("prores", "gbrp", "yuv444p10le"),
            "RGB becomes YUV 4:4:4, BT.709, 8 bits a sample become 10",
        ),
        ("cfhd", "gbrp", "gbrp12le", "8 bits a sample become 12"),
        ("dnxhd", "yuva422p", "yuv422p", "its transparency is lost"),
    ],
)
def test_what_holds_most_of_the_samples_is_given(codec, flowing, given, change):
    encoding, warnings = choose_encoding(described(flowing), EncoderOptions(codec), "mov")
    assert encoding.pixel_format == given
    assert warnings == ([f"in: {change} ({encoding.encoder} in mov)"] if change else [])


def test_encoders_have_no_line_of_their_own(capfd):
    """x264 and x265 wrote past FFmpeg's log and past Python."""
    odd = replace(described("yuv420p"), width=161, height=119)
    assert choose_encoding(odd, EncoderOptions("hevc"), "mov")[0].pixel_format == "yuv444p10le"
    with pytest.raises(UsageError, match="libx264 has no --preset fasst"):
        choose_encoding(described("yuv420p"), EncoderOptions("h264", preset="fasst"), "mov")
    assert capfd.readouterr() == ("", "")


def described(flowing):
    rgb = flowing.startswith("gbr")
    return StreamInfo(
        name="in",
        width=WIDTH,
        height=HEIGHT,
        pixel_format=flowing,
        source_pixel_format=flowing,
        time_base=Fraction(1, 25),
        color=ColorTags(2, 1, 1, 0) if rgb else ColorTags(1, 1, 1, 1),
    )
