"""How a blurred and a sharp picture share one window, and the line of figures over them."""

from __future__ import annotations

import enum
from collections.abc import Sequence

import cv2
import numpy as np

from stream.frame import Frame, Plane, Planes
from stream.pixel_format import write_picture


class View(enum.Enum):
    """What a window shows; the value is the key that chooses it."""

    SIDE_BY_SIDE = "1"
    SPLIT = "2"
    BLURRED = "3"
    SHARP = "4"


def compose(frame: Frame, view: View, divider: float) -> np.ndarray:
    """The picture of a view.

    Args:
        frame: Sharp, with its blurred original.
        view: What to show.
        divider: Where `View.SPLIT` goes from blurred to sharp, as a share of the width.

    Returns: (H, W, 3) uint8 BGR; side by side it is twice as wide as the frame.
    """
    sharp, blurred = frame.planes, frame.original or frame.planes
    if view is View.SHARP or view is View.BLURRED:
        return bgr_of(frame, sharp if view is View.SHARP else blurred)
    if view is View.SIDE_BY_SIDE:
        return np.concatenate([bgr_of(frame, blurred), bgr_of(frame, sharp)], axis=1)
    column = round(divider * frame.width) & ~1
    arrays: list[Plane] = []
    for left, right in zip(blurred.arrays, sharp.arrays, strict=True):
        edge = round(column * left.shape[1] / frame.width)
        arrays.append(np.concatenate([left[:, :edge], right[:, edge:]], axis=1))
    picture = bgr_of(frame, Planes(tuple(arrays), sharp.subsampling, sharp.bit_depth))
    cv2.line(picture, (column, 0), (column, frame.height), (255, 255, 255), 1)
    return picture


def bgr_of(frame: Frame, planes: Planes) -> np.ndarray:
    """(H, W, 3) uint8 BGR of planes, read by the frame's colour tags."""
    return write_picture(frame.replace(planes=planes), "bgr24").to_ndarray()


def label(picture: np.ndarray, view: View, divider: float) -> None:
    """Name what is blurred and what is sharp, at the bottom."""
    width = picture.shape[1]
    middle = {View.SIDE_BY_SIDE: width // 2, View.SPLIT: round(divider * width)}.get(view, 0)
    if view is not View.SHARP:
        draw_text(picture, ["blurred"], 0, bottom=True)
    if view is not View.BLURRED:
        draw_text(picture, ["deblurred"], middle, bottom=True)


def draw_text(
    picture: np.ndarray, lines: Sequence[str], left: int, *, bottom: bool = False
) -> None:
    """Draw lines of text that can be read on anything, sized by the picture."""
    scale = max(0.4, picture.shape[0] / 900)
    step = round(32 * scale)
    top = picture.shape[0] - step * len(lines) if bottom else round(0.9 * step)
    for index, line in enumerate(lines):
        place = (left + round(10 * scale), top + index * step)
        font, weight = cv2.FONT_HERSHEY_SIMPLEX, max(1, round(2 * scale))
        for ink, shift in (((0, 0, 0), weight), ((255, 255, 255), 0)):
            at = (place[0] + shift, place[1] + shift)
            cv2.putText(picture, line, at, font, scale, ink, weight, cv2.LINE_AA)
