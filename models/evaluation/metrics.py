"""Scores of one 8-bit RGB frame against another."""

import io

import cv2
import numpy as np

from models.errors import ClipError

IDENTICAL_DB = 100.0
"""What two equal frames score, so that a mean over frames stays finite."""


def psnr(reference: np.ndarray, frame: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of two equal-shaped uint8 arrays, at most `IDENTICAL_DB`."""
    difference = reference.astype(np.float32) - frame.astype(np.float32)
    error = float(np.mean(np.square(difference), dtype=np.float64))
    return min(IDENTICAL_DB, 10 * np.log10(255**2 / error)) if error else IDENTICAL_DB


def ssim(reference: np.ndarray, frame: np.ndarray) -> float:
    """Structural similarity of two (H, W, 3) uint8 frames, mean over pixels and channels.

    Wang et al. 2004: Gaussian window of 11 samples and sigma 1.5, K1 = 0.01, K2 = 0.03. Positions
    whose window leaves the frame count with reflected borders.
    """
    x, y = reference.astype(np.float32), frame.astype(np.float32)

    def blurred(image: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.GaussianBlur(image, (11, 11), 1.5), np.float32)

    mean_x, mean_y = blurred(x), blurred(y)
    variance_x = blurred(x * x) - mean_x**2
    variance_y = blurred(y * y) - mean_y**2
    covariance = blurred(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    score = ((2 * mean_x * mean_y + c1) * (2 * covariance + c2)) / (
        (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    )
    return float(score.mean(dtype=np.float64))


def require_ssimulacra2() -> None:
    """Raise ClipError, which says how to get it, where `ssimulacra2` cannot be computed."""
    try:
        import ssimulacra2  # noqa: F401
    except ImportError as error:
        raise ClipError(
            "--perceptual needs SSIMULACRA 2; install it with: "
            "pip install 'deblurstream[perceptual]'"
        ) from error


def ssimulacra2(reference: np.ndarray, frame: np.ndarray) -> float:
    """SSIMULACRA 2 of two (H, W, 3) uint8 RGB frames of at least 8x8: 100 for equal ones.

    Sneyers 2023, fitted to opinions of people: 90 is hard to tell apart, 70 good, 50 medium, 30
    poor, and what is below 0 has little in common. It takes seconds for a frame of 1280x720.
    """
    from ssimulacra2 import compute_ssimulacra2

    return float(compute_ssimulacra2(_png(reference), _png(frame)))


def _png(frame: np.ndarray) -> io.BytesIO:
    _, raw = cv2.imencode(".png", frame[..., ::-1])
    return io.BytesIO(raw.tobytes())


def flicker(
    reference: tuple[np.ndarray, np.ndarray], frames: tuple[np.ndarray, np.ndarray]
) -> float:
    """How far the change from one frame to the next is from the reference's change.

    Both are two consecutive (H, W, 3) uint8 frames; returns the mean absolute difference of the
    two changes, in code values.
    """
    wanted = reference[1].astype(np.int16) - reference[0]
    found = frames[1].astype(np.int16) - frames[0]
    return float(np.abs(found - wanted).mean(dtype=np.float64))
