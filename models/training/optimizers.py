"""The optimisers that a run may use, all with the same clipping, decay and moving average."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from models.packages import undocumented


def make_optimizer(name: str, learning_rate: float, momentum: float) -> Any:
    """One of `OPTIMIZERS`; `momentum` is that of the moving average of the weights."""
    shared = {"global_clipnorm": 1.0, "use_ema": True, "ema_momentum": momentum}
    return OPTIMIZERS[name](learning_rate, shared)


class ConvolutionMuon(keras.optimizers.Muon):  # type: ignore[misc]
    """Muon (Jordan et al. 2024) that takes a kernel for the matrix of (height x width x in, out).

    Keras applies Muon to matrices only, and AdamW to the rest: here that is biases. The methods
    overridden here are what Keras 3.15's own update asks, which its documentation does not promise.
    """

    def __init__(self, *settings: Any, **named_settings: Any) -> None:
        for name in ("_should_use_adamw", "zeropower_via_newtonschulz5", "lr_adjust"):
            undocumented(keras.optimizers.Muon, name, "Keras 3.15")
        super().__init__(*settings, **named_settings)

    def _should_use_adamw(self, variable: Any) -> bool:
        return len(variable.shape) != 4

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
        """Orthogonalise a kernel as a matrix."""
        matrix = ops.reshape(x, (-1, x.shape[-1]))
        return ops.reshape(super().zeropower_via_newtonschulz5(matrix, steps), x.shape)

    def lr_adjust(self, x: Any) -> Any:
        """Scale the step as for a matrix of that shape."""
        shape = x.shape
        return ops.reshape(super().lr_adjust(ops.reshape(x, (-1, shape[-1]))), shape)


OPTIMIZERS: dict[str, Callable[[float, dict[str, Any]], Any]] = {
    "adamw": lambda rate, shared: keras.optimizers.AdamW(
        rate, weight_decay=1e-4, beta_2=0.99, **shared
    ),
    "muon": lambda rate, shared: ConvolutionMuon(
        rate, weight_decay=1e-4, adam_weight_decay=1e-4, adam_beta_2=0.99, **shared
    ),
}
