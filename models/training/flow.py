"""What a camera sees of a sharp video between its frames: moments interpolated by optical flow.

The exposure of each frame of a clip is centred on a real frame, so the sharp target is never an
interpolated one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.camera import Camera
from models.training.footage import Footage
from models.training.light import CameraCurve
from models.training.motion import Floats, MotionPath
from models.training.views import Light, grid

BORDER = 24  # footage px round the view: room for pixels that flow in
FASTEST_PX = 14.0  # a frame: a camera's own exposure blurs what is faster, so it is no target
WORST_ERROR = 9.0  # of 255: mean disagreement of both neighbours in the middle; ghosts above


@dataclass(frozen=True)
class Flow:
    """Motion between two frames, forward and backward: (h, w, 2) float32 each, in footage px.

    Kept at half the frames' size: as good (mean error 0.19 against 0.13 px on an exact shift) and
    a quarter of the cost.
    """

    forward: Light
    backward: Light

    def seen(self, matrix: Floats, size: tuple[int, int]) -> tuple[Light, Light]:
        """Both directions as seen by an affine (2, 3) of the frames: (H, W, 2) each."""
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        half = matrix / 2
        half[:, 2] -= 0.25  # pixel centres: position x of the frames is x / 2 - 1 / 4 here
        forward, backward = (
            cv2.warpAffine(f, half, size[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
            for f in (self.forward, self.backward)
        )
        return np.asarray(forward, np.float32), np.asarray(backward, np.float32)

    def speed_px(self, percentile: float = 90) -> float:
        """The forward motion of the faster parts."""
        sparse = self.forward[::2, ::2]
        return float(np.percentile(np.hypot(sparse[..., 0], sparse[..., 1]), percentile))


@dataclass(frozen=True)
class FlowView:
    """A camera over consecutive frames of a video.

    lights: per frame (h, w, 3) float32; flows: per pair of neighbours, the flow between them.
    Frame 0 is seen at clip time `start`, then one every 1 / `pace` frames of the clip.
    """

    lights: tuple[Light, ...]
    flows: tuple[Flow, ...]
    camera: Camera
    start: float
    pace: float
    flow_px: float

    def moments(self, times: Floats) -> Iterator[Light]:
        """The light at each time in frames: (H, W, 3) float32."""
        for time, matrix in zip(times, self.camera.matrices(times), strict=True):
            yield self._moment(float(time), matrix)

    def reach_px(self, start: float, stop: float) -> float:
        """How far its content moves between two times, at most."""
        return self.camera.reach_px(start, stop) + self.flow_px * (stop - start)

    def _moment(self, time: float, matrix: Floats) -> Light:
        position = (time - self.start) * self.pace
        index = min(max(int(np.floor(position + 1e-6)), 0), len(self.lights) - 1)
        part = max(position - index, 0.0)
        column, row = grid(matrix, self.camera.size)
        if part < 1e-5 or index >= len(self.flows):
            seen = cv2.remap(self.lights[index], column, row, cv2.INTER_CUBIC)
            return np.asarray(seen, np.float32)
        # Flow at the moment itself, towards both ends (Super SloMo, Jiang et al. 2018, eq. 4).
        forward, backward = self.flows[index].seen(matrix, self.camera.size)
        rest = 1 - part
        back = _mix(backward, part * part, forward, -rest * part)
        ahead = _mix(forward, rest * rest, backward, -part * rest)
        early = _sample(self.lights[index], column, row, back)
        late = _sample(self.lights[index + 1], column, row, ahead)
        return _mix(early, rest, late, part)


def place_flow_view(
    rng: np.random.Generator,
    footage: Footage,
    path: MotionPath,
    curve: CameraCurve,
    *,
    size: tuple[int, int],
    frames: int,
    exposure: float,
    length_px: float,
    softest: float,
) -> FlowView | None:
    """Choose frames and a place of a video; None where it is soft, cut or beyond the flow.

    `path` is added to the video's own motion. Up to three real frames pass per frame of the clip,
    as many as bring the motion of one exposure nearest to `length_px`.
    """
    run = footage.runs()[int(rng.integers(len(footage.starts)))]
    height, width = footage.frames.shape[1:3]
    scale = float(rng.uniform(0.7, 1.0))
    camera = Camera(path.from_middle(frames), size)
    low, high = camera.bounds(np.linspace(0, frames, 8 * frames + 1))
    extent = np.ceil((high - low) / scale / 2).astype(int) * 2 + 2 * BORDER  # even: flow is half
    if extent[0] > width or extent[1] > height or len(run) < frames + 2:
        return None
    first = int(rng.integers(run.start, run.stop - frames - 1))
    if footage.sharpness[first] < softest:
        return None
    corner = _busiest(rng, footage.frames[first], footage.frames[first + 1], extent)
    box = (slice(corner[1], corner[1] + extent[1]), slice(corner[0], corner[0] + extent[0]))
    pair = [_halved(frame[box]) for frame in footage.frames[first : first + 2]]
    speed = _measure(pair[0], pair[1]).speed_px()
    pace = int(np.clip(round(length_px / max(speed * scale * exposure, 0.1)), 1, 3))
    before = int(np.ceil(pace * exposure / 2))
    targets = first + before + pace * np.arange(frames)
    last = int(targets[-1]) + before
    if last >= run.stop or float(footage.sharpness[targets].min()) < softest:
        return None
    cuts = [np.ascontiguousarray(frame[box]) for frame in footage.frames[first : last + 1]]
    flows = []
    for early, late in pairwise([_halved(cut) for cut in cuts]):
        flow = _measure(early, late)
        if flow.speed_px(99) > FASTEST_PX or _disagreement(early, late, flow) > WORST_ERROR:
            return None
        flows.append(flow)
    centre = -low / scale + BORDER - 0.5
    return FlowView(
        lights=tuple(curve.to_light(cut) for cut in cuts),
        flows=tuple(flows),
        camera=replace(camera, zoom=1 / scale, centre=(float(centre[0]), float(centre[1]))),
        start=exposure / 2 - before / pace,
        pace=float(pace),
        flow_px=max(flow.speed_px() for flow in flows) * scale * pace,
    )


def _mix(a: Light, a_share: float, b: Light, b_share: float) -> Light:
    return np.asarray(cv2.addWeighted(a, a_share, b, b_share, 0), np.float32)


def _sample(light: Light, column: Light, row: Light, flow: Light) -> Light:
    x, y = column + flow[..., 0], row + flow[..., 1]
    seen = cv2.remap(light, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(seen, np.float32)


def _halved(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 -> luma of half the size."""
    luma = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    size = (luma.shape[1] // 2, luma.shape[0] // 2)
    return np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.uint8)


