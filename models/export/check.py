"""Whether an exported file computes what the Keras model does, on frames with known sharp ones."""

from dataclasses import dataclass
from statistics import fmean

import keras
import numpy as np

from models.color import add_residual
from models.evaluation.metrics import psnr
from models.export.clips import FRAMES, LEVELS, drawn_clip, run_clip
from models.export.step import (
    HIDDEN,
    NEXT_HIDDEN,
    PLANES,
    RESIDUALS,
    Size,
    Step,
    Tensors,
    fresh_hidden,
    network_frames,
    residual_codes,
)
from models.keras_network import Model
from models.packing import Geometry, unpack

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
        frames = network_frames(inputs, model.neighbours)
        residual, hidden = map(keras.ops.convert_to_numpy, model.network([frames, inputs[HIDDEN]]))
        geometry = Geometry.yuv420(*inputs[PLANES[0]].shape[1:])
        planes = (plane[None] for plane in unpack(residual, geometry)[0])
        return dict(zip((*RESIDUALS, NEXT_HIDDEN), (*planes, hidden), strict=True))

    return step
