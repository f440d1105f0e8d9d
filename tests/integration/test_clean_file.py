"""File to file with a processor that changes nothing: everything but the encoder's loss stays."""

import contextlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from clips import Clip, damage, packets, picture, times
from fakes import FakeProcessor

from stream.capture.file import FileSource
from stream.errors import JobError, SinkError, UsageError
from stream.jobs import CleanOptions, clean_file
from stream.output.encoder import EncoderOptions

X264 = (("preset", "ultrafast"),)
FAST = CleanOptions(EncoderOptions(preset="ultrafast"))
TAGS = (("title", "A walk"), ("comment", "by the sea"))
CLIPS = {
    "constant rate": Clip(),
    "variable rate": Clip(gaps=(512, 300, 1111)),
    "B-frames": Clip(options=(("preset", "medium"), ("bf", "3")), gaps=(512, 700)),
    "video after sound": Clip(start=6400, audio="aac"),
    "video after sound, matroska": Clip(
        ".mkv", start=500, time_base=Fraction(1, 1000), gaps=(40, 33), audio="aac"
    ),
    "far start": Clip(start=2**33, frames=4),
    "29.97": Clip(time_base=Fraction(1001, 30000), gaps=(1,)),
    "10 bit": Clip(pixel_format="yuv420p10le", color=(1, 9, 16, 9)),
    "4:2:2": Clip(pixel_format="yuv422p"),
    "4:4:4, odd": Clip(pixel_format="yuv444p", width=61, height=47),
    "full range": Clip(color=(2, 1, 1, 1)),
    "only the matrix tagged": Clip(".mkv", "ffv1", color=(1, 2, 2, 1), options=(), frames=3),
    "grey 16": Clip(
        ".mkv", "ffv1", pixel_format="gray16le", color=(2, 2, 2, 2), frames=3, options=()
    ),
    "prores": Clip(".mov", "prores_ks", pixel_format="yuv422p10le", frames=3, options=()),
    "dnxhd": Clip(
        *(".mov", "dnxhd", 256, 144, "yuv422p"), frames=2, options=(("profile", "dnxhr_hq"),)
    ),
    "mjpeg": Clip(".mov", "mjpeg", pixel_format="yuvj420p", frames=3, options=()),
    "mpeg4": Clip(codec="mpeg4", frames=5, options=()),
    "one frame": Clip(frames=1),
    "2x2": Clip(width=2, height=2),
    "anamorphic": Clip(sample_aspect_ratio=Fraction(4, 3)),
    "rotated 90": Clip(rotation=90, frames=3),
    "rotated 180": Clip(rotation=180, frames=3),
    "rotated 270": Clip(rotation=270, frames=3, suffix=".mkv"),
}


