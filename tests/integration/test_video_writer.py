"""The encoder's side: what reaches the file when frames come from anywhere."""

import contextlib
import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.sidedata.sidedata import Type
from clips import Clip, times
from fakes import FakeProcessor

from stream.capture.file import FileSource
from stream.capture.synthetic import SyntheticSource
from stream.jobs import CleanOptions, clean_file
from stream.output import encoder as encoder_choice
from stream.output.encoder import EncoderOptions
from stream.output.file import VideoWriter
from stream.output.null import NullSink
from stream.pipeline import Pipeline

FAST = EncoderOptions(preset="ultrafast")
DISPLAY = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
HDR = {
    "libx264": f"mastering-display={DISPLAY}:cll=1000,400",
    "libx265": f"log-level=none:master-display={DISPLAY}:max-cll=1000,400",
}


class Shifted(SyntheticSource):
    """The pattern with every pts moved."""

    def __init__(self, start, **options):
        super().__init__(32, 16, 6, **options)
        self.info = replace(self.info, start_pts=start)
        self._start = start

    def frames(self):
        for frame in super().frames():
            yield frame.replace(pts=frame.pts + self._start)


@pytest.mark.parametrize(("start", "first"), [(0, 0), (7, 7), (-4, 0), (2**35, 2**35)])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".ts"])
def test_every_start_is_kept_and_none_is_before_zero(suffix, start, first, tmp_path):
    """MP4 would cut pictures before 0; a transport stream counts modulo 2**33 of 1/90000 s."""
    target = tmp_path / f"out{suffix}"
    rate = Fraction(25)
    Pipeline(Shifted(start, frame_rate=rate), FakeProcessor(), VideoWriter(target, FAST)).run()
    shown = times(target)
    assert [time - shown[0] for time in shown] == [Fraction(index, 25) for index in range(6)]
    if suffix != ".ts":
        assert shown[0] == Fraction(first, 25)


@pytest.mark.parametrize("codec", ["h264", "hevc", "vp9", "av1", "mpeg4", "ffv1"])
@pytest.mark.parametrize("frames", [1, 2, 3])
def test_very_short_videos_have_valid_times(codec, frames, tmp_path):
    """libx265 4.2 leaves the dts of one or two frames uninitialised."""
    target = tmp_path / "out.mp4"
    source = SyntheticSource(64, 48, frames, Fraction(25))
    Pipeline(source, FakeProcessor(), VideoWriter(target, EncoderOptions(codec))).run()
    assert times(target) == [Fraction(index, 25) for index in range(frames)]


WITHOUT_LOSS = {"libx264": (("qp", "0"),), "libx265": (("x265-params", "lossless=1"),)}


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("encoder", HDR)
def test_static_hdr_metadata_is_kept(encoder, lossless, clip, tmp_path):
    """Byte for byte, from the bitstream of one to the bitstream of the other."""

    def side_data(path):
        with av.open(str(path)) as container:
            picture = next(container.decode(video=0))
            kinds = (Type.MASTERING_DISPLAY_METADATA, Type.CONTENT_LIGHT_LEVEL)
            return {kind: bytes(picture.side_data[kind]) for kind in kinds}

    flag = encoder.removeprefix("lib") + "-params"
    options = {"preset": "ultrafast"} | dict(WITHOUT_LOSS[encoder] if lossless else ())
    options[flag] = ":".join(filter(None, (options.get(flag), HDR[encoder])))
    options = tuple(options.items())
    spec = Clip(
        codec=encoder, options=options, pixel_format="yuv420p10le", frames=6, color=(1, 9, 16, 9)
    )
    result = clean_file(clip(spec), tmp_path / "out.mp4", FakeProcessor(), CleanOptions(FAST))
    assert result.warnings == ()
    assert side_data(tmp_path / "out.mp4") == side_data(clip(spec))


def test_av1_keeps_hdr_metadata_in_its_own_units(clip, tmp_path):
    options = (("preset", "ultrafast"), ("x264-params", HDR["libx264"]))
    source = clip(Clip(options=options, pixel_format="yuv420p10le", frames=6, color=(1, 9, 16, 9)))
    chosen = CleanOptions(EncoderOptions("av1", preset="12"))
    assert clean_file(source, tmp_path / "out.mp4", FakeProcessor(), chosen).warnings == ()
    hdr = []
    for path in (source, tmp_path / "out.mp4"):
        opened = FileSource(path)
        hdr.append(opened.info.hdr)
        opened.close()
    before, after = hdr
    assert after.content_light == before.content_light == (1000, 400)
    assert after.chromaticity == pytest.approx(before.chromaticity, abs=2**-15)
    assert after.luminance == pytest.approx(before.luminance, abs=2**-13)


def test_hdr_metadata_that_cannot_be_kept_is_named(clip, tmp_path):
    options = (("preset", "ultrafast"), ("x264-params", HDR["libx264"]))
    source = clip(Clip(options=options, pixel_format="yuv422p10le", frames=2))
    chosen = CleanOptions(EncoderOptions("ffv1"))
    result = clean_file(source, tmp_path / "out.mkv", FakeProcessor(), chosen)
    assert result.warnings == (f"ffv1 cannot keep the HDR metadata of {source}",)


def test_hdr_metadata_that_an_encoder_leaves_out_is_named(clip, tmp_path, monkeypatch):
    options = (("preset", "ultrafast"), ("x264-params", HDR["libx264"]))
    source = clip(Clip(options=options, pixel_format="yuv420p10le", frames=2))
    monkeypatch.setattr(encoder_choice, "joined", lambda flags, more: flags)
    result = clean_file(source, tmp_path / "out.mp4", FakeProcessor())
    assert result.warnings == (f"{source}: its HDR metadata cannot be kept",)


def test_null_sink_takes_everything(clip):
    assert Pipeline(FileSource(clip(Clip())), FakeProcessor(), NullSink()).run().frames_out == 24


def test_a_file_name_may_look_like_a_protocol(tmp_path):
    target = tmp_path / "12:30 clean.mp4"
    Pipeline(SyntheticSource(32, 16, 2), FakeProcessor(), VideoWriter(target, FAST)).run()
    assert len(times(target)) == 2


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="root alone may")
def test_an_encoder_takes_no_thread_into_real_time(tmp_path):
    """SVT-AV1 does, where it may: its own, the one that calls it, and so all that come after."""
    source, seen = SyntheticSource(128, 96, 4, Fraction(25)), []
    others = len(running_threads()) + len(("capture", "inference"))

    class Watched(VideoWriter):
        def write(self, frame):
            super().write(frame)
            seen.append(running_threads())

    writer = Watched(tmp_path / "out.mkv", EncoderOptions("av1"))
    Pipeline(source, FakeProcessor(), writer).run()
    assert min(map(len, seen)) > others, "the encoder has threads of its own"
    assert {policy for policies in seen for policy in policies} == {os.SCHED_OTHER}


def running_threads():
    """The scheduling policy of each thread of this process."""
    policies = []
    for folder in Path("/proc/self/task").iterdir():
        with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
            policies.append(os.sched_getscheduler(int(folder.name)))
    return policies
