"""What still pictures say beside their pixels: EXIF, ICC profiles, XMP, resolution and the rest."""

import struct
from fractions import Fraction

import av
import numpy as np
import pytest
from clips import Clip
from fakes import FakeProcessor
from hypothesis import given
from hypothesis import strategies as st
from odd_stills import chunk, exif, profile
from test_stills import draw, pixels

from stream.capture.file import FileSource
from stream.jobs import CleanOptions, beside_pixels, clean_file
from stream.jobs.excerpt import Excerpt
from stream.jobs.losses import turn_of
from stream.still_metadata import (
    ORIENTATIONS,
    StillMetadata,
    read_metadata,
    turned,
    with_metadata,
)
from stream.tiff_tags import read_tags

KINDS = {"png": ("png", "rgb24"), "jpg": ("mjpeg", "yuvj420p"), "tif": ("tiff", "rgb24")}
ALL = StillMetadata(exif(), profile(b"RGB "), b"<x:xmpmeta/>", (300, 300))


def told(folder, suffix, metadata, numbers=range(3)):
    """Numbered pictures that say this; returns the pattern."""
    pattern = draw(folder, f"in_%d.{suffix}", numbers, *KINDS[suffix])
    for number in numbers:
        path = pattern.with_name(pattern.name % number)
        path.write_bytes(with_metadata(path.read_bytes(), metadata))
    return pattern


def said(pattern, number=0):
    return read_metadata(pattern.with_name(pattern.name % number).read_bytes())


@pytest.mark.parametrize("after", KINDS)
@pytest.mark.parametrize("before", KINDS)
def test_still_pictures_say_what_their_sources_said(before, after, tmp_path):
    if before != "jpg" and after == "jpg":
        pytest.skip("JPEG is written of YUV only")
    source, target = told(tmp_path, before, ALL), tmp_path / f"out_%d.{after}"
    warnings = clean_file(source, target, FakeProcessor()).warnings
    assert not [warning for warning in warnings if "becomes RGB" not in warning]
    for number in range(3):
        facts = said(target, number).facts()
        assert {words: facts[words] for words in ALL.facts()} == ALL.facts()
    picture = FileSource(target.with_name(target.name % 1))
    picture.close()
    assert ORIENTATIONS[turn_of(picture.info)] == 6
    assert (picture.info.width, picture.info.height) == (34, 22), "it was turned, and is turned"


@pytest.mark.parametrize("after", ["png", "tif"])
@pytest.mark.parametrize("before", KINDS)
def test_a_resolution_that_differs_across_and_down_stays(before, after, tmp_path):
    """FFmpeg takes pixels of another shape from it in TIFF than in PNG and JPEG."""
    source = told(tmp_path, before, StillMetadata(dpi=(204, 98)))
    warnings = clean_file(source, tmp_path / f"out_%d.{after}", FakeProcessor()).warnings
    assert said(tmp_path / f"out_%d.{after}").dpi == (204, 98)
    assert not [warning for warning in warnings if "pixel shape" in warning]


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_orientation_in_exif_turns_a_film_once(suffix, tmp_path):
    source = told(tmp_path, suffix, turned(StillMetadata(), 6))
    for name in ("out.mp4", "out.mkv", "out.mov"):
        warnings = clean_file(source, tmp_path / name, FakeProcessor()).warnings
        assert not [warning for warning in warnings if "EXIF" in warning or "rotation" in warning]
        film = FileSource(tmp_path / name)
        film.close()
        assert ORIENTATIONS[turn_of(film.info)] == 6


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_turned_film_becomes_pictures_that_are_turned(suffix, clip, tmp_path):
    target = tmp_path / f"out_%d.{suffix}"
    (warning,) = clean_file(clip(Clip(rotation=90)), target, FakeProcessor()).warnings
    assert "becomes RGB" in warning
    film, picture = FileSource(clip(Clip(rotation=90))), FileSource(tmp_path / f"out_1.{suffix}")
    film.close()
    picture.close()
    assert turn_of(picture.info) == turn_of(film.info) != (1, 0, 0, 1)


def test_a_film_says_in_words_what_of_its_pictures_it_cannot_say(tmp_path):
    source = told(tmp_path, "jpg", ALL)
    warnings = clean_file(source, tmp_path / "out.mkv", FakeProcessor()).warnings
    for words in ("EXIF", "ICC profile", "XMP"):
        assert sum(f"its {words} cannot be kept" in warning for warning in warnings) == 1
    assert not [warning for warning in warnings if "resolution" in warning]


def test_what_only_a_png_says_stays_in_one_and_is_named_elsewhere(tmp_path):
    source = draw(tmp_path, "in_%d.png", range(2))
    text = chunk(b"tEXt", b"Title\0a day")
    signed = chunk(b"caBX", b"of these pixels")
    for path, more in zip(sorted(tmp_path.glob("in_*")), (text + signed, text), strict=True):
        raw = path.read_bytes()
        path.write_bytes(raw[:33] + more + raw[33:])
    warnings = clean_file(source, tmp_path / "out_%d.png", FakeProcessor()).warnings
    assert warnings == (f"{source}: its content credentials cannot be kept (1 of 2 pictures)",)
    assert text in (tmp_path / "out_1.png").read_bytes()
    warnings = clean_file(source, tmp_path / "out_%d.tif", FakeProcessor()).warnings
    assert f"{source}: its text 'Title' cannot be kept" in warnings