def described(path):
    """All that should be the same of two files, pixels and times left aside."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        frame = next(container.decode(video))
        return {
            "streams": [
                (
                    stream.type,
                    stream.codec_context and stream.codec_context.codec.canonical_name,
                    stream.language,
                    int(stream.disposition),
                )
                for stream in container.streams
            ],
            "size": (frame.width, frame.height),
            "format": frame.format.name,
            "color": [
                int(tag)
                for tag in (
                    frame.color_range,
                    frame.color_primaries,
                    frame.color_trc,
                    frame.colorspace,
                )
            ],
            "rotation": frame.rotation,
            "sample aspect ratio": video.sample_aspect_ratio,
            "length": video.duration and video.duration * video.time_base,
            "metadata": {
                key: text for key, text in container.metadata.items() if key.lower() != "encoder"
            },
            "chapters": [
                (chapter["start"] * chapter["time_base"], chapter["metadata"])
                for chapter in container.chapters()
            ],
        }


@pytest.mark.parametrize("spec", CLIPS.values(), ids=CLIPS)
def test_everything_but_the_pixels_stays(spec, clip, tmp_path):
    source, target = clip(spec), tmp_path / f"out{spec.suffix}"
    options = FAST if spec.codec == "libx264" else None
    result = clean_file(source, target, FakeProcessor(), options)
    assert times(target) == times(source)
    before, after = described(source), described(target)
    # MP4 counts in decoding order: with reordered pictures of unequal length the source's own
    # length is off by less than one of them
    lengths = [description.pop("length") or 0 for description in (before, after)]
    reordered = ("bf", "3") in spec.options
    assert abs(lengths[0] - lengths[1]) <= reordered * max(spec.gaps) * spec.time_base
    assert after == before
    assert result.stats.frames_out == spec.frames
    assert result.warnings == ()
    if spec.audio:
        assert packets(target, "audio") == packets(source, "audio")
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


@pytest.mark.parametrize("codec", ["libvpx-vp9", "libx265", "libsvtav1"])
def test_the_codec_follows_the_source(codec, clip, tmp_path):
    quick = {
        "libvpx-vp9": (("deadline", "realtime"), ("cpu-used", "8")),
        "libx265": (("preset", "ultrafast"), ("x265-params", "log-level=none")),
        "libsvtav1": (("preset", "12"),),
    }
    source = clip(Clip(".mkv", codec, frames=3, options=quick[codec]))
    clean_file(source, tmp_path / "out.mkv", FakeProcessor())
    assert described(tmp_path / "out.mkv") == described(source)


def test_an_odd_size_comes_out_as_it_went_in(clip, tmp_path):
    vp9 = (("deadline", "realtime"), ("cpu-used", "8"))
    source = clip(Clip(".mkv", "libvpx-vp9", 853, 479, frames=3, options=vp9))
    clean_file(source, tmp_path / "out.mkv", FakeProcessor())
    assert described(tmp_path / "out.mkv") == described(source)


def test_where_the_sources_codec_will_not_do_another_is_used_and_named(clip, tmp_path):
    source = clip(Clip(".mkv", "ffv1", pixel_format="yuv420p", frames=2, options=()))
    result = clean_file(source, tmp_path / "out.webm", FakeProcessor())
    assert described(tmp_path / "out.webm")["streams"][0][1] == "vp9"
    assert result.warnings == ("ffv1 refuses this size, time base or webm; vp9 is used instead",)


def test_pixels_lose_only_what_the_encoder_takes(clip, tmp_path):
    """With a lossless codec, nothing."""
    source = clip(Clip(".mkv", "ffv1", pixel_format="yuv422p10le", frames=4, options=()))
    clean_file(source, tmp_path / "out.mkv", FakeProcessor(lookahead=2))
    before, after = FileSource(source), FileSource(tmp_path / "out.mkv")
    for one, other in zip(before.frames(), after.frames(), strict=True):
        for left, right in zip(one.planes.arrays, other.planes.arrays, strict=True):
            np.testing.assert_array_equal(left, right)
    before.close()
    after.close()


def test_mp4_keeps_sound_subtitles_chapters_tags_and_cover(clip, tmp_path):
    source = clip(Clip(audio="aac", subtitle="mov_text", chapters=True, metadata=TAGS, cover=True))
    result = clean_file(source, tmp_path / "out.mp4", FakeProcessor(), FAST)
    assert result.warnings == ()
    assert described(tmp_path / "out.mp4") == described(source)
    for kind in ("audio", "subtitle"):
        assert packets(tmp_path / "out.mp4", kind) == packets(source, kind)


def test_matroska_keeps_sound_subtitles_chapters_tags_and_attachments(clip, tmp_path):
    unit = Fraction(1, 1000)
    source = clip(
        Clip(
            *(".mkv", "libx264"),
            time_base=unit,
            gaps=(40,),
            audio="flac",
            subtitle="subrip",
            chapters=True,
            attachment=True,
            second_video=True,
            metadata=TAGS,
        )
    )
    target = tmp_path / "out.mkv"
    assert clean_file(source, target, FakeProcessor(), FAST).warnings == (
        "video stream 1 (h264) is copied as it is; video stream 0 (h264) is cleaned",
    )
    assert described(target) == described(source)
    for kind in ("audio", "subtitle"):
        assert packets(target, kind) == packets(source, kind)
    assert times(target, stream=1) == times(source, stream=1)
    with av.open(str(source)) as one, av.open(str(target)) as other:
        assert other.streams.attachments[0].data == one.streams.attachments[0].data


def test_what_the_container_cannot_hold_is_left_out_and_named(clip, tmp_path):
    source = clip(
        Clip(
            *(".mkv", "libx264"),
            time_base=Fraction(1, 1000),
            gaps=(40,),
            audio="aac",
            subtitle="subrip",
            attachment=True,
        )
    )
    result = clean_file(source, tmp_path / "out.mp4", FakeProcessor(), FAST)
    assert result.warnings == (
        "subtitle stream 2 (subrip, isl) cannot be kept in mp4, left out; .mkv keeps it",
        "attachment stream 3 (font.ttf) cannot be kept in mp4, left out; .mkv keeps it",
    )
    assert times(tmp_path / "out.mp4") == times(source)
    assert packets(tmp_path / "out.mp4", "audio") == packets(source, "audio")


def test_mp4_to_matroska_keeps_sound_and_picture_together(clip, tmp_path):
    """AAC starts before 0 in MP4, unheard; Matroska has what is heard, and counts in 1/1000 s."""
    source = clip(Clip(start=6400, audio="aac"))
    clean_file(source, tmp_path / "out.mkv", FakeProcessor(), FAST)
    heard = [time for time, _ in packets(source, "audio") if time >= 0]
    kept = [time for time, _ in packets(tmp_path / "out.mkv", "audio")]
    moved = [after - before for before, after in zip(heard, kept, strict=True)]
    pictures = [
        after - before
        for before, after in zip(times(source), times(tmp_path / "out.mkv"), strict=True)
    ]
    assert max(moved + pictures) - min(moved + pictures) <= Fraction(1, 1000)


def test_transport_streams_sound_fits_mp4(clip, tmp_path):
    unit = Fraction(1, 90000)
    source = clip(Clip(".ts", time_base=unit, gaps=(3600,), start=90000, audio="aac"))
    assert clean_file(source, tmp_path / "out.mp4", FakeProcessor(), FAST).warnings == ()
    assert times(tmp_path / "out.mp4") == times(source)
    with av.open(str(tmp_path / "out.mp4")) as container:
        decoded = sum(frame.samples for frame in container.decode(audio=0))
    assert decoded >= 40 * 1024


def test_damaged_pictures_are_repeated_counted_and_reported(clip, tmp_path):
    damage(clip(Clip()), tmp_path / "in.mp4", 5, 6)
    result = clean_file(tmp_path / "in.mp4", tmp_path / "out.mp4", FakeProcessor(), FAST)
    assert times(tmp_path / "out.mp4") == times(clip(Clip()))
    assert result.stats.decode_failures == 2
    assert "2 damaged places" in result.warnings[0]


def test_where_transparency_cannot_be_kept_that_is_said(tmp_path):
    source = tmp_path / "in.mov"
    make_transparent(source, "qtrle", "argb")
    result = clean_file(source, tmp_path / "out.mp4", FakeProcessor(), FAST)
    assert result.warnings == (
        "qtrle refuses this size, time base or mp4; h264 is used instead",
        f"{source}: its transparency is lost (libx264rgb in mp4)",
    )


def test_a_chosen_codec_and_quality_are_used(clip, tmp_path):
    sizes = {}
    for crf in (10, 45):
        target = tmp_path / f"{crf}.mkv"
        options = CleanOptions(EncoderOptions(codec="hevc", crf=crf, preset="ultrafast"))
        clean_file(clip(Clip(frames=6)), target, FakeProcessor(), options)
        assert described(target)["streams"][0][1] == "hevc"
        sizes[crf] = target.stat().st_size
    assert sizes[10] > 2 * sizes[45]


def test_progress_comes_with_an_estimate_of_the_time_left(clip, tmp_path):
    seen = []

    def progress(stats):
        seen.append((stats.frames_out, stats.frames_expected, stats.time_left_s is not None))

    clean_file(clip(Clip()), tmp_path / "out.mp4", FakeProcessor(), FAST, progress)
    assert seen == [(count, 24, True) for count in range(1, 25)]


@pytest.mark.parametrize(
    ("name", "options", "error", "says"),
    [
        ("in.mp4", CleanOptions(overwrite=True), JobError, "is the input itself"),
        ("taken.mp4", FAST, SinkError, "exists"),
        ("nowhere/out.mp4", FAST, SinkError, "does not exist"),
        ("out.xyz", FAST, UsageError, "no container is known by '.xyz'"),
        ("out", FAST, UsageError, "no container is known"),
        ("folder.mp4", CleanOptions(overwrite=True), SinkError, "is a folder"),
        (
            "out.mp4",
            CleanOptions(EncoderOptions("nonsense")),
            UsageError,
            "no codec 'nonsense'; --codec is one of h264, hevc, .*, nvenc, ",
        ),
        ("out.mp4", CleanOptions(EncoderOptions("ffv1", crf=9)), UsageError, "ffv1 has no --crf$"),
        ("out.mp4", CleanOptions(EncoderOptions("aac")), UsageError, "there is no codec 'aac'; "),
        ("out.webm", CleanOptions(EncoderOptions("h264")), SinkError, r"refuses.*\(\.mkv\)"),
        ("out.mkv", CleanOptions(EncoderOptions("cfhd")), SinkError, r"refuses.*\(\.mov\)"),
        (
            "out.mp4",
            CleanOptions(EncoderOptions(preset="fasst")),
            UsageError,
            "libx264 has no --preset fasst; it has ultrafast, ",
        ),
        (
            "out.mp4",
            CleanOptions(EncoderOptions(crf=52)),
            UsageError,
            "^libx264 has --crf 0 to 51, not 52$",
        ),
        (
            "out.mp4",
            CleanOptions(EncoderOptions("x265", crf=60)),
            UsageError,
            "^libx265 has --crf 0 to 51, not 60$",
        ),
        (
            "out.mp4",
            CleanOptions(EncoderOptions("av1", preset="medium")),
            UsageError,
            "libsvtav1 has no --preset medium",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_before_any_work(name, options, error, says, clip, tmp_path):
    (tmp_path / "in.mp4").write_bytes(clip(Clip()).read_bytes())
    (tmp_path / "taken.mp4").write_text("mine")
    (tmp_path / "folder.mp4").mkdir()
    processor = FakeProcessor()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(error, match=says) as caught:
        clean_file(tmp_path / "in.mp4", tmp_path / name, processor, options)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "taken.mp4").read_text() == "mine"
    assert processor.calls == []


@pytest.mark.parametrize(
    ("gaps", "rate"), [((512,), 25), ((512, 512, 1024), None), ((100, 900, 536), None)]
)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_matroska_is_told_the_rate_only_where_there_is_one(gaps, rate, suffix, clip, tmp_path):
    source = clip(Clip(suffix, gaps=gaps, frames=26, second_video=True))
    clean_file(source, tmp_path / "out.mkv", FakeProcessor(), FAST)
    raw = (tmp_path / "out.mkv").read_bytes()
    tracks = raw[raw.index(b"\x16\x54\xae\x6b") : raw.index(b"\x1f\x43\xb6\x75")]
    durations = [
        int.from_bytes(part[1 : 1 + (part[0] & 0x7F)], "big")
        for part in tracks.split(b"\x23\xe3\x83")[1:]  # DefaultDuration
    ]
    assert durations == ([1_000_000_000 // rate] if rate else [])


def first_shown(path):
    with av.open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


@pytest.mark.parametrize("name", ["out.mp4", "out.webm", "out.ts"])
def test_grey_keeps_its_brightness_in_yuv(name, clip, tmp_path):
    source = clip(Clip(".mkv", "ffv1", pixel_format="gray", frames=3, options=()))
    result = clean_file(source, tmp_path / name, FakeProcessor())
    assert not any("colour" in warning for warning in result.warnings)
    before, after = (first_shown(path).astype(float) for path in (source, tmp_path / name))
    assert np.abs(after - before).mean() < 2  # 27 and 250 for 40 and 230 where the range is lost


def test_overwrite_replaces_only_at_the_end(clip, tmp_path):
    target = tmp_path / "out.mp4"
    target.write_text("before")
    seen = set()

    def progress(stats):
        seen.add(target.read_bytes())

    options = CleanOptions(EncoderOptions(preset="ultrafast"), overwrite=True)
    clean_file(clip(Clip()), target, FakeProcessor(), options, progress)
    assert seen == {b"before"}
    assert times(target) == times(clip(Clip()))


@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv"])
def test_a_timecode_track_is_made_again(suffix, clip, tmp_path):
    """Copied as it is, it ended the job: the muxer makes one too."""
    source, target = tmp_path / "in.mov", tmp_path / f"out{suffix}"
    with av.open(str(clip(Clip(".mov")))) as plain, av.open(str(source), "w") as container:
        video = container.add_stream_from_template(plain.streams.video[0], opaque=True)
        video.metadata["timecode"] = "01:00:00:00"
        video.codec_context.framerate = Fraction(25)
        for made in plain.demux(video=0):
            if made.size:
                made.stream = video
                container.mux(made)
    with av.open(str(source)) as container:
        assert [stream.type for stream in container.streams] == ["video", "data"]
    assert clean_file(source, target, FakeProcessor(), FAST).warnings == ()
    with av.open(str(target)) as container:
        kinds = [stream.type for stream in container.streams]
        assert kinds == (["video"] if suffix == ".mkv" else ["video", "data"])
        tags = {key.lower(): text for key, text in container.streams.video[0].metadata.items()}
        assert tags["timecode"] == "01:00:00:00"


def cover_of(path):
    with av.open(str(path)) as container:
        stream = next(
            s for s in container.streams.video if s.disposition & Disposition.attached_pic
        )
        return next(bytes(made) for made in container.demux(stream) if made.size)


@pytest.mark.parametrize(
    ("before", "after"), [(".mp4", ".mkv"), (".mkv", ".mkv"), (".mkv", ".mp4")]
)
def test_cover_art_moves_between_containers(before, after, clip, tmp_path):
    """Matroska keeps it as an attachment, MP4 as a stream."""
    source = clip(Clip(cover=True, frames=3))
    if before == ".mkv":
        clean_file(source, tmp_path / "in.mkv", FakeProcessor(), FAST)
        source = tmp_path / "in.mkv"
    target = tmp_path / f"out{after}"
    assert clean_file(source, target, FakeProcessor(), FAST).warnings == ()
    assert cover_of(target) == cover_of(clip(Clip(cover=True, frames=3)))
    assert len(times(target)) == 3


@pytest.mark.parametrize("suffix", [".mov", ".avi", ".ts"])
def test_cover_art_that_cannot_be_kept_is_named_with_what_keeps_it(suffix, clip, tmp_path):
    target = tmp_path / f"out{suffix}"
    result = clean_file(clip(Clip(cover=True, frames=3)), target, FakeProcessor(), FAST)
    (told,) = [warning for warning in result.warnings if "png" in warning]
    assert told.endswith(f"cannot be kept in {suffix[1:]}, left out; .mkv keeps it")
    with av.open(str(target)) as container:
        assert len(container.streams.video) == 1


@pytest.mark.parametrize("language", ["deu", "swe", "nld", "isl", "jpn"])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_languages_stay_whatever_letters_they_have(suffix, language, clip, tmp_path):
    """FFmpeg's muxer of MOV knows German as ger alone, and Swedish as sve."""
    source, target = tmp_path / "in.mkv", tmp_path / f"out{suffix}"
    with (
        av.open(str(clip(Clip(".mkv", audio="aac", frames=6)))) as old,
        av.open(str(source), "w") as new,
    ):
        copies = {one.index: new.add_stream_from_template(one) for one in old.streams}
        copies[1].metadata["language"] = language
        for made in old.demux():
            if made.size:
                made.stream = copies[made.stream.index]
                new.mux(made)
    assert clean_file(source, target, FakeProcessor(), FAST).warnings == ()
    with av.open(str(target)) as container:
        assert container.streams.audio[0].language == language


