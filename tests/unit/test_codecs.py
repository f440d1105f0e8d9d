from fractions import Fraction

import av
import numpy as np
import pytest

from stream.frame import StreamInfo
from stream.output.codecs import KNOWN, find, names, profile_flags
from stream.output.encoder import EncoderOptions, choose_encoding
from stream.output.encoding import add_video_stream


@pytest.mark.parametrize(
    ("said", "encoder"),
    [
        *[(name, "libx264") for name in ("h264", "H264", "H.264", "x264", "libx264", "AVC")],
        *[(name, "libx265") for name in ("hevc", "HEVC", "h265", "H.265", "x265", "hvc1")],
        *[(name, "libsvtav1") for name in ("av1", "AV1", "av01", "SVT-AV1")],
        *[(name, "libvpx-vp9") for name in ("vp9", "VP9", "libvpx-vp9")],
        *[(name, "prores_ks") for name in ("prores", "ProRes", "prores-ks")],
        *[(name, "dnxhd") for name in ("dnxhd", "DNxHR")],
        *[(name, "cfhd") for name in ("cfhd", "CineForm")],
        *[(name, "mpeg4") for name in ("mpeg4", "mpeg-4", "MPEG-4")],
        *[(name, "mpeg2video") for name in ("mpeg2", "MPEG-2")],
        *[(name, "h264_nvenc") for name in ("h264_nvenc", "H264_NVENC", "x264-nvenc", "nvenc")],
        *[(name, "hevc_qsv") for name in ("hevc_qsv", "h265_qsv")],
        ("mpeg2_qsv", "mpeg2_qsv"),
    ],
)
def test_a_codec_is_known_by_what_people_call_it(said, encoder):
    assert find(said, "vp8")[0].encoder == encoder


def test_what_nobody_calls_a_codec_is_not_guessed():
    assert find("nonsense", "h264") == find("", "h264") == find("theora_nvenc", "h264") == []


def test_every_name_that_is_listed_is_known():
    assert len(names()) > 20
    assert all(find(name, "h264") for name in names())
    assert all(find(known.encoder, "")[0].codec == known.codec for known in KNOWN)


@pytest.mark.parametrize(("width", "spreads"), [(16, False), (48, False), (50, True)])
def test_x265_does_not_spread_costs_over_fewer_blocks_than_it_has_memory_for(
    width, spreads, tmp_path
):
    """It writes its settings into the stream."""
    info = StreamInfo(
        name="in",
        width=width,
        height=32,
        pixel_format="yuv420p",
        source_pixel_format="yuv420p",
        time_base=Fraction(1, 25),
    )
    encoding, _ = choose_encoding(info, EncoderOptions("hevc"), "matroska")
    frame = av.VideoFrame.from_ndarray(np.zeros((32, width, 3), np.uint8), "rgb24")
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = add_video_stream(container, info, encoding)
        container.mux([*stream.encode(frame.reformat(format="yuv420p")), *stream.encode(None)])
    assert (b" no-cutree " in (tmp_path / "a.mkv").read_bytes()) != spreads


@pytest.mark.parametrize(
    ("encoder", "profile", "layout", "flags"),
    [
        ("prores_ks", "LT", "yuv422p10le", {"profile": "lt"}),
        ("prores_ks", "XQ", "yuva444p10le", {"profile": "4444xq"}),
        ("prores_ks", "XQ", "yuv422p10le", {}),
        ("dnxhd", "DNXHR LB", "yuv422p", {"profile": "dnxhr_lb"}),
        ("dnxhd", "DNXHR HQX", "yuv422p10le", {}),
        ("libx264", "High", "yuv420p", {}),
    ],
)
def test_a_profile_is_kept_where_it_says_how_fine_a_source_is(encoder, profile, layout, flags):
    assert profile_flags(encoder, profile, layout) == flags
