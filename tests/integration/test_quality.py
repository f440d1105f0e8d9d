"""The quality of an encode follows that of its source."""

from fractions import Fraction

import av
import numpy as np
import pytest
from fakes import FakeProcessor

from stream.capture.lossless import is_lossless
from stream.jobs import CleanOptions, clean_file
from stream.jobs.clean import prepare
from stream.output.encoder import EncoderOptions
from stream.output.priority import start_encoding

LOSSLESS = {
    "libx264": (".mp4", {"qp": "0"}),
    "libx265": (".mkv", {"x265-params": "lossless=1:log-level=none"}),
    "libvpx-vp9": (".webm", {"lossless": "1"}),
    "libsvtav1": (".mp4", {"svtav1-params": "lossless=1"}),
}


def write(path, encoder, flags, frames=40, size=(160, 96)):
    """A soft texture that moves, with noise."""
    rng = np.random.default_rng(5)
    width, height = size
    canvas = rng.normal(0, 1, (height // 4 + 1, width // 4 + frames)).cumsum(1)
    canvas = (canvas - canvas.min()) / np.ptp(canvas) * 180 + 30
    canvas = canvas.repeat(4, 0).repeat(4, 1)
    with av.open(str(path), "w", format={".ts": "mpegts"}.get(path.suffix)) as container:
        video = container.add_stream(encoder, rate=25, options=flags)
        video.width, video.height = size
        video.pix_fmt = "yuvj420p" if encoder == "mjpeg" else "yuv420p"
        start_encoding(container)
        for index in range(frames):
            shot = canvas[:height, 3 * index : 3 * index + width] + rng.normal(
                0, 4, (height, width)
            )
            frame = av.VideoFrame.from_ndarray(shot.clip(0, 255).astype(np.uint8), "gray")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(video.encode(frame.reformat(format=video.pix_fmt)))
        container.mux(video.encode())


def size(path):
    """Bytes of the video's packets."""
    with av.open(str(path)) as container:
        return sum(packet.size for packet in container.demux(video=0))


@pytest.mark.parametrize(
    ("encoder", "suffix", "flags"),
    [
        ("libx264", ".mp4", {"crf": "30"}),
        ("libx265", ".mp4", {"crf": "30", "x265-params": "log-level=none"}),
        ("libvpx-vp9", ".webm", {"crf": "40", "b": "0"}),
        ("libvpx", ".webm", {"crf": "40", "b": "9000000"}),
        ("libsvtav1", ".mkv", {"crf": "40"}),
        ("mpeg4", ".avi", {"flags": "+qscale", "qmin": "6"}),
        ("mpeg2video", ".mkv", {"flags": "+qscale", "qmin": "6"}),
        ("mjpeg", ".avi", {"flags": "+qscale", "qmin": "6"}),
    ],
)
def test_a_coarse_source_does_not_grow(encoder, suffix, flags, tmp_path):
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    write(source, encoder, flags)
    clean_file(source, target, FakeProcessor())
    assert 0.6 < size(target) / size(source) < 1.4


@pytest.mark.parametrize("encoder", LOSSLESS)
def test_a_source_without_loss_stays_so(encoder, tmp_path):
    suffix, flags = LOSSLESS[encoder]
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    write(source, encoder, flags, frames=10)
    assert is_lossless(source)
    clean_file(source, target, FakeProcessor())
    assert is_lossless(target)
    shots = []
    for path in (source, target):
        with av.open(str(path)) as container:
            shots.append([frame.to_ndarray() for frame in container.decode(video=0)])
    np.testing.assert_array_equal(shots[1], shots[0])


def test_a_fine_source_and_a_users_own_quality_keep_the_number(tmp_path):
    fine, coarse, target = (tmp_path / f"{name}.mp4" for name in ("fine", "coarse", "out"))
    write(fine, "libx264", {"crf": "12"})
    write(coarse, "libx264", {"crf": "35"})
    for source, crf, chosen in ((fine, None, 17), (coarse, None, 28), (coarse, 20, 20)):
        options = CleanOptions(EncoderOptions(crf=crf))
        ready = prepare(source, target, options, "")
        ready.close()
        assert ready.plan.encoding.flags["crf"] == str(chosen)
    assert not is_lossless(fine)