@pytest.mark.parametrize("suffix", [".mov", ".mkv"])
def test_the_shape_of_pixels_stays_or_is_named(suffix, clip, tmp_path):
    """ProRes has it in the container alone, where PyAV can write it into MOV only."""
    ratio = Fraction(16, 15)
    spec = Clip(
        *(".mov", "prores_ks"),
        pixel_format="yuv422p10le",
        frames=2,
        options=(),
        sample_aspect_ratio=ratio,
    )
    result = clean_file(clip(spec), tmp_path / f"out{suffix}", FakeProcessor())
    kept = described(tmp_path / f"out{suffix}")["sample aspect ratio"] == ratio
    assert kept is (suffix == ".mov")
    assert [warning.split(": ")[1] for warning in result.warnings] == (
        [] if kept else ["prores in .mkv keeps no pixel shape"]
    )


def test_rotation_and_tags_that_cannot_be_kept_are_named(clip, tmp_path):
    source = clip(Clip(rotation=90, frames=3, color=(2, 9, 16, 9)))
    result = clean_file(source, tmp_path / "out.ts", FakeProcessor(), FAST)
    assert result.warnings == (f"{source}: h264 in .ts keeps no rotation",)
    plain = clip(Clip(rotation=90, frames=3))
    result = clean_file(plain, tmp_path / "out.webm", FakeProcessor())
    assert not [warning for warning in result.warnings if "rotation" in warning]
    with (
        contextlib.closing(FileSource(plain)) as before,
        contextlib.closing(FileSource(tmp_path / "out.webm")) as after,
    ):
        assert before.info.display_matrix == after.info.display_matrix is not None


