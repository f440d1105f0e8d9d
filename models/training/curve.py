"""A run's learning curve as a picture, drawn from the records of its log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.drawing import write_text

WIDTH, HEIGHT = 960, 300  # px of a panel
MARGINS = (30, 24, 40, 84)  # px: top, right, bottom, left
TICKS = 5
PAPER, INK, GRID = (255, 255, 255), (40, 40, 40), (225, 225, 225)
PANELS = (
    ("loss", "loss: RGB root-mean-square error, code values", (190, 90, 30)),
    ("gain", "validation gain, dB", (40, 140, 40)),
)

Points = Sequence[tuple[float, float]]


def draw_curve(path: Path, records: Sequence[dict[str, Any]]) -> None:
    """Write a PNG with loss and validation gain against steps; empty panels without records."""
    last = max((record["step"] for record in records), default=1)
    panels = []
    for key, title, colour in PANELS:
        points = [(record["step"], record[key]) for record in records if key in record]
        panels.append(_panel(points, title, colour, max(1, last)))
    if not cv2.imwrite(str(path), np.concatenate(panels)):
        raise OSError(f"{path}: the curve could not be written")


def ticks(low: float, high: float, count: int = TICKS) -> list[float]:
    """Round values within [low, high], about `count` of them, in steps of 1, 2 or 5."""
    span = max(high - low, 1e-9)
    power = 10.0 ** np.floor(np.log10(span / count))
    step = next(power * unit for unit in (1, 2, 5, 10) if span / (power * unit) <= count)
    first = int(np.ceil(low / step - 1e-9))
    return [float(step * n) for n in range(first, int(np.floor(high / step + 1e-9)) + 1)]


def _panel(points: Points, title: str, colour: tuple[int, int, int], last: int) -> NDArray[Any]:
    """(HEIGHT, WIDTH, 3) uint8 BGR: grid, numbers, one line."""
    panel = np.full((HEIGHT, WIDTH, 3), PAPER, np.uint8)
    values = [value for _, value in points] or [0.0]
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or 0.5
    low, high = low - room, high + room
    top, right, bottom, left = MARGINS

    def place(step: float, value: float) -> tuple[int, int]:
        x = left + step / last * (WIDTH - left - right)
        y = HEIGHT - bottom - (value - low) / (high - low) * (HEIGHT - top - bottom)
        return round(x), round(y)

    for value in ticks(low, high):
        cv2.line(panel, place(0, value), place(last, value), GRID, 1)
        write_text(panel, f"{value:.4g}", (6, place(0, value)[1] + 5), INK)
    for step in ticks(0, last):
        x, y = place(step, low)
        cv2.line(panel, place(step, low), place(step, high), GRID, 1)
        write_text(panel, f"{step:.0f}", (x - 4 * len(f"{step:.0f}"), y + 20), INK)
    write_text(panel, title, (left, top - 10), INK)
    line = np.array([place(*point) for point in points], np.int32).reshape(-1, 1, 2)
    if len(points) == 1:
        cv2.circle(panel, place(*points[0]), 3, colour, -1, cv2.LINE_AA)
    elif len(points) > 1:
        cv2.polylines(panel, [line], False, colour, 2, cv2.LINE_AA)
    return panel
