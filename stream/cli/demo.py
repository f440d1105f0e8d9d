"""`deblur demo`: a clip made here, blurred, cleaned, and shown beside what it was.

Needs no footage: the scenes are drawn and the blur is synthesised, as for training but with other
seeds. Writes blurred.mp4 (with sound), sharp.mp4, cleaned.mp4, side_by_side.mp4 and closer.png.
"""

import argparse
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np

from stream.cli.arguments import add_compute, add_model
from stream.cli.report import ProgressLine, make_folder
from stream.jobs.clean import CleanOptions, clean_file

if TYPE_CHECKING:
    from models.evaluation.sheet import Crop

WIDTH, HEIGHT, FRAMES, RATE = 640, 360, 48, 24
LENGTH = 5.0
"""Pixels of camera motion during one exposure: plain to see, not yet strong."""
CLOSER = (12, 24, 36)
"""Frames that are shown enlarged."""

SEED = 20_261_122
"""Of the drawn scenes and of the camera's path; far from any seed that training uses."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("folder", type=Path, nargs="?", default=Path("demo"), metavar="OUT_DIR")
    add_model(parser, "small")
    add_compute(parser)


def run(options: argparse.Namespace) -> int:
    """Make the clip, clean it, and print the gain."""
    folder: Path = options.folder
    make_folder(folder)
    from models.evaluation.clips import Clip
    from models.evaluation.metrics import psnr
    from models.evaluation.sheet import draw_sheet
    from stream.inference.deblurrer import Deblurrer

    blurred, sharp, cleaned, beside = (
        folder / f"{name}.mp4" for name in ("blurred", "sharp", "cleaned", "side_by_side")
    )
    closer = folder / "closer.png"
    blurry_frames, sharp_frames = make_clip()
    write_video(blurred, blurry_frames, sound=True)
    write_video(sharp, sharp_frames)
    deblurrer = Deblurrer(
        options.model,
        device=options.device,
        precision=options.precision,
        runtime=options.runtime,
        look_ahead=True,
    )
    progress = ProgressLine(blurred.name)
    try:
        stats = clean_file(
            blurred,
            cleaned,
            deblurrer,
            CleanOptions(overwrite=True, resume=False),
            on_progress=progress,
        ).stats
    finally:
        progress.close()

    shown = [list(Clip(path.stem, (path,)).frames()) for path in (blurred, cleaned, sharp)]
    before, after = (fmean(map(psnr, shown[2], frames)) for frames in shown[:2])
    write_video(beside, map(_labelled, *shown))
    draw_sheet(closer, [_centre(deblurrer.name, n, *(f[n] for f in shown)) for n in CLOSER])
    print(
        f"{blurred}: {stats.frames_in} frames of {WIDTH}x{HEIGHT}, made here\n"
        f"{cleaned}: {deblurrer.name}, {stats.fps:.1f} fps on {deblurrer.compute.device} "
        f"in {deblurrer.compute.precision}\n"
        f"{beside}: blurred | cleaned | sharp; enlarged in {closer}\n"
        f"PSNR against the sharp clip: {before:.2f} dB blurred, {after:.2f} dB cleaned, "
        f"gain {after - before:+.2f} dB"
    )
    return 0


def _centre(
    model: str, index: int, blurry: np.ndarray, restored: np.ndarray, sharp: np.ndarray
) -> "Crop":
    """The middle of a frame, a quarter of each side, whatever is to be seen there."""
    from models.evaluation.sheet import Crop

    rows, columns = (slice(3 * side // 8, 5 * side // 8) for side in (HEIGHT, WIDTH))
    blurry, restored, sharp = (picture[rows, columns] for picture in (blurry, restored, sharp))
    error = float(np.square(blurry.astype(float) - sharp).mean())
    return Crop("demo", index, rows, columns, error, blurry, sharp, {model: restored})


def make_clip() -> tuple[np.ndarray, np.ndarray]:
    """Blurry and sharp frames, each (T, H, W, 3) uint8 RGB, of scenes drawn by code."""
    from models.training.procedural import draw_scene
    from models.training.scenes import SceneLibrary
    from models.training.settings import BlurSettings
    from models.training.synthesis import render_clip

    with tempfile.TemporaryDirectory() as scratch:
        for index in range(3):
            picture = draw_scene(np.random.default_rng(SEED + index), 900, 1600)
            cv2.imwrite(str(Path(scratch) / f"{index}.png"), picture[..., ::-1])
        clip = render_clip(
            SceneLibrary([Path(scratch)], split="train"),
            SEED,
            height=HEIGHT,
            width=WIDTH,
            frames=FRAMES,
            settings=BlurSettings(
                sharp_share=0, compression_share=0, length_median_px=LENGTH, length_spread=0
            ),
        )
    return clip.blurry, clip.sharp


def write_video(path: Path, frames: Iterable[np.ndarray], *, sound: bool = False) -> None:
    """Encode (H, W, 3) uint8 RGB frames as H.264 in BT.709, with a chord if asked."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=RATE, options={"crf": "12"})
        video.pix_fmt = "yuv420p"
        video.codec_context.color_range = 1
        for tag in ("color_primaries", "color_trc", "colorspace"):
            setattr(video.codec_context, tag, 1)
        audio = container.add_stream("aac", rate=48_000) if sound else None
        count = 0
        for count, rgb in enumerate(frames, start=1):
            if count == 1:
                video.height, video.width = rgb.shape[:2]
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(
                format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG", threads=1
            )
            frame.pts, frame.time_base = count - 1, Fraction(1, RATE)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if audio:
            for chunk in _chord(count / RATE):
                container.mux(audio.encode(chunk))
            container.mux(audio.encode())


def _chord(seconds: float) -> Iterator[av.AudioFrame]:
    """A quiet A minor chord, in frames of 1024 samples."""
    rate, size = 48_000, 1024
    for start in range(0, int(seconds * rate), size):
        time = (start + np.arange(size)) / rate
        pitches = np.array([[220.0], [261.63], [329.63]])
        wave = 0.1 * np.sin(2 * np.pi * pitches * time).sum(axis=0, keepdims=True)
        chunk = av.AudioFrame.from_ndarray(wave.astype(np.float32), format="fltp", layout="mono")
        chunk.sample_rate, chunk.pts, chunk.time_base = rate, start, Fraction(1, rate)
        yield chunk


def _labelled(*frames: np.ndarray) -> np.ndarray:
    """Frames beside each other, each with its name."""
    labels: Sequence[str] = ("blurred", "cleaned", "sharp")
    shown = []
    for label, frame in zip(labels, frames, strict=True):
        picture = np.ascontiguousarray(frame)
        for colour, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
            cv2.putText(
                picture, label, (10, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.7, colour, thickness,
                cv2.LINE_AA,
            )  # fmt: skip
        shown.append(picture)
    return np.hstack(shown)