TRANSPARENT = {
    "ffv1 yuva420p": (".mkv", "ffv1", "yuva420p", ".mkv", "ffv1"),
    "ffv1 yuva444p16": (".mkv", "ffv1", "yuva444p16le", ".mkv", "ffv1"),
    "ffv1 bgra": (".mkv", "ffv1", "bgra", ".mkv", "ffv1"),
    "ffv1 bgra to mov": (".mkv", "ffv1", "bgra", ".mov", "qtrle"),
    "png rgba": (".mov", "png", "rgba", ".mov", "png"),
    "png rgba64": (".mov", "png", "rgba64be", ".mov", "png"),
    "png ya16": (".mov", "png", "ya16be", ".mov", "png"),
    "qtrle argb": (".mov", "qtrle", "argb", ".mkv", "ffv1"),
    "vp9": (".webm", "libvpx-vp9", "yuva420p", ".webm", "vp9"),
    "vp8": (".webm", "libvpx", "yuva420p", ".webm", "vp8"),
    "prores": (".mov", "prores_ks", "yuva444p10le", ".mov", "prores"),
}


@pytest.mark.parametrize("case", TRANSPARENT.values(), ids=TRANSPARENT)
def test_transparency_stays(case, tmp_path):
    before, codec, layout, after, kept_as = case
    source, target = tmp_path / f"in{before}", tmp_path / f"out{after}"
    make_transparent(source, codec, layout)
    result = clean_file(source, target, FakeProcessor())
    lossless = codec in ("ffv1", "png", "qtrle")
    shown = []
    for path in (source, target):
        opened = FileSource(path)
        shown.append((opened.info, list(opened.frames())))
        opened.close()
    (_, frames), (info, kept) = shown
    assert info.codec == kept_as
    assert len(frames) == len(kept) == 3
    for one, other in zip(frames, kept, strict=True):
        full = (1 << other.planes.bit_depth) - 1
        error = np.abs(one.alpha / ((1 << one.planes.bit_depth) - 1) - other.alpha / full)
        assert error.max() <= (0 if lossless else 0.1)
        assert one.alpha.std() > 0.1 * full
    assert any("is lost" in warning for warning in result.warnings) is False


