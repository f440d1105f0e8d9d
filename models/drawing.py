"""Text and enlarged pixels, for the pictures that are made for people."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

CAPTION_PX = 22
"""Height of a line of text."""

PAPER, INK = (24, 24, 24), (240, 240, 240)


def write_text(
    picture: NDArray[np.uint8],
    text: str,
    place: tuple[int, int],
    colour: tuple[int, int, int] = INK,
) -> None:
    """Write on an (H, W, 3) uint8 picture; place is the left end of the base line, (x, y)."""
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)


def captioned(picture: NDArray[np.uint8], text: str, *, enlarged: int = 1) -> NDArray[np.uint8]:
    """The (H, W, 3) uint8 picture with each pixel repeated, and a line of text below it."""
    large = picture.repeat(enlarged, axis=0).repeat(enlarged, axis=1)
    cell = np.full((large.shape[0] + CAPTION_PX, large.shape[1], 3), PAPER, np.uint8)
    cell[: large.shape[0]] = large
    write_text(cell, text, (6, cell.shape[0] - 7))
    return cell
