"""Files that are not MP4 or Matroska with H.264: nothing is lost but what is named."""

from fractions import Fraction

import av
import numpy as np
import pytest
from clips import Clip, make_clip, packet, packets, picture, png, times
from fakes import FakeProcessor

from stream.capture.file import FileSource
from stream.errors import OpenError
from stream.jobs import CleanOptions, clean_file

QUALITY = {"flags": "+qscale", "global_quality": "236"}
INPUTS = {
    "wmv": (".wmv", "wmv2", "yuv420p", QUALITY, "wmav2"),
    "flv": (".flv", "flv", "yuv420p", QUALITY, "libmp3lame"),
    "program stream": (".mpg", "mpeg2video", "yuv420p", QUALITY, "mp2"),
    "mpeg1": (".mpg", "mpeg1video", "yuv420p", QUALITY, "mp2"),
    "dvd": (".vob", "mpeg2video", "yuv420p", QUALITY | {"bf": "2"}, "ac3"),
    "transport stream": (".ts", "mpeg2video", "yuv420p", QUALITY, "mp2"),
    "mxf": (".mxf", "mpeg2video", "yuv420p", QUALITY, "pcm_s16le"),
    "avi": (".avi", "mpeg4", "yuv420p", QUALITY | {"bf": "2"}, "libmp3lame"),
    "avi, lossless": (".avi", "huffyuv", "yuv422p", {}, "pcm_s16le"),
    "raw": (".y4m", "rawvideo", "yuv420p", {}, ""),
    "nut": (".nut", "snow", "yuv420p", QUALITY, ""),
    "webm": (".webm", "libvpx", "yuv420p", {"b": "1000000"}, "libopus"),
    "quicktime": (".mov", "cfhd", "yuv422p10le", {}, "pcm_s24le"),
    "jpeg 2000": (".mov", "jpeg2000", "yuv420p", {}, ""),
}
LOST_IN_MATROSKA = ("wmav2",)  # PyAV asks the muxer, which names the codecs of its own list only


def make(path, codec, layout, options, sound):
    formats = {".wmv": "asf", ".mpg": "mpeg", ".y4m": "yuv4mpegpipe", ".ts": "mpegts"}
    with av.open(str(path), "w", format=formats.get(path.suffix)) as container:
        video = container.add_stream(codec, rate=25, options=options)
        video.width, video.height, video.pix_fmt = 160, 128, layout
        spec = Clip(height=128, pixel_format=layout, time_base=Fraction(1, 25), gaps=(1,))
        audio = None
        if sound:
            audio = container.add_stream(sound, rate=48_000, layout="mono")
            audio.bit_rate = 64_000
        container.start_encoding()
        for index in range(12):
            container.mux(video.encode(picture(spec, index, index)))
        container.mux(video.encode(None))
        if audio:
            size = audio.codec_context.frame_size or 1920
            kind = audio.codec_context.format.name
            dtype = {"s16": np.int16, "s32": np.int32, "flt": np.float32}[kind.rstrip("p")]
            for start in range(0, 23_040 // size * size, size):
                samples = np.zeros((1, size), dtype)
                frame = av.AudioFrame.from_ndarray(samples, kind, "mono")
                frame.sample_rate, frame.pts = 48_000, start
                container.mux(audio.encode(frame))
            container.mux(audio.encode(None))


@pytest.mark.parametrize("case", INPUTS.values(), ids=INPUTS)
def test_any_input_keeps_count_times_and_sound(case, tmp_path):
    suffix, codec, layout, options, sound = case
    source, target = tmp_path / f"in{suffix}", tmp_path / "out.mkv"
    make(source, codec, layout, options, sound)
    result = clean_file(source, target, FakeProcessor())
    opened = FileSource(source)
    expected = [frame.pts * frame.time_base for frame in opened.frames()]
    opened.close()
    assert result.stats.frames_out == len(expected) == 12
    moved = [after - before for before, after in zip(expected, times(target), strict=True)]
    assert max(moved) - min(moved) <= Fraction(1, 1000)
    if sound in LOST_IN_MATROSKA:
        assert any("audio stream 1 (wmav2) cannot be kept" in text for text in result.warnings)
    elif sound:
        before, after = packets(source, "audio"), packets(target, "audio")
        assert [data for _, data in after] == [data for _, data in before]
        for (one, _), (other, _) in zip(before, after, strict=True):
            assert abs(other - one - moved[0]) <= Fraction(1, 500)


def make_gif(path):
    """Few colours, a bar that moves, and pauses of many lengths."""
    pauses = (4, 7, 2, 30)
    with av.open(str(path), "w") as container:
        video = container.add_stream("gif", rate=100)
        video.width, video.height, video.pix_fmt = 34, 22, "bgr8"
        video.codec_context.time_base = Fraction(1, 100)
        time = 0
        for index in range(9):
            pixels = np.full((22, 34, 3), 28 * index, np.uint8)
            pixels[:, index : index + 4] = (255, 0, 0)
            shot = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format="bgr8")
            shot.pts, shot.time_base = time, Fraction(1, 100)
            container.mux(video.encode(shot))
            time += pauses[index % len(pauses)]
        container.mux(video.encode(None))


