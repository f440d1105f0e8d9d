"""What the examples share: 8-bit 4:2:0 video in and out with PyAV, and the numbers a file wants."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, pairwise

import av
import cv2
import numpy as np

Planes = dict[str, np.ndarray]
"""Y, U and V of a frame, (H, W) uint8 each."""

Step = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]

ZERO_SCALE = {"y": (16, 219), "u": (128, 224), "v": (128, 224)}
"""Limited range at 8 bits: the code of zero, and codes from 0 to 1."""


def deblur(step: Step, shapes: dict[str, Sequence[int]], source: str, target: str) -> None:
    """Run an exported step, whose inputs have these shapes, over a video; write a lossless one."""
    hidden = np.zeros(tuple(shapes["hidden"]), np.float32)
    looks_ahead = "following_y" in shapes
    past = None
    with av.open(source) as reader, av.open(target, "w") as writer:
        video = reader.streams.video[0]
        out = writer.add_stream("ffv1", rate=video.average_rate)
        out.width, out.height, out.pix_fmt = video.width, video.height, "yuv420p"
        clip = (dict(zip("yuv", planes_of(frame), strict=True)) for frame in reader.decode(video))
        for frame, following in pairwise(chain(clip, [None])):
            if looks_ahead:
                reference = moved(frame, *past) if past else None
                if reference is None:  # the first frame of a scene
                    hidden = np.zeros_like(hidden)
                ahead = moved(frame, following, following) if following else None
                beside = {"reference": reference or frame, "following": ahead or frame}
            else:  # earlier weights: the frame before as it was, and grey before the first
                grey = {"y": 126, "u": 128, "v": 128}
                first = {name: np.full_like(plane, grey[name]) for name, plane in frame.items()}
                beside = {"reference": past[0] if past else first}
            inputs = nominal(frame) | {"hidden": hidden}
            for name, planes in beside.items():
                inputs |= {f"{name}_{key}": value for key, value in nominal(planes).items()}
            outputs = step(inputs)
            hidden, made = outputs["next_hidden"], corrected(frame, outputs)
            past = frame, {key: cv2.addWeighted(frame[key], 0.5, made[key], 0.5, 0) for key in made}
            for packet in out.encode(picture(made)):
                writer.mux(packet)
        writer.mux(out.encode())


def moved(frame: Planes, neighbour: Planes, planes: Planes) -> Planes | None:
    """A neighbour's planes, or others that lie as they do, to where the frame shows the same.

    None where it shows something else, as after a cut.
    """
    height, width = frame["y"].shape
    size = -(-width // 4), -(-height // 4)
    small = [cv2.resize(p["y"], size, interpolation=cv2.INTER_AREA) for p in (frame, neighbour)]
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    search.setFinestScale(0)
    search.setPatchStride(6)
    search.setGradientDescentIterations(8)
    flow = 4 * search.calc(*small, None)
    found = warped(small[1], flow / 4, 1.0)
    contrast = np.abs(small[0].astype(int) - round(small[0].mean())).mean()
    if np.abs(small[0].astype(int) - found).mean() > 0.5 * contrast:
        return None
    return {name: warped(plane, flow, plane.shape[1] / width) for name, plane in planes.items()}


def warped(plane: np.ndarray, flow: np.ndarray, share: float) -> np.ndarray:
    """A plane sampled where the flow leads, which is in samples of a plane 1 / `share` as large."""
    rows, columns = plane.shape
    across, down = (
        cv2.resize(part * np.float32(share), (columns, rows), interpolation=cv2.INTER_LINEAR)
        for part in (flow[..., 0], flow[..., 1])
    )
    across += np.arange(columns, dtype=np.float32)
    down += np.arange(rows, dtype=np.float32)[:, None]
    return cv2.remap(plane, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def nominal(planes: Planes) -> dict[str, np.ndarray]:
    """Codes (H, W) to float32 (1, H, W), Y in [0, 1], U and V in [-0.5, 0.5]."""
    return {
        name: ((plane[None] - np.float32(zero)) / np.float32(scale))
        for (name, plane), (zero, scale) in zip(planes.items(), ZERO_SCALE.values(), strict=True)
    }


def corrected(planes: Planes, outputs: dict[str, np.ndarray]) -> Planes:
    """The frame plus the residual, rounded once."""
    changed = {
        name: plane + ZERO_SCALE[name][1] * outputs[f"{name}_residual"][0]
        for name, plane in planes.items()
    }
    return {name: np.clip(np.rint(p), 0, 255).astype(np.uint8) for name, p in changed.items()}


def picture(planes: Planes) -> av.VideoFrame:
    """The planes as a frame for an encoder."""
    frame = av.VideoFrame(*planes["y"].shape[::-1], "yuv420p")
    for target, plane in zip(frame.planes, planes.values(), strict=True):
        lines = np.frombuffer(target, np.uint8).reshape(-1, target.line_size)
        lines[: plane.shape[0], : plane.shape[1]] = plane
    return frame


def planes_of(frame: av.VideoFrame) -> Iterator[np.ndarray]:
    """Y, U and V as arrays (H, W) uint8."""
    for plane in frame.reformat(format="yuv420p").planes:
        lines = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        yield lines[: plane.height, : plane.width]
