"""Weights of earlier networks, and of networks with less, as those of the present one.

Knows arrays and their names alone.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from models import planes as yuv
from models.errors import WeightsError
from models.network import GATES, LUMA


def is_earlier(arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether weights are of the network before neighbours were aligned.

    That one was given the features of the frame and of the frame before it as it was, and zeros
    before the first.
    """
    return GATES[0] + "/kernel" not in arrays


def from_earlier(
    arrays: Mapping[str, np.ndarray], source: Path, *, exact: bool
) -> dict[str, np.ndarray]:
    """Weights that `is_earlier` is true of, as those of a network of `CAUSAL` neighbours.

    With `exact`, the network gives what the earlier one gave if its reference is the frame before,
    unmoved, and mid-grey before the first. Otherwise it makes no use of its reference yet: what
    training with aligned neighbours begins from.
    """
    try:
        kernel, bank, choice = (
            arrays[f"{name}/kernel"].astype(np.float32) for name in ("stem", "bank", "choice")
        )
    except KeyError as error:
        raise WeightsError(f"{source} holds the weights of another architecture") from error
    frame, before = kernel[:, :, : yuv.CHANNELS], kernel[:, :, yuv.CHANNELS :]
    parts = [frame + before, before] if exact else [frame, np.zeros_like(before)]
    more = np.zeros((*bank.shape[:2], LUMA, bank.shape[3]), np.float32)
    return {
        **arrays,
        "stem/kernel": np.concatenate(parts, axis=2),
        "bank/kernel": np.concatenate([bank, more], axis=2),
        f"{GATES[0]}/kernel": np.zeros((1, 1, choice.shape[2], yuv.CHANNELS), np.float32),
        f"{GATES[0]}/bias": np.zeros(yuv.CHANNELS, np.float32),
    }


def with_look_ahead(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Weights of `CAUSAL` neighbours as those that make no use of a next frame yet."""
    wider = {"stem/kernel": yuv.CHANNELS, "bank/kernel": LUMA}
    grown = {
        name: np.pad(array, ((0, 0), (0, 0), (0, wider[name]), (0, 0))) if name in wider else array
        for name, array in arrays.items()
    }
    reference, following = GATES
    fresh = {
        f"{following}/{part}": np.zeros_like(arrays[f"{reference}/{part}"])
        for part in ("kernel", "bias")
    }
    return grown | fresh
