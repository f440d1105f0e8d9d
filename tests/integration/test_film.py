"""Files with several videos: the film is cleaned, previews and stills are copied and named."""

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import pytest
from av.stream import Disposition
from clips import Clip, add_video, picture, times
from fakes import FakeProcessor

from models.evaluation.clips import Clip as LearnedClip
from models.videos import film_of, open_video
from stream.capture.film import picture_stream
from stream.errors import OpenError
from stream.jobs import clean_file
from stream.output.priority import start_encoding

BY_FRAME = {"time_base": Fraction(1, 25), "gaps": (1,)}
FILM = Clip(frames=12, **BY_FRAME)
PREVIEW = Clip(codec="mjpeg", pixel_format="yuvj420p", options=(), width=96, height=64, frames=1)
STILL = Clip(codec="mjpeg", pixel_format="yuvj420p", options=(), width=96, height=64, frames=1)
SHORT = Clip(width=96, height=64, frames=5, **BY_FRAME)


def make(path, *specs, default=()):
    """Write videos beside each other, those whose number is in ``default`` marked as such."""
    with av.open(str(path), "w") as container:
        streams = [add_video(container, spec) for spec in specs]
        for number, stream in enumerate(streams):
            stream.disposition = 1 if number in default else 0
        start_encoding(container)
        for stream, spec in zip(streams, specs, strict=True):
            for index, time in enumerate(spec.pts):
                container.mux(stream.encode(picture(spec, index, time)))
            container.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("specs", "default", "film"),
    [
        ((PREVIEW, FILM), (1,), 1),
        ((PREVIEW, FILM), (0,), 1),
        ((SHORT, FILM), (), 1),
        ((SHORT, FILM), (0,), 0),
        ((SHORT, FILM), (0, 1), 1),
        ((FILM, SHORT), (), 0),
        ((FILM, FILM), (), 0),
        ((FILM, PREVIEW, FILM), (2,), 2),
        ((PREVIEW, PREVIEW), (), 0),
    ],
    ids=str,
)
def test_the_film_is_cleaned_wherever_it_stands(specs, default, film, tmp_path):
    source, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
    make(source, *specs, default=default)
    result = clean_file(source, target, FakeProcessor())
    assert result.stats.frames_out == specs[film].frames
    for number in range(len(specs)):
        assert times(target, number) == times(source, number)
    codecs = {"libx264": "h264"}
    names = [f"video stream {n} ({codecs.get(s.codec, s.codec)})" for n, s in enumerate(specs)]
    told = [warning for warning in result.warnings if "is copied as it is" in warning]
    assert told == [
        f"{name} is copied as it is; {names[film]} is cleaned"
        for number, name in enumerate(names)
        if number != film
    ]
    assert len(list(LearnedClip("in", (source,)).frames())) == specs[film].frames
    with open_video(source) as container:
        assert film_of(container, source).index == film, "learned from, and scored on"


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".ts"])
def test_the_film_is_cleaned_in_other_containers(suffix, tmp_path):
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    make(source, SHORT, FILM, default=(0, 1))
    assert clean_file(source, target, FakeProcessor()).stats.frames_out == FILM.frames
    assert [len(times(target, number)) for number in (0, 1)] == [SHORT.frames, FILM.frames]


def test_an_animation_is_cleaned_not_its_preview(clip, tmp_path):
    options = (("preset", "12"),)
    spec = Clip(".avif", "libsvtav1", 64, 48, frames=10, options=options, **BY_FRAME)
    result = clean_file(clip(spec), tmp_path / "out.mp4", FakeProcessor())
    assert result.stats.frames_out == 10
    assert times(tmp_path / "out.mp4", 1) == times(clip(spec), 1)


def test_a_count_that_matroska_writes_of_itself_is_believed(clip, tmp_path):
    """Nothing has to be read then."""
    source = tmp_path / "in.mkv"
    with av.open(str(source), "w") as container:
        streams = [add_video(container, spec) for spec in (SHORT, FILM)]
        for stream, count in zip(streams, ("900", "100"), strict=True):
            stream.disposition = 0
            stream.metadata["NUMBER_OF_FRAMES-eng"] = count
        start_encoding(container)
        for stream, spec in zip(streams, (SHORT, FILM), strict=True):
            for index, time in enumerate(spec.pts):
                container.mux(stream.encode(picture(spec, index, time)))
            container.mux(stream.encode(None))
    result = clean_file(source, tmp_path / "out.mkv", FakeProcessor())
    assert result.stats.frames_out == SHORT.frames


def test_a_picture_in_tiles_is_refused_as_what_it_is():
    """FFmpeg shows each tile of a phone's HEIC as a video, and beside them a small preview."""
    tile = SimpleNamespace(disposition=Disposition.dependent)
    preview = SimpleNamespace(disposition=Disposition.default)
    container = SimpleNamespace(streams=SimpleNamespace(video=[tile, tile, preview]))
    with pytest.raises(OpenError, match=r"^a.heic is one picture in tiles, .* convert it to PNG"):
        picture_stream(container, Path("a.heic"))
    with pytest.raises(IndexError, match=r"^it is one picture in tiles, .* convert it to PNG"):
        film_of(container, Path("a.heic"))  # learned from, and scored on