def test_a_gif_of_few_colours_comes_back_exactly_whatever_the_segments(tmp_path):
    source, target = tmp_path / "in.gif", tmp_path / "out.gif"
    make_gif(source)
    options = CleanOptions(segment_s=Fraction(1, 5))
    result = clean_file(source, target, FakeProcessor(), options)
    lost = "a picture keeps 256 colours and whole transparency (gif in gif)"
    assert result.warnings == (f"{source}: {lost}",)
    assert target.read_bytes().count(b"GIF89a") == 1
    shown = []
    for path in (source, target):
        with av.open(str(path)) as container:
            pictures = list(container.decode(video=0))
            shown.append([(shot.pts, shot.to_ndarray(format="rgba")) for shot in pictures])
    for (one, before), (other, after) in zip(*shown, strict=True):
        assert one == other
        np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize(("spec", "error"), [(Clip(), 8), (Clip(pixel_format="yuv422p10le"), 8)])
def test_a_video_becomes_a_gif_of_its_nearest_colours(spec, error, clip, tmp_path):
    target = tmp_path / "out.gif"
    result = clean_file(clip(spec), target, FakeProcessor())
    assert [text.split(": ")[1] for text in result.warnings] == [
        "a picture keeps 256 colours (gif in gif)"
    ]
    assert times(target) == times(clip(spec))
    shown = []
    for path in (clip(spec), target):
        with av.open(str(path)) as container:
            shown.append([s.to_ndarray(format="rgb24") for s in container.decode(video=0)])
    assert np.abs(np.array(shown[0], int) - np.array(shown[1])).mean() < error


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".mkv", "ffv1"), (".mov", "qtrle"), (".mp4", "h264")]
)
def test_an_animated_gif_keeps_every_picture_its_time_and_its_holes(suffix, codec, tmp_path):
    source, target = tmp_path / "in.gif", tmp_path / f"out{suffix}"
    make_gif(source)
    result = clean_file(source, target, FakeProcessor())
    assert times(target) == times(source)
    assert len(times(source)) == 9
    opened = FileSource(target)
    assert opened.info.codec == codec
    assert ("its transparency is lost" in " ".join(result.warnings)) is (suffix == ".mp4")
    opened.close()


def test_times_that_wrap_around_in_a_transport_stream_go_on(tmp_path):
    """Its counter has 33 bits: every 26.5 hours it begins again."""
    source = tmp_path / "in.ts"
    unit = Fraction(1, 90000)
    spec = Clip(".ts", time_base=unit, gaps=(3600,), start=2**33 - 5 * 3600, frames=12)
    make_clip(source, spec)
    for suffix in (".ts", ".mkv", ".mp4"):
        target = tmp_path / f"out{suffix}"
        clean_file(source, target, FakeProcessor())
        shown = times(target)
        ideal = [index * Fraction(1, 25) for index in range(12)]
        assert [time - shown[0] for time in shown] == ideal


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".ts"])
def test_sound_from_before_the_first_frame_is_heard_whatever_the_clock(suffix, clip, tmp_path):
    """MP4 would hide it where the clock has run over, and so the film begins before 0."""
    spec = Clip(".ts", time_base=Fraction(1, 90000), gaps=(3600,), start=45000, audio="aac")
    source, target = tmp_path / "in.ts", tmp_path / f"out{suffix}"
    with av.open(str(clip(spec))) as before, av.open(str(source), "w") as after:
        streams = {one.index: after.add_stream_from_template(one) for one in before.streams}
        for made in before.demux():
            if made.size:
                made.pts, made.dts = made.pts + 2**33 - 90000, made.dts + 2**33 - 90000
                made.stream = streams[made.stream.index]
                after.mux(made)
    clean_file(source, target, FakeProcessor())
    heard = [time for time, _ in packets(target, "audio") if time >= 0]
    assert len(heard) == len(packets(source, "audio"))
    given = times(source)[0] - packets(source, "audio")[0][0]
    assert float(times(target)[0] - heard[0]) == pytest.approx(float(given), abs=0.002)
    assert given > Fraction(2, 5)


def test_a_file_with_nothing_but_cover_art_is_no_video(tmp_path):
    path = tmp_path / "song.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        cover = container.add_mux_stream("png", width=16, height=16)
        cover.disposition = 1 << 10
        container.start_encoding()
        made = av.Packet(png())
        made.stream, made.pts, made.dts, made.time_base = cover, 0, 0, Fraction(1, 1000)
        container.mux(made)
    with pytest.raises(OpenError, match="holds no video"):
        clean_file(path, tmp_path / "out.mp4", FakeProcessor())


@pytest.mark.parametrize("suffix", [".ts", ".mkv"])
def test_data_streams_are_kept_or_named(suffix, tmp_path):
    source, target = tmp_path / "in.ts", tmp_path / f"out{suffix}"
    with av.open(str(source), "w", format="mpegts") as container:
        video = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        data = container.add_data_stream("klv")
        spec = Clip(time_base=Fraction(1, 25), gaps=(1,))
        for index in range(12):
            container.mux(video.encode(picture(spec, index, index)))
            container.mux(packet(data, b"\x06\x0e\x2b\x34" + bytes([index] * 12), 40 * index, 0))
        container.mux(video.encode(None))
    result = clean_file(source, target, FakeProcessor())
    if suffix == ".ts":
        assert result.warnings == ()
        read = [[raw for _, raw in packets(path, "data")] for path in (source, target)]
        assert read[0] == read[1]
        assert len(read[0]) == 12
    else:
        named = "data stream 1 (klv) cannot be kept in mkv, left out; .ts keeps it"
        assert result.warnings == (named,)
