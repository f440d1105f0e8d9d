"""Numbered still pictures, in and out."""

from fractions import Fraction

import av
import numpy as np
import pytest
from clips import Clip, times
from fakes import FakeProcessor

from stream.capture.file import FileSource
from stream.errors import JobError, OpenError, SinkError, UsageError
from stream.jobs import CleanOptions, clean_file
from stream.jobs.identity import fingerprint
from stream.output.encoder import EncoderOptions
from stream.stills import Stills, is_there


def draw(folder, name, numbers, codec="png", layout="rgb24", size=(34, 22)):
    """Noise under numbered names; returns the pattern."""
    rng = np.random.default_rng(8)
    for number in numbers:
        encoder = av.CodecContext.create(codec, "w")
        (encoder.width, encoder.height), encoder.pix_fmt = size, layout
        encoder.time_base = Fraction(1, 25)
        shot = av.VideoFrame.from_ndarray(rng.integers(0, 256, (*size[::-1], 3), np.uint8), "rgb24")
        made = [*encoder.encode(shot.reformat(format=layout)), *encoder.encode(None)]
        (folder / (name.partition("@")[0] % number)).write_bytes(b"".join(map(bytes, made)))
    return folder / name


def pixels(path):
    with av.open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


@pytest.mark.parametrize(
    ("suffix", "codec", "layout"),
    [
        ("png", "png", "rgb24"),
        ("png", "png", "rgb48be"),
        ("png", "png", "rgba"),
        ("tif", "tiff", "rgb24"),
        ("TIFF", "tiff", "yuv420p"),
    ],
)
def test_pictures_come_back_one_for_one_under_their_numbers(suffix, codec, layout, tmp_path):
    source = draw(tmp_path, f"in_%04d.{suffix}", range(9, 14), codec, layout)
    target = tmp_path / f"out_%03d.{suffix}"
    assert clean_file(source, target, FakeProcessor(lookahead=2)).warnings == ()
    numbers = range(9, 14)
    assert {path.name for path in tmp_path.glob("out*")} == {target.name % n for n in numbers}
    for number in numbers:
        before, after = (path.with_name(path.name % number) for path in (source, target))
        np.testing.assert_array_equal(pixels(after), pixels(before))
    assert not list(tmp_path.glob(".*"))


def test_jpeg_stays_jpeg(tmp_path):
    source = draw(tmp_path, "in_%02d.jpg", range(3), "mjpeg", "yuvj420p")
    assert clean_file(source, tmp_path / "out_%02d.jpg", FakeProcessor()).warnings == ()
    for number in range(3):
        error = pixels(tmp_path / f"out_0{number}.jpg") - pixels(
            tmp_path / f"in_0{number}.jpg"
        ).astype(int)
        assert np.abs(error).mean() < 8  # noise, which JPEG likes least


@pytest.mark.parametrize(
    ("rate", "exact"),
    [
        ("", Fraction(25)),
        ("@24", Fraction(24)),
        ("@29.97", Fraction(30000, 1001)),
        ("@12.5", Fraction(25, 2)),
    ],
)
def test_a_sequence_has_the_rate_that_its_name_says(rate, exact, tmp_path):
    source = draw(tmp_path, "in_%d.png", range(98, 102))
    target = tmp_path / "out.mkv"
    named = source.with_name(source.name + rate)
    opened = FileSource(named)
    assert opened.info.time_base == 1 / exact
    opened.close()
    clean_file(named, target, FakeProcessor())
    ideal = [index / Fraction(exact) for index in range(4)]
    assert max(abs(one - two) for one, two in zip(times(target), ideal, strict=True)) <= 0.0005


@pytest.mark.parametrize(
    ("spec", "layout"), [(Clip(), "rgb24"), (Clip(color=(2, 9, 1, 9)), "rgb24")]
)
def test_a_video_becomes_pictures_as_a_player_shows_it(spec, layout, clip, tmp_path):
    result = clean_file(clip(spec), tmp_path / "out_%02d.png", FakeProcessor())
    assert result.warnings == (f"{clip(spec)}: YUV becomes RGB (png in mov)",)
    with av.open(str(clip(spec))) as container:
        expected = [picture.to_ndarray(format=layout) for picture in container.decode(video=0)]
    assert len(expected) == len(list(tmp_path.iterdir())) == 24
    for number, shot in enumerate(expected, 1):
        error = np.abs(pixels(tmp_path / f"out_{number:02}.png") - shot.astype(int))
        assert error.max() <= 2  # swscale's rounding


def test_a_shorter_sequence_takes_the_place_of_a_longer_one(clip, tmp_path):
    target = draw(tmp_path, "out_%02d.png", range(40))
    clean_file(clip(Clip()), target, FakeProcessor(), CleanOptions(overwrite=True))
    assert {path.name for path in tmp_path.iterdir()} == {f"out_{n:02}.png" for n in range(1, 25)}


