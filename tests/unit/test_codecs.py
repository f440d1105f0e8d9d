import pytest

from stream.output.codecs import KNOWN, find, names


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
