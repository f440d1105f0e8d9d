"""What is no video file is refused as what it is."""

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import Clip, make_clip, picture, times
from fakes import FakeProcessor

from stream.errors import OpenError, SinkError, UsageError
from stream.jobs import CleanOptions, clean_file
from stream.output.priority import start_encoding

KEY = {"encryption_key": "76a6c65c5ea762046bd749a2e632ccbb", "encryption_scheme": "cenc-aes-ctr"}
KEY |= {"encryption_kid": "a7e61c373e219033c21091fa607bf3b8"}
TEXTS = ("ffconcat version 1.0\nfile '{}'\n", "# all\nfile '{}'\n", "\ufefffile '{}'\r\n")
PIECES = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}


def mp4(path, options, spec=Clip(frames=8)):  # noqa: B008  # it is frozen
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(spec.codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = spec.width, spec.height, spec.pixel_format
        stream.codec_context.time_base = spec.time_base
        start_encoding(container)
        for index, time in enumerate(spec.pts):
            container.mux(stream.encode(picture(spec, index, time)))
        container.mux(stream.encode(None))
    return path


def refused(source, folder):
    """The error that cleaning ends with, without the file's name."""
    with pytest.raises(OpenError) as caught:
        clean_file(source, folder / "out.mkv", FakeProcessor())
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{source} ")


def test_a_pipe_is_refused_as_one_without_being_opened(tmp_path):
    os.mkfifo(tmp_path / "in.mp4")
    assert refused(tmp_path / "in.mp4", tmp_path).startswith("is a pipe: it can be read only once")
    assert refused(Path("-"), tmp_path).startswith("is a pipe here")


def test_a_device_is_refused_as_one(tmp_path):
    assert refused(Path("/dev/null"), tmp_path).startswith("is a device")


def test_an_output_that_is_a_pipe_is_not_replaced(clip, tmp_path):
    target = tmp_path / "out.mp4"
    os.mkfifo(target)
    with pytest.raises(SinkError, match="is a pipe or a device"):
        clean_file(clip(Clip()), target, FakeProcessor(), CleanOptions(overwrite=True))
    assert target.is_fifo()


def test_encrypted_video_is_named(tmp_path):
    assert "is encrypted" in refused(mp4(tmp_path / "in.mp4", KEY), tmp_path)


def test_pieces_of_a_video_are_named_and_clean_when_joined(tmp_path):
    whole = mp4(tmp_path / "whole.mp4", PIECES).read_bytes()
    split = whole.index(b"moof") - 4
    (tmp_path / "init.mp4").write_bytes(whole[:split])
    (tmp_path / "piece.m4s").write_bytes(whole[split:])
    assert "is the beginning of a video" in refused(tmp_path / "init.mp4", tmp_path)
    assert "is a piece of a video" in refused(tmp_path / "piece.m4s", tmp_path)
    clean_file(tmp_path / "whole.mp4", tmp_path / "out.mp4", FakeProcessor())
    assert len(times(tmp_path / "out.mp4")) == 8


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("place", ["beside", "elsewhere"])
def test_a_list_of_files_is_named(text, place, clip, tmp_path):
    name = clip(Clip())
    if place == "beside":
        (tmp_path / "a.mp4").write_bytes(name.read_bytes())
        name = "a.mp4"
    (tmp_path / "list.txt").write_text(text.format(name))
    assert "is a list for FFmpeg's concat" in refused(tmp_path / "list.txt", tmp_path)


@pytest.mark.parametrize("text", ["#EXTM3U\nnone.ts\n#EXT-X-ENDLIST\n", "<?xml?>\n<MPD></MPD>\n"])
def test_a_playlist_that_leads_nowhere_is_named(text, tmp_path):
    (tmp_path / "list.m3u8").write_text(text)
    assert "is a playlist" in refused(tmp_path / "list.m3u8", tmp_path)


@pytest.mark.parametrize("nested", [False, True])
def test_a_playlist_without_an_end_is_named_and_not_waited_for(nested, clip, tmp_path):
    (tmp_path / "a.ts").write_bytes(clip(Clip(".ts", time_base=Fraction(1, 90000))).read_bytes())
    source = tmp_path / "list.m3u8"
    text = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na.ts\n"
    source.write_text(text)
    if nested:
        source = tmp_path / "all.m3u8"
        source.write_text("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=100000\nlist.m3u8\n")
    assert "add the line #EXT-X-ENDLIST" in refused(source, tmp_path)
    (tmp_path / "list.m3u8").write_text(text + "#EXT-X-ENDLIST\n")
    clean_file(source, tmp_path / "out.mkv", FakeProcessor())
    assert len(times(tmp_path / "out.mkv")) == Clip().frames


def test_an_output_that_is_standard_output_is_refused_as_a_pipe(clip):
    with pytest.raises(UsageError, match=r"^- is a pipe here"):
        clean_file(clip(Clip()), "-", FakeProcessor())


def test_an_animated_webp_is_named(tmp_path):
    canvas = b"VP8X" + (10).to_bytes(4, "little") + b"\x02\0\0\0" + b"\x0f\0\0" * 2
    body = b"WEBP" + canvas + b"ANIM" + (6).to_bytes(4, "little") + bytes(6)
    body += b"ANMF" + (16).to_bytes(4, "little") + bytes(16)
    (tmp_path / "in.webp").write_bytes(b"RIFF" + len(body).to_bytes(4, "little") + body)
    assert "is an animated WebP" in refused(tmp_path / "in.webp", tmp_path)


def test_fractions_become_whole_numbers_and_that_is_said(tmp_path):
    source = tmp_path / "in.exr"
    encoder = av.CodecContext.create("exr", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 32, 32, "gbrpf32le"
    encoder.time_base = 1
    frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 0.5, np.float32), "gbrpf32le")
    source.write_bytes(b"".join(map(bytes, [*encoder.encode(frame), *encoder.encode(None)])))
    result = clean_file(source, tmp_path / "out.mkv", FakeProcessor())
    assert any("fractions become whole numbers of 16 bits" in text for text in result.warnings)
    make_clip(tmp_path / "whole.mkv", Clip(".mkv", "ffv1", pixel_format="gbrp16le", frames=2))
    result = clean_file(tmp_path / "whole.mkv", tmp_path / "other.mkv", FakeProcessor())
    assert not any("fractions" in text for text in result.warnings)