def test_avi_has_the_rate_that_the_name_of_a_sequence_says(tmp_path):
    source, target = draw(tmp_path, "in_%d.png@24", range(1, 49)), tmp_path / "out.avi"
    clean_file(source, target, FakeProcessor())
    assert times(target) == [Fraction(index, 24) for index in range(48)]


def test_a_folder_s_name_may_hold_a_percent_sign(tmp_path):
    folder = tmp_path / "50%d 100%"
    folder.mkdir()
    source = draw(folder, "in_%02d.png", range(1, 4))
    clean_file(source, folder / "out_%02d.png", FakeProcessor())
    assert len(list(folder.glob("out_*"))) == 3


def test_what_is_wrong_with_a_sequence_is_said(clip, tmp_path):
    source = draw(tmp_path, "in_%02d.png", (1, 2, 4))
    for path, target, error, says in [
        (source, "out.mkv", OpenError, "in_03.png is missing"),
        (tmp_path / "in_%02d.png@0", "out.mkv", OpenError, "names a rate of 0"),
        (tmp_path / "no_%02d.png", "out.mkv", OpenError, "no_%02d.png does not exist"),
        (clip(Clip()), "out.png", UsageError, "would be one picture; number them"),
        (clip(Clip()), "out_%d.jpg", SinkError, "name it .png"),
        (clip(Clip()), "in_%02d.png", SinkError, "in_%02d.png exists"),
        (clip(Clip()), "none/in_%02d.png", SinkError, "none does not exist"),
    ]:
        with pytest.raises(error, match=says):
            clean_file(path, tmp_path / target, FakeProcessor())
    draw(tmp_path, "in_%02d.png", (3,))
    with pytest.raises(JobError, match="is the input itself"):
        clean_file(source, source, FakeProcessor())


def test_names_that_are_no_sequences(tmp_path):
    for name in ("a.png", "100%.mp4", "a_%04d.mp4", "a_%s.png", "%d_%d.png"):
        assert Stills.at(tmp_path / name) is None
    (tmp_path / "a_%d.png").touch()
    assert Stills.at(tmp_path / "a_%d.png") is None, "a file of this very name"


def test_a_sequence_is_another_one_when_a_picture_is(tmp_path):
    source = draw(tmp_path, "in_%02d.png", range(3))
    before = fingerprint(source)
    assert is_there(source)
    assert fingerprint(source) == before
    draw(tmp_path, "in_%02d.png", range(3, 4))
    assert fingerprint(source) != before
    assert fingerprint(source.with_name(source.name + "@30")) != fingerprint(source)


@pytest.mark.parametrize(
    ("target", "codec", "written", "says"),
    [
        ("out.mov", "prores", "yuv444p12le", "rounded to 10, RGB becomes YUV 4:4:4"),
        ("out.mkv", "hevc", "gbrp12le", "16 bits a sample are rounded to 12"),
        ("out.mp4", "h264", "gbrp", "16 bits a sample are rounded to 8"),
    ],
)
def test_pictures_of_16_bits_are_rounded_to_what_a_codec_takes(
    target, codec, written, says, tmp_path
):
    source = draw(tmp_path, "in_%02d.png", range(3), layout="rgb48be", size=(96, 64))
    options = CleanOptions(EncoderOptions(codec))
    (warning,) = clean_file(source, tmp_path / target, FakeProcessor(), options).warnings
    assert says in warning
    with av.open(str(tmp_path / target)) as container:
        assert container.streams.video[0].pix_fmt == written


@pytest.mark.parametrize(
    ("layout", "codec"), [("rgb24", "h264"), ("gray", "h264"), ("rgb48be", "hevc")]
)
def test_pictures_become_a_video_that_players_show_in_mp4(layout, codec, tmp_path):
    source = draw(tmp_path, "in_%02d.png", range(3), layout=layout, size=(96, 64))
    clean_file(source, tmp_path / "out.mp4", FakeProcessor())
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].codec_context.name == codec


def test_advice_where_no_encoder_will_do_was_tried(tmp_path):
    source = draw(tmp_path, "in_%02d.png", range(3), layout="rgb48be", size=(96, 64))
    with pytest.raises(SinkError, match=r"no encoder .*; try --codec ffv1 or leave out --codec$"):
        clean_file(
            source, tmp_path / "out.mkv", FakeProcessor(), CleanOptions(EncoderOptions("dnxhr"))
        )
    clean_file(source, tmp_path / "out.mkv", FakeProcessor(), CleanOptions(EncoderOptions("ffv1")))
