"""What a camera and a codec add to a frame besides motion blur: noise and compression loss.

Kept mild: the tool removes motion blur and is no denoiser. Knows nothing of scenes or motion.
"""

from __future__ import annotations

from fractions import Fraction

import av
import cv2
import numpy as np
from numpy.typing import NDArray


def add_noise(
    rng: np.random.Generator, light: NDArray[np.float32], *, read: float, shot: float
) -> NDArray[np.float32]:
    """Add sensor noise of variance read^2 + shot^2 * light to light of 0 to 1 (Foi et al. 2008)."""
    if read == 0 and shot == 0:
        return light
    noise = rng.standard_normal(light.shape, dtype=np.float32)
    noise *= np.sqrt(np.clip(light, 0, 1) * np.float32(shot**2) + np.float32(read**2))
    noise += light
    return noise


def compress_frames(frames: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Pass each of (T, H, W, 3) uint8 RGB through JPEG of a quality of 1 to 100, chroma halved."""
    kept = []
    for frame in frames:
        settings = [cv2.IMWRITE_JPEG_QUALITY, quality]
        _, stream = cv2.imencode(".jpg", frame[..., ::-1], settings)
        kept.append(np.asarray(cv2.imdecode(stream, cv2.IMREAD_COLOR_RGB), np.uint8))
    return np.stack(kept)


def compress_video(frames: NDArray[np.uint8], crf: int) -> NDArray[np.uint8]:
    """Pass (T, H, W, 3) uint8 RGB of even sides through H.264 of a rate factor of 0 to 51, 4:2:0.

    The same bytes on any number of cores and processors: the encoder has one thread, and no
    macroblock tree, which in x264 (165) reads memory that was never written where there is AVX-512.
    """
    _, height, width, _ = frames.shape
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.thread_count = Fraction(1, 25), 1
    encoder.options = {"crf": str(crf), "preset": "veryfast", "mbtree": "0"}
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    pictures = [av.VideoFrame.from_ndarray(frame, format="rgb24") for frame in frames]
    for index, picture in enumerate(pictures):
        picture.pts = index
    packets = [packet for picture in [*pictures, None] for packet in encoder.encode(picture)]
    decoded = [picture for packet in [*packets, None] for picture in decoder.decode(packet)]
    return np.stack([picture.to_ndarray(format="rgb24", threads=1) for picture in decoded])
