"""Whether an exported file computes what the Keras model does, on frames with known sharp ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import keras
import numpy as np

from models.color import add_residual
from models.evaluation.metrics import psnr
from models.export.clips import FRAMES, LEVELS, drawn_clip, run_clip
from models.export.step import (
    HIDDEN,
    NEIGHBOURS,
    NEXT_HIDDEN,
    PLANES,
    RESIDUALS,
    Size,
    Step,
    Tensors,
    fresh_hidden,
    residual_codes,
)
from models.keras_network import Model
from models.network import MULTIPLE
from models.planes import pack, pad_plane, padded_length, unpack

_SEED = 100


@dataclass(frozen=True, slots=True)
class Check:
    """How near an exported file is to the Keras model.

    Attributes:
        max_error: largest difference of a residual, in 8-bit code values.
        psnr_in: of the blurred frames against the sharp ones, in dB, in RGB; `keras` is of the
            Keras model's output and `exported` of the file's.
        frames: of a drawn clip, the state being carried from each to the next.
    """

    max_error: float
    psnr_in: float
    psnr_keras: float
    psnr_exported: float
    frames: int

    @property
    def loss_db(self) -> float:
        """What the file scores below the Keras model."""
        return self.psnr_keras - self.psnr_exported


def check_step(model: Model, step: Step, size: Size, *, channels_first: bool) -> Check:
    """Compare an exported step with the Keras model on a clip of frames of this size."""
    pairs = list(drawn_clip(_SEED, size, FRAMES))
    hidden = model.config.hidden
    blurry = [pair[0] for pair in pairs]
    errors, scores = [], []
    expected, found = (
        run_clip(each, blurry, fresh_hidden(size, hidden, channels_first=first), model.neighbours)
        for each, first in ((keras_step(model), False), (step, channels_first))
    )
    for (source, sharp), (_, theirs), (_, ours) in zip(pairs, expected, found, strict=True):
        both = residual_codes(theirs, LEVELS), residual_codes(ours, LEVELS)
        errors += [np.abs(a - b).max() for a, b in zip(*both, strict=True)]
        outputs = [
            add_residual(source, (np.nan_to_num(y), np.nan_to_num(u), np.nan_to_num(v)), LEVELS)
            for y, u, v in both
        ]
        scores.append([psnr(sharp, frame) for frame in (source, *outputs)])
    psnr_in, psnr_keras, psnr_exported = (fmean(column) for column in zip(*scores, strict=True))
    # NaN is no small error: max() would pass over it
    return Check(float(np.max(errors)), psnr_in, psnr_keras, psnr_exported, len(pairs))


def keras_step(model: Model) -> Step:
    """The step of the Keras model, which exported files are held against; any size."""

    def step(inputs: Tensors) -> Tensors:
        current = _features([inputs[name] for name in PLANES])
        joined = [current]
        for neighbour in NEIGHBOURS[: model.neighbours]:
            planes = [inputs[f"{neighbour}_{name}"] for name in PLANES]
            joined.append(_features(planes) - current)
        residual, hidden = map(
            keras.ops.convert_to_numpy,
            model.network([np.concatenate(joined, axis=-1), inputs[HIDDEN]]),
        )
        residuals = [
            plane[:, : inputs[name].shape[1], : inputs[name].shape[2]]
            for name, plane in zip(PLANES, unpack(residual, np), strict=True)
        ]
        return dict(zip((*RESIDUALS, NEXT_HIDDEN), (*residuals, hidden), strict=True))

    return step


def _features(planes: Sequence[np.ndarray]) -> np.ndarray:
    """Nominal planes of any size to features, (N, h, w, 24)."""
    y, u, v = planes
    rows, columns = (padded_length(side, MULTIPLE) for side in y.shape[1:])
    packed: np.ndarray = pack(
        pad_plane(y - np.float32(0.5), rows, columns, np),
        pad_plane(u, rows // 2, columns // 2, np),
        pad_plane(v, rows // 2, columns // 2, np),
        np,
    )
    return packed