def make_transparent(path, codec, layout):
    """Three pictures that fade from left to right."""
    options = {"auto-alt-ref": "0", "crf": "4", "b": "1000000"} if "libvpx" in codec else {}
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=25, options=options)
        video.width, video.height, video.pix_fmt = 64, 48, layout
        rng = np.random.default_rng(2)
        for index in range(3):
            pixels = np.empty((48, 64, 4), np.uint8)
            pixels[..., :3] = rng.integers(0, 256, (6, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
            pixels[..., 3] = np.linspace(0, 255, 64)
            shot = av.VideoFrame.from_ndarray(pixels, "rgba").reformat(format=layout)
            shot.pts, shot.time_base = index, Fraction(1, 25)
            container.mux(video.encode(shot))
        container.mux(video.encode(None))


def test_a_setting_that_the_sources_codec_lacks_does_not_change_the_codec(clip, tmp_path):
    source = clip(Clip(".mkv", "ffv1", frames=2, options=()))
    result = clean_file(
        source, tmp_path / "out.mkv", FakeProcessor(), CleanOptions(EncoderOptions(crf=20))
    )
    assert result.warnings == ("ffv1 has no --crf; it is not used",)
    assert described(tmp_path / "out.mkv")["streams"][0][1] == "ffv1"


@pytest.mark.parametrize(
    ("asked", "used", "says"),
    [
        ("h264_videotoolbox", "h264", "h264_videotoolbox is not an encoder of this FFmpeg"),
        ("hevc_vaapi", "hevc", "hevc_vaapi is not an encoder of this FFmpeg"),
        ("nvenc", "h264", "h264_nvenc finds no device that takes"),
        ("qsv", "h264", "h264_qsv finds no device that takes"),
    ],
)
def test_a_missing_device_falls_back_to_software_and_says_so(asked, used, says, clip, tmp_path):
    if Path("/dev/dri").exists() or Path("/dev/nvidia0").exists():
        pytest.skip("there may be such a device")
    options = CleanOptions(EncoderOptions(asked, preset=None))
    result = clean_file(clip(Clip(frames=2)), tmp_path / "out.mp4", FakeProcessor(), options)
    assert described(tmp_path / "out.mp4")["streams"][0][1] == used
    (warning,) = result.warnings
    assert says in warning
    assert warning.endswith(f"lib{'x265' if used == 'hevc' else 'x264'} is used instead")


@pytest.mark.parametrize(
    ("suffix", "codec", "layout", "tag"),
    [
        (".mp4", "libx265", "yuv420p", "hvc1"),
        (".mov", "libx265", "yuv420p", "hvc1"),
        (".mov", "prores_ks", "yuv422p10le", "apch"),
        (".mov", "prores_ks", "yuva444p10le", "ap4h"),
    ],
)
def test_players_find_the_tag_they_know(suffix, codec, layout, tag, clip, tmp_path):
    """Muxers have defaults that not every player reads: hev1, or ProRes 422 for 4444."""
    options = (("x265-params", "log-level=none"),) if codec == "libx265" else ()
    source = clip(Clip(suffix, codec, pixel_format=layout, frames=8, options=options))
    clean_file(source, tmp_path / f"out{suffix}", FakeProcessor())
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        assert container.streams.video[0].codec_context.codec_tag == tag


@pytest.mark.parametrize(
    ("codec", "layout", "profile", "told"),
    [
        ("prores_ks", "yuv422p10le", "proxy", "Proxy"),
        ("prores_ks", "yuv422p10le", "lt", "LT"),
        ("prores_ks", "yuva444p10le", "4444xq", "XQ"),
        ("dnxhd", "yuv422p", "dnxhr_lb", "DNXHR LB"),
        ("dnxhd", "yuv422p", "dnxhr_sq", "DNXHR SQ"),
    ],
)
def test_the_profile_of_codecs_for_editing_follows_the_source(
    codec, layout, profile, told, clip, tmp_path
):
    size = (256, 144) if codec == "dnxhd" else (160, 120)
    spec = Clip(".mov", codec, *size, layout, 3, options=(("profile", profile),))
    clean_file(clip(spec), tmp_path / "out.mov", FakeProcessor())
    with av.open(str(tmp_path / "out.mov")) as container:
        assert container.streams.video[0].codec_context.profile == told


def test_prores_is_told_the_colours(clip, tmp_path):
    """Its encoder takes them from each picture, not from the stream: they came out unspecified."""
    deep = Clip(".mkv", "ffv1", 64, 48, "yuv422p10le", 2, options=(), color=(1, 9, 16, 9))
    options = CleanOptions(EncoderOptions("prores"))
    result = clean_file(clip(deep), tmp_path / "out.mov", FakeProcessor(), options)
    assert described(tmp_path / "out.mov")["color"] == [1, 9, 16, 9]
    assert result.warnings == ()


def test_avi_without_times_for_reordered_pictures_keeps_an_even_pace(clip, tmp_path):
    """FFmpeg makes up a pts for each packet as if it were shown when it is decoded."""
    source = tmp_path / "in.avi"
    options = {"preset": "medium", "bf": "3"}
    with av.open(str(source), "w") as container:
        video = container.add_stream("libx264", rate=25, options=options)
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        spec = Clip(time_base=Fraction(1, 25), gaps=(1,))
        for index in range(24):
            container.mux(video.encode(picture(spec, index, index)))
        container.mux(video.encode(None))
    clean_file(source, tmp_path / "out.mkv", FakeProcessor(), FAST)
    shown = times(tmp_path / "out.mkv")
    assert [time - shown[0] for time in shown] == [Fraction(index, 25) for index in range(24)]


AVI = {
    "h264": Clip(audio="aac", frames=12),
    "h264 with B-frames": Clip(options=(("preset", "medium"), ("bf", "3")), frames=12),
    "matroska's rounded times": Clip(
        ".mkv", time_base=Fraction(1, 1000), gaps=(33, 33, 34), frames=12, audio="flac"
    ),
    "pictures left out": Clip(gaps=(512, 1024, 512, 1536), frames=12),
    "late, both alike": Clip(".ts", time_base=Fraction(1, 90000), gaps=(3600,), start=90000),
    "mpeg4": Clip(codec="mpeg4", frames=5, options=()),
    "ffv1": Clip(".mkv", "ffv1", pixel_format="bgra", frames=3, options=()),
}


@pytest.mark.parametrize("spec", AVI.values(), ids=AVI)
def test_avi_keeps_pictures_in_step(spec, clip, tmp_path):
    source, target = clip(spec), tmp_path / "out.avi"
    result = clean_file(source, target, FakeProcessor(), FAST)
    assert [
        warning
        for warning in result.warnings
        if "--preset" not in warning and "avi keeps no language" not in warning
    ] == []
    before, after = FileSource(source), FileSource(target)
    shown = [
        [frame.pts * frame.time_base for frame in opened.frames()] for opened in (before, after)
    ]
    before.close()
    after.close()
    moved = [two - one for one, two in zip(*shown, strict=True)]
    assert max(moved) - min(moved) <= Fraction(1, 1000)  # what Matroska had rounded
    assert after.info.codec == before.info.codec
    if spec.audio:
        heard = [data for time, data in packets(source, "audio") if time >= 0]
        assert [data for _, data in packets(target, "audio")] == heard


def test_what_avi_cannot_tell_is_refused_before_any_work(clip, tmp_path):
    late = clip(Clip(start=12800, audio="aac"))
    for source, says in (
        (clip(Clip(gaps=(512, 300))), "frame rate varies"),
        (late, "1.00 s apart"),
    ):
        processor = FakeProcessor()
        with pytest.raises(SinkError, match=f"{says}.*name the output .mkv"):
            clean_file(source, tmp_path / "out.avi", processor)
        assert processor.calls == []
