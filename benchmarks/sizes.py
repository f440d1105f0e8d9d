"""Compare the bytes of a cleaned video with those of its source, for sources of many kinds.

    python benchmarks/sizes.py [--model tiny] [--folder DIR]

A made-up clip, clean and with a sensor's noise, is written by several encoders from fine to coarse,
and cleaned twice: at each encoder's own default quality, and as `deblur clean` does it. The bytes
are of the file over those of the source; PSNR is of the luma that was written against what the
model gave. --folder takes videos of yours instead.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from unittest import mock

import av
import numpy as np

from models.evaluation.metrics import psnr
from stream.capture.file import FileSource
from stream.cli.demo import make_clip
from stream.frame import Frame, StreamInfo
from stream.inference.deblurrer import Deblurrer
from stream.jobs import CleanOptions, clean_file
from stream.jobs.plan import Plan
from stream.stages import Processor

RATE = 24
NOISE = 5.0
"""Standard deviation of the noisy clip's, in code values."""

ENCODERS = {
    "libx264": ("mp4", "crf", (17, 23, 29)),
    "libx265": ("mp4", "crf", (22, 30)),
    "libvpx-vp9": ("webm", "crf", (30,)),
    "libsvtav1": ("mp4", "crf", (35,)),
    "mpeg4": ("avi", "qmin", (3, 8)),
    "mpeg2video": ("ts", "qmin", (6,)),
    "mjpeg": ("avi", "qmin", (4,)),
}
"""Container, the name of the quality, and the qualities of the sources."""


class Once:
    """A processor that lets the model compute each frame once, and keeps what it gave."""

    def __init__(self, model: Processor) -> None:
        self.frames: dict[int, Frame] = {}
        self._model = model
        self._known = False

    def start(self, info: StreamInfo) -> None:
        """Begin a run."""
        self._known = bool(self.frames)
        self._model.start(info)

    def process(self, frame: Frame) -> Sequence[Frame]:
        """Give what is known, or what the model gives."""
        return [self.frames[frame.pts]] if self._known else self._kept(self._model.process(frame))

    def flush(self) -> Sequence[Frame]:
        """Give the rest."""
        return [] if self._known else self._kept(self._model.flush())

    def close(self) -> None:
        """End a run."""
        self._model.close()

    def _kept(self, frames: Sequence[Frame]) -> Sequence[Frame]:
        self.frames.update((frame.pts, frame) for frame in frames)
        return frames


def main() -> None:
    """Print a row per source, and the median and 90th percentile of all."""
    parser = argparse.ArgumentParser(description="Compare sizes of cleaned videos and sources.")
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--folder", type=Path, help="of videos, instead of made-up ones")
    options = parser.parse_args()
    model = Deblurrer(options.model, device="cpu", precision="float32")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        sources = sorted(options.folder.iterdir()) if options.folder else _written(Path(folder))
        print("source, times its bytes by default and now, PSNR in dB by default and now")
        for source in sources:
            once, target = Once(model), Path(folder) / f"out{source.suffix}"
            with mock.patch("stream.jobs.clean.following", _by_default):
                before = _measured(source, target, once)
            after = _measured(source, target, once)
            rows.append((before, after))
            (size, quality), (size_now, quality_now) = before, after
            print(
                f"{source.name:28}{size:6.2f}{size_now:6.2f}{quality:8.1f}{quality_now:6.1f}",
                flush=True,
            )
    for name, of in (("median", statistics.median), ("90th percentile", _ninetieth)):
        print(f"{name:28}{_over(rows, of)}")


def _by_default(source: Path, plan: Plan) -> object:
    return plan.encoding


def _measured(source: Path, target: Path, once: Once) -> tuple[float, float]:
    """How many times the source's bytes, and PSNR in dB of luma."""
    clean_file(source, target, once, CleanOptions(overwrite=True, resume=False))
    with closing(FileSource(target)) as video:
        written = [frame.planes.arrays[0] for frame in video.frames()]
    given = [frame.planes.arrays[0] for _, frame in sorted(once.frames.items())]
    quality = statistics.fmean(map(psnr, given, written))
    return target.stat().st_size / source.stat().st_size, quality


def _ninetieth(values: Sequence[float]) -> float:
    return float(np.percentile(values, 90))


def _over(rows: list, of: Callable[[Sequence[float]], float]) -> str:
    before, after = zip(*rows, strict=True)
    size, size_now = (of([row[0] for row in run]) for run in (before, after))
    quality, quality_now = (of([row[1] for row in run]) for run in (before, after))
    return f"{size:6.2f}{size_now:6.2f}{quality:8.1f}{quality_now:6.1f}"


def _written(folder: Path) -> Iterator[Path]:
    """Made-up sources, one after the other."""
    clean, _ = make_clip()
    rng = np.random.default_rng(0)
    noise = rng.normal(0, NOISE, clean.shape).astype(np.float32)
    noisy = np.clip(np.round(clean + noise), 0, 255).astype(np.uint8)
    for kind, frames in (("smooth", clean), ("noisy", noisy)):
        for encoder, (suffix, setting, qualities) in ENCODERS.items():
            for quality in qualities:
                path = folder / f"{kind}-{encoder}-{quality}.{suffix}"
                _write(path, frames, encoder, setting, quality)
                yield path


def _write(path: Path, frames: np.ndarray, encoder: str, setting: str, quality: int) -> None:
    flags = {"crf": str(quality)}
    if setting == "qmin":
        flags = {"flags": "+qscale", setting: str(quality)}
    elif encoder == "libx265":
        flags["x265-params"] = "log-level=none"
    with av.open(str(path), "w", format={"ts": "mpegts"}.get(path.suffix[1:])) as container:
        video = container.add_stream(encoder, rate=RATE, options=flags)
        video.height, video.width = frames.shape[1:3]
        video.pix_fmt = "yuvj420p" if encoder == "mjpeg" else "yuv420p"
        for number, rgb in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, RATE)
            container.mux(video.encode(picture.reformat(format=video.pix_fmt)))
        container.mux(video.encode())


if __name__ == "__main__":
    main()
