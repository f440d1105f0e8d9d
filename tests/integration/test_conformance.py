"""What a file keeps, over codecs, pixel formats, times, rotations and containers.

Every clip goes through a processor that changes nothing, with the codec left to follow the source.
The default run takes each codec and format once, with times, rotations and containers in turn; the
slow run takes them all.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction

import pytest
from clips import Clip, packets, times
from fakes import FakeProcessor
from test_clean_file import described

from stream.capture.file import FileSource
from stream.jobs import clean_file

X264, X265 = (
    (("preset", "ultrafast"),),
    (("preset", "ultrafast"), ("x265-params", "log-level=none")),
)
REORDERING = {
    "libx264": (("preset", "medium"), ("bf", "3")),
    "libx265": (("preset", "fast"), ("x265-params", "log-level=none:bframes=3")),
}
VP9 = (("deadline", "realtime"), ("cpu-used", "8"))
FULL, HDR10 = (2, 1, 1, 1), (1, 9, 16, 9)
VIDEOS = {
    f"{codec} {layout}": Clip(codec=codec, pixel_format=layout, options=options, color=color)
    for codec, layouts, options, color in [
        ("libx264", "yuv420p yuv422p yuv444p yuv420p10le yuv422p10le", X264, (1, 1, 1, 1)),
        ("libx264", "gray yuv444p10le", X264, (0, 2, 2, 2)),
        ("libx264rgb", "rgb24", X264, (2, 1, 13, 0)),
        ("libx265", "yuv420p yuv422p yuv444p yuv422p10le yuv420p12le yuv444p12le", X265, FULL),
        ("libx265", "yuv420p10le", X265, HDR10),
        ("libx265", "gbrp gbrp10le", X265, (2, 1, 13, 0)),
        ("libvpx-vp9", "yuv420p yuv422p yuv444p", VP9, (1, 1, 1, 1)),
        ("libvpx-vp9", "gbrp", VP9, (2, 1, 1, 0)),
        ("libvpx", "yuv420p", VP9, (1, 2, 2, 2)),
        ("libsvtav1", "yuv420p yuv420p10le", (("preset", "12"),), (1, 9, 16, 9)),
        ("prores_ks", "yuv422p10le yuv444p10le", (), (1, 1, 1, 1)),
        ("ffv1", "yuv420p yuv422p10le yuv444p12le yuv420p16le gray gray16le", (), (1, 2, 2, 2)),
        ("ffv1", "bgr0 gbrp10le gbrp16le bgra", (), (2, 2, 2, 0)),
        ("mjpeg", "yuvj420p yuvj422p yuvj444p", (), (2, 2, 2, 2)),
        ("mpeg4", "yuv420p", (), (0, 2, 2, 2)),
        ("png", "rgb24 rgba rgb48be gray", (), (2, 2, 2, 2)),
        ("qtrle", "rgb24 argb", (), (0, 2, 2, 2)),
    ]
    for layout in layouts.split()
}
MKV, MP4, TS = Fraction(1, 1000), Fraction(1, 12800), Fraction(1, 90000)
CONTAINERS = {
    ".mp4": (MP4, "aac", "libx264 libx264rgb libx265 libvpx-vp9 libsvtav1 mpeg4 mjpeg png"),
    ".mov": (MP4, "pcm_s16le", "libx264 libx265 prores_ks mjpeg mpeg4 png qtrle"),
    ".mkv": (
        MKV,
        "flac",
        "libx264 libx264rgb libx265 libvpx-vp9 libvpx libsvtav1 ffv1 mpeg4 mjpeg",
    ),
    ".webm": (MKV, "libopus", "libvpx-vp9 libvpx libsvtav1"),
    ".ts": (TS, "mp2", "libx264 libx265"),
}
# steps between pictures in 1/1000 s, the start, and whether pictures are reordered
TIMINGS = {
    "constant": ((40,), 0, False),
    "variable": ((40, 25, 90), 0, False),
    "late": ((40, 33), 480, False),
    "B-frames": ((40, 55), 80, True),
}
ROTATIONS = (0, 90, 180, 270)
TURNS = (".mp4", ".mov", ".mkv")  # the others hold no display matrix


def clip_of(video, suffix, timing, rotation):
    """A clip for one cell of the matrix, or None where there is no such cell."""
    base = VIDEOS[video]
    unit, audio, codecs = CONTAINERS[suffix]
    gaps, start, reordered = TIMINGS[timing]
    if base.codec not in codecs.split() or (rotation and suffix not in TURNS):
        return None
    options = base.options
    if reordered:
        if base.codec not in REORDERING:
            return None
        options = REORDERING[base.codec]
    step = int(Fraction(1, 1000) / unit)
    if step * unit != Fraction(1, 1000):  # 12.8 units: near enough, and never a whole millisecond
        step = Fraction(64, 5)
    return replace(
        base,
        suffix=suffix,
        width=64,
        height=48,
        frames=7,
        time_base=unit,
        gaps=tuple(round(gap * step) for gap in gaps),
        start=round(start * step),
        options=options,
        rotation=rotation,
        audio=audio,
        metadata=(("title", "A walk"),),
    )


CELLS = {
    f"{video}, {timing}, {rotation}, {suffix}": clip
    for video, suffix, timing, rotation in itertools.product(VIDEOS, CONTAINERS, TIMINGS, ROTATIONS)
    if (clip := clip_of(video, suffix, timing, rotation))
}


def quick():
    """Each codec and format once; the other three in turn."""
    chosen = {}
    for turn, video in enumerate(VIDEOS):
        own = [name for name in CELLS if name.startswith(f"{video}, ")]
        name = own[turn * 7 % len(own)]
        chosen[name] = CELLS[name]
    return chosen


@pytest.mark.parametrize("spec", quick().values(), ids=quick())
def test_a_clip_comes_back_as_it_was(spec, clip, tmp_path):
    check(spec, clip(spec), tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_clip_of_the_matrix_comes_back_as_it_was(clip, tmp_path):
    """One test, so that clips are not kept."""
    failed = {}
    for name, spec in CELLS.items():
        folder = tmp_path / str(len(failed))
        folder.mkdir(exist_ok=True)
        try:
            check(spec, clip(spec), folder)
        except Exception as error:  # each is told at the end
            failed[name] = repr(error)[:300]
        for path in folder.iterdir():
            path.unlink()
    print(f"{len(CELLS)} clips, {len(failed)} failed")
    assert not failed, "\n".join(f"{name}: {error}" for name, error in failed.items())


def check(spec, source, folder):
    target = folder / f"out{spec.suffix}"
    result = clean_file(source, target, FakeProcessor())
    rounded = spec.codec == "prores_ks" and "444" in spec.pixel_format  # which FFmpeg reads as 12
    assert [warning.split(": ")[1] for warning in result.warnings] == (
        ["12 bits a sample are rounded to 10 (prores_ks in mov)"] * rounded
    )
    assert result.stats.frames_in == result.stats.frames_out == spec.frames
    before, after = summary(source), summary(target)
    assert after == before


def summary(path):
    """All that is to stay, pixels left aside."""
    source = FileSource(path)
    info, count = source.info, len(list(source.frames()))
    source.close()
    facts, shown = described(path), times(path)
    # a transport stream has no time before 0, so where decoding would begin there all is moved
    zero = shown[0] if path.suffix == ".ts" else 0
    facts.pop("length")
    return facts | {
        "frames": count,
        "times": [time - zero for time in shown],
        "sound": [(time - zero, data) for time, data in packets(path, "audio")],
        "matrix": info.display_matrix,
        "hdr": info.hdr,
        "shape": info.sample_aspect_ratio or 1,
        "sample aspect ratio": None,
        # an RGB format says so itself; whether a tag does too is the encoder's habit
        "color": info.color if info.color.rgb else facts["color"],
    }
