"""Nothing changed is nothing lost: a lossless encode holds every sample that was decoded."""

import av
import numpy as np
import pytest
from fakes import FakeProcessor

from stream.jobs import CleanOptions, clean_file
from stream.output.encoder import EncoderOptions

YUV = [f"yuv{layout}p" for layout in ("420", "422", "444")]
DEEP = [f"{name}{depth}le" for name in YUV for depth in (9, 10, 12, 16)]
ALPHA = [f"yuva{layout}p{depth}" for layout in ("420", "422", "444") for depth in ("", "10le")]
RGB = ["bgr0", "bgra", "gbrp9le", "gbrp10le", "gbrp12le", "gbrp14le", "gbrp16le"]
FFV1 = [*YUV, *DEEP, *ALPHA, *RGB, "gray", "gray10le", "gray12le", "gray16le", "ya8"]
X264 = {"qp": "0", "preset": "ultrafast"}
OTHERS = {
    "libx264": ("libx264", ["yuv420p", "yuv422p", "yuv444p", "gray"], X264),
    "libx264rgb": ("libx264", ["bgr24"], X264),
    "png": (None, ["rgb24", "rgba", "rgb48be", "rgba64be", "gray", "gray16be", "ya8"], {}),
    "qtrle": (None, ["rgb24", "argb"], {}),
    "utvideo": ("ffv1", ["gbrp", "gbrap", "yuv422p"], {}),
    "huffyuv": ("ffv1", ["rgb24", "bgra", "yuv422p"], {}),
    "rawvideo": ("ffv1", ["nv12", "uyvy422", "bgr24"], {}),
    "v210": (None, ["yuv422p10le"], {}),
}
"""Encoder of the source, codec of the output (None: the source's), pixel formats, options."""
SUFFIXES = {"utvideo": ".avi", "huffyuv": ".avi", "rawvideo": ".nut", "ffv1": ".mkv"}
CASES = [("ffv1", "ffv1", name, {}) for name in FFV1] + [
    (encoder, codec, name, options)
    for encoder, (codec, names, options) in OTHERS.items()
    for name in names
]


@pytest.mark.parametrize("case", CASES, ids=[f"{case[0]} {case[2]}" for case in CASES])
def test_a_lossless_encode_holds_every_sample(case, tmp_path):
    encoder, codec, layout, flags = case
    source = tmp_path / f"in{SUFFIXES.get(encoder, '.mov')}"
    target = tmp_path / (f"out{source.suffix}" if codec is None else "out.mkv")
    make(source, encoder, layout, flags)
    crf = 0 if codec == "libx264" else None
    options = EncoderOptions(codec and encoder if crf == 0 else codec, crf=crf)
    clean_file(source, target, FakeProcessor(lookahead=1), CleanOptions(options))
    before, after = samples(source), samples(target)
    assert len(before) == len(after) == 3
    for one, other in zip(before, after, strict=True):
        assert np.ptp(one) > 200
        np.testing.assert_array_equal(other, one)


def make(path, encoder, layout, flags):
    """Three pictures of noise over the whole range of the format."""
    rng = np.random.default_rng(4)
    with av.open(str(path), "w") as container:
        video = container.add_stream(encoder, rate=25, options=flags)
        video.width, video.height, video.pix_fmt = 66, 50, layout
        for index in range(3):
            shot = av.VideoFrame(66, 50, "rgba64le")
            raw = np.frombuffer(shot.planes[0], np.uint16)
            raw[:] = rng.integers(0, 1 << 16, raw.size)
            shot = shot.reformat(format=layout)
            shot.pts = index
            container.mux(video.encode(shot))
        container.mux(video.encode(None))


def samples(path):
    """Of every picture, as decoded, brought into one exact order for formats that have several."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        return [in_order(picture) for picture in container.decode(video)]


def in_order(picture):
    layout = picture.format
    alpha = any(part.is_alpha for part in layout.components)
    depth = max(part.bits for part in layout.components)
    grey = len(layout.components) <= 2 and not layout.is_rgb
    if layout.is_rgb and depth in (8, 16):
        name = {8: "rgba" if alpha else "rgb24", 16: "rgba64le" if alpha else "rgb48le"}[depth]
        picture = picture.reformat(format=name)
    elif layout.name in PLANAR or grey:
        name = PLANAR.get(layout.name, layout.name.replace("be", "le"))
        picture = picture.reformat(format=name)
    parts = []
    deep = max(part.bits for part in picture.format.components) > 8
    for plane in picture.planes:
        rows = np.frombuffer(plane, np.uint16 if deep else np.uint8).reshape(plane.height, -1)
        packed = len(picture.format.components) if len(picture.planes) == 1 else 1
        parts.append(rows[:, : plane.width * packed].ravel())
    return np.concatenate(parts)


PLANAR = {
    "nv12": "yuv420p",
    "uyvy422": "yuv422p",
}