def test_a_comment_of_a_jpeg_stays_but_not_what_speaks_of_its_encoding(tmp_path):
    source = draw(tmp_path, "in_%d.jpg", range(1), "mjpeg", "yuvj420p")
    path = tmp_path / "in_0.jpg"
    comments = [
        b"\xff\xfe" + struct.pack(">H", 2 + len(text)) + text for text in (b"a day", b"CS=ITU601")
    ]
    raw = path.read_bytes()
    path.write_bytes(raw[:2] + comments[0] + raw[2:])
    assert clean_file(source, tmp_path / "out_%d.jpg", FakeProcessor()).warnings == ()
    assert comments[0] in (tmp_path / "out_0.jpg").read_bytes()
    assert not read_metadata(raw[:2] + comments[1] + raw[2:]).pieces


@pytest.mark.parametrize("suffix", KINDS)
def test_a_profile_of_other_colours_is_not_put_on_pictures_of_these(suffix, tmp_path):
    path = tmp_path / f"in_0.{suffix}"
    draw(tmp_path, f"in_%d.{suffix}", range(1), *KINDS[suffix])
    for space, suits in ((b"GRAY", False), (b"CMYK", False), (b"RGB ", True)):
        raw = with_metadata(path.read_bytes(), StillMetadata(icc=profile(space)))
        assert bool(read_metadata(raw).icc) == suits


def test_each_picture_of_a_part_has_its_own_words(tmp_path):
    source = draw(tmp_path, "in_%d.jpg", range(60), "mjpeg", "yuvj420p")
    for number in range(60):
        path = tmp_path / f"in_{number}.jpg"
        words = StillMetadata(xmp=f"<{number}/>".encode())
        path.write_bytes(with_metadata(path.read_bytes(), words))
    excerpt = CleanOptions(excerpt=Excerpt(Fraction(1), Fraction(2)))
    clean_file(source, tmp_path / "out_%d.jpg", FakeProcessor(lookahead=2), excerpt)
    found = {int(path.stem[4:]): path for path in tmp_path.glob("out_*")}
    assert len(found) == 25
    for number, path in found.items():
        assert read_metadata(path.read_bytes()).xmp == f"<{number - min(found) + 25}/>".encode()


@pytest.mark.parametrize("words", ALL.facts())
def test_whatever_is_not_written_into_pictures_is_named(words, monkeypatch, tmp_path):
    """The independent eye, against a writer that loses one thing after the other."""
    lost = {
        "EXIF": {"exif": b""},
        "rotation": {"exif": b""},
        "ICC profile": {"icc": b""},
        "XMP": {"xmp": b""},
        "resolution": {"dpi": None},
    }[words]
    written = with_metadata

    def forgetful(picture, metadata):
        fields = {name: getattr(metadata, name) for name in ("exif", "icc", "xmp", "dpi")}
        return written(picture, StillMetadata(**(fields | lost), kind=metadata.kind))

    source = told(tmp_path, "png", ALL)
    monkeypatch.setattr(beside_pixels, "with_metadata", forgetful)
    warnings = clean_file(source, tmp_path / "out_%d.png", FakeProcessor()).warnings
    assert [w for w in warnings if w == f"{source}: its {words} cannot be kept"]


def test_sound_and_tags_of_a_film_are_named_where_it_becomes_pictures(clip, tmp_path):
    spec = Clip(audio="aac", metadata=(("title", "a day"),))
    warnings = clean_file(clip(spec), tmp_path / "out_%d.png", FakeProcessor()).warnings
    assert "audio stream 1 (aac, fin) cannot be kept in still pictures, left out" in warnings
    assert f"{clip(spec)}: png keeps no tag title; .mp4 does" in warnings


def test_wide_colours_that_a_picture_cannot_tell_are_named(clip, tmp_path):
    spec = Clip(color=(9, 18, 9, 1))
    kept = clean_file(clip(spec), tmp_path / "out_%d.png", FakeProcessor()).warnings
    lost = clean_file(clip(spec), tmp_path / "out_%d.tif", FakeProcessor()).warnings
    assert not any("colour tags" in warning for warning in kept)
    assert any("in .tif keeps no colour tags" in warning for warning in lost)


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_is_the_same_in_either_order_of_bytes(order):
    assert read_tags(exif(order=order)) == read_tags(exif())
    assert {directory for directory, _ in read_tags(exif())} == {"", "Exif", "GPS"}


@given(st.sampled_from(["png", "jpg", "tif"]), st.data())
def test_damaged_pictures_are_read_without_an_error(kind, data):
    raw = bytearray(_whole()[kind])
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(4, len(raw) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(1, len(raw)))
    read_metadata(bytes(raw[:end])).facts()


def _whole():
    """One small picture of each kind that says all."""
    small = StillMetadata(exif(), b"p" * 130, b"<x/>", (72, 72))
    found = {}
    for kind, (codec, layout) in KINDS.items():
        encoder = av.CodecContext.create(codec, "w")
        encoder.width, encoder.height, encoder.pix_fmt = 16, 16, layout
        encoder.time_base = Fraction(1, 25)
        shot = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), "rgb24")
        made = [*encoder.encode(shot.reformat(format=layout)), *encoder.encode(None)]
        found[kind] = with_metadata(b"".join(map(bytes, made)), small)
    return found


def test_pixels_stay_as_they_are(tmp_path):
    draw(tmp_path, "in_%d.png", range(1))
    before = pixels(tmp_path / "in_0.png")
    path = tmp_path / "in_0.png"
    path.write_bytes(with_metadata(path.read_bytes(), ALL))
    np.testing.assert_array_equal(pixels(path), before)