def _measure(early: NDArray[np.uint8], late: NDArray[np.uint8]) -> Flow:
    """Dense flow between two halved frames (DIS, Kroeger et al. 2016)."""
    engine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    engine.setFinestScale(1)
    forward = engine.calc(early, late, None)  # type: ignore[call-overload]
    backward = engine.calc(late, early, None)  # type: ignore[call-overload]
    return Flow(forward * np.float32(2), backward * np.float32(2))


def _disagreement(early: NDArray[np.uint8], late: NDArray[np.uint8], flow: Flow) -> float:
    """Mean difference, of 255, of both halved neighbours moved to the middle moment."""
    height, width = early.shape
    column, row = grid(np.eye(2, 3), (height, width))
    towards = (flow.backward - flow.forward) / 8
    x, y = towards[..., 0], towards[..., 1]
    a = cv2.remap(early, column + x, row + y, cv2.INTER_LINEAR)
    b = cv2.remap(late, column - x, row - y, cv2.INTER_LINEAR)
    inner = slice(BORDER // 2, -BORDER // 2)
    return float(cv2.absdiff(a, b)[inner, inner].mean())


def _busiest(
    rng: np.random.Generator,
    early: NDArray[np.uint8],
    late: NDArray[np.uint8],
    extent: NDArray[np.int_],
) -> tuple[int, int]:
    """A place (x, y) for a cut of `extent`: of four, the one where most changes."""
    slack = np.array([early.shape[1], early.shape[0]]) - extent
    places = [tuple(map(int, rng.integers(0, slack + 1))) for _ in range(4)]
    change = np.abs(early[::4, ::4, 1].astype(np.int16) - late[::4, ::4, 1])
    best, most = places[0], -1.0
    for x, y in places:
        part = change[y // 4 : (y + extent[1]) // 4, x // 4 : (x + extent[0]) // 4]
        if float(part.mean()) > most:
            best, most = (x, y), float(part.mean())
    return best[0], best[1]
