"""What the examples share: 8-bit 4:2:0 video in and out with PyAV, and the numbers a file wants."""

from collections.abc import Callable, Iterator

import av
import numpy as np

Step = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]

ZERO_SCALE = {"y": (16, 219), "u": (128, 224), "v": (128, 224)}
"""Limited range at 8 bits: the code of zero, and codes from 0 to 1."""


def deblur(step: Step, state: dict[str, np.ndarray], source: str, target: str) -> None:
    """Run an exported step over a video and write a lossless one; `state` is the fresh state."""
    with av.open(source) as reader, av.open(target, "w") as writer:
        video = reader.streams.video[0]
        out = writer.add_stream("ffv1", rate=video.average_rate)
        out.width, out.height, out.pix_fmt = video.width, video.height, "yuv420p"
        for frame in reader.decode(video):
            planes = dict(zip("yuv", planes_of(frame), strict=True))
            outputs = step(nominal(planes) | state)
            state = {name: outputs[f"next_{name}"] for name in state}
            for packet in out.encode(picture(planes, outputs)):
                writer.mux(packet)
        writer.mux(out.encode())


def nominal(planes: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Codes (H, W) to float32 (1, H, W), Y in [0, 1], U and V in [-0.5, 0.5]."""
    return {
        name: ((plane[None] - np.float32(zero)) / np.float32(scale))
        for (name, plane), (zero, scale) in zip(planes.items(), ZERO_SCALE.values(), strict=True)
    }


def picture(planes: dict[str, np.ndarray], outputs: dict[str, np.ndarray]) -> av.VideoFrame:
    """The frame plus the residual, rounded once."""
    frame = av.VideoFrame(*planes["y"].shape[::-1], "yuv420p")
    for target, (name, plane) in zip(frame.planes, planes.items(), strict=True):
        changed = plane + ZERO_SCALE[name][1] * outputs[f"{name}_residual"][0]
        lines = np.frombuffer(target, np.uint8).reshape(-1, target.line_size)
        lines[: plane.shape[0], : plane.shape[1]] = np.clip(np.rint(changed), 0, 255)
    return frame


def planes_of(frame: av.VideoFrame) -> Iterator[np.ndarray]:
    """Y, U and V as arrays (H, W) uint8."""
    for plane in frame.reformat(format="yuv420p").planes:
        lines = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        yield lines[: plane.height, : plane.width]
