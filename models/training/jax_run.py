"""A run on JAX: one compiled step, with clips, weights and moments in the accelerator's memory.

Otherwise a batch is cut and turned by one processor core and handed over for each step: of 32 clips
that takes several times as long as the step itself does on a GPU.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import keras
import numpy as np
from jax import lax
from jax import numpy as jnp

from models import planes as yuv
from models.errors import TrainingError
from models.training.batches import BatchShape, ClipBatches
from models.training.options import TrainOptions
from models.training.pool import ClipPool, PoolSettings
from models.training.run import Run, clip_loss, nominal

State = tuple[list[Any], list[Any]]
"""Values of the trainable variables, and of the optimiser's."""


@dataclass(frozen=True, slots=True)
class PlacedBatch:
    """A batch as places in the accelerator's memory.

    Attributes:
        new: clips to put there first, (2, T, h, w, 24) uint8 by their slot.
        slots: (N,) of the batch's clips.
        corners, turns: see `Cuts`.
    """

    new: dict[int, np.ndarray]
    slots: np.ndarray
    corners: np.ndarray
    turns: np.ndarray


class PlacedBatches(ClipBatches):
    """Item `step` is a `PlacedBatch`; to be taken in the order of the steps.

    Clip n lies in slot n modulo the pool's capacity, until a later one takes the slot.
    """

    def __init__(self, pool: ClipPool, shape: BatchShape, *, steps: int) -> None:
        super().__init__(pool, shape, steps=steps)
        self._placed: dict[int, int] = {}

    def __getitem__(self, step: int) -> PlacedBatch:  # type: ignore[override]
        cuts = self._order(step)
        slots = cuts.numbers % self.pool.settings.capacity
        new = {}
        for number, slot in zip(cuts.numbers.tolist(), slots.tolist(), strict=True):
            if self._placed.get(slot) != number:
                new[slot] = np.array(self.pool.clip(number))
                self._placed[slot] = number
        return PlacedBatch(new, slots, cuts.corners, cuts.turns)


class JaxRun(Run):
    """See `Run`; its step takes a `PlacedBatch`, and the next may be prepared while it computes.

    Between the steps that are scored or saved, Keras's variables are behind: the step's own copies
    of their values are what trains.
    """

    def __init__(self, options: TrainOptions) -> None:
        super().__init__(options)
        self._memory = _allocated(options.pool)
        self._state: State | None = None
        self._unsettled: tuple[Any, int] | None = None
        self._advance = jax.jit(self._advanced, donate_argnums=0)
        self._rate_index = next(
            index
            for index, variable in enumerate(self.optimizer.variables)
            if variable is self.optimizer._learning_rate  # Keras has no public name for it
        )

    def batches(self, pool: ClipPool) -> PlacedBatches:
        """What `step` is to be fed."""
        return PlacedBatches(pool, self.options.batch, steps=self.options.steps)

    def settle(self) -> None:
        """See `Run.settle`."""
        if self._unsettled:
            loss, step = self._unsettled
            self._unsettled = None
            self._note(float(loss), step)

    def _train(self, batch: PlacedBatch, rate: float) -> None:  # type: ignore[override]
        for slot, clip in batch.new.items():
            self._memory = _put(self._memory, clip, slot)
        state = self._state or self._begun()
        places = (batch.slots, batch.corners, batch.turns)
        self._state, loss = self._advance(state, self._memory, *places, rate)
        self.settle()  # of the step before: this one has only been asked for
        self._unsettled = loss, self.progress.step + 1

    def _begun(self) -> State:
        """Copies: a step reuses the memory of the values that it is given."""
        kinds = (self.network.trainable_variables, self.optimizer.variables)
        trained, moments = ([jnp.array(v.value) for v in variables] for variables in kinds)
        return trained, moments

    def _advanced(
        self, state: State, memory: Any, slots: Any, corners: Any, turns: Any, rate: Any
    ) -> tuple[State, Any]:
        weights, moments = state
        shape = self.options.batch
        cut = jax.vmap(lambda *place: _cut(memory, shape, *place))(slots, corners, turns)
        blurry, sharp = cut[:, 0], cut[:, 1]

        def loss(weights: list[Any]) -> Any:
            return clip_loss(self.options.loss)(sharp, self._restored(weights, blurry))

        value, gradients = jax.value_and_grad(loss)(weights)
        moments = list(moments)
        moments[self._rate_index] = jnp.asarray(rate, moments[self._rate_index].dtype)
        weights, moments = self.optimizer.stateless_apply(moments, gradients, weights)
        return (list(weights), list(moments)), value

    def _restored(self, weights: Sequence[Any], clips: Any) -> Any:
        """What `Unrolled` gives, in a loop over the frames: that compiles several times as fast."""
        features = jnp.moveaxis(nominal(clips), 1, 0)
        _, count, rows, columns, _ = features.shape
        kind = self.network.outputs[1].dtype
        hidden = jnp.zeros((count, rows // 2, columns // 2, self.config.hidden), kind)

        def frame(carried: Any, current: Any) -> Any:
            (residual, hidden), _ = self.network.stateless_call(weights, [], [current, *carried])
            return (current, hidden), current + residual

        _, restored = lax.scan(frame, (jnp.zeros_like(features[0]), hidden), features)
        return jnp.moveaxis(restored, 0, 1)

    def _variables(self) -> dict[str, Any]:
        self._hand_over()
        return super()._variables()

    @contextmanager
    def averaged(self) -> Iterator[keras.Model]:
        """See `Run.averaged`."""
        self._hand_over()
        with super().averaged() as network:
            yield network

    def restore(self) -> None:
        """See `Run.restore`."""
        super().restore()
        self._begin_again()

    def _alike(self, clip: np.ndarray) -> PlacedBatch:
        """See `Run._alike`; it lies in the first slot, until a clip of the pool takes it."""
        (frames, side, _, _), count = clip.shape, self.options.batch.clips
        record = np.zeros(self._memory.shape[1:], np.uint8)
        record[:, :frames, :side, :side] = clip
        nowhere = (np.zeros((count, n), kind) for n, kind in ((3, np.int64), (5, bool)))
        return PlacedBatch({0: record}, np.zeros(count, np.int64), *nowhere)

    def _begin_again(self) -> None:
        """See `Run._begin_again`."""
        self._state = self._unsettled = None

    def _hand_over(self) -> None:
        """Give Keras's variables the values that the steps have come to."""
        if self._state is None:
            return
        kinds = (self.network.trainable_variables, self.optimizer.variables)
        for variables, values in zip(kinds, self._state, strict=True):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(jnp.array(value))


def _allocated(pool: PoolSettings) -> Any:
    """Room for every clip that the pool holds at once."""
    side = pool.size // yuv.PATCH
    shape = (pool.capacity, 2, pool.frames, side, side, yuv.CHANNELS)
    try:
        return jnp.zeros(shape, jnp.uint8)
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        raise TrainingError(
            f"{math.prod(shape) / 2**30:.1f} GiB of clips don't fit in the accelerator's memory: "
            "use a smaller --crop or fewer --frames"
        ) from error


@partial(jax.jit, donate_argnums=0)
def _put(memory: Any, clip: Any, slot: Any) -> Any:
    return lax.dynamic_update_index_in_dim(memory, clip, slot, 0)


def _channels(change: Any) -> np.ndarray:
    """Where each of the 24 channels of a patch comes from if its planes are changed so."""
    y, u, v = np.arange(16).reshape(4, 4), np.arange(16, 20).reshape(2, 2), np.arange(20, 24)
    return np.concatenate([change(plane).ravel() for plane in (y, u, v.reshape(2, 2))])


_ROWS = _channels(lambda plane: plane[::-1])
_COLUMNS = _channels(lambda plane: plane[:, ::-1])
_TRANSPOSED = _channels(lambda plane: plane.T)
_SWAPPED = np.r_[0:16, 20:24, 16:20]


def _cut(memory: Any, shape: BatchShape, slot: Any, corner: Any, turns: Any) -> Any:
    """One clip of a batch, (2, T, h, w, 24), turned as `models.training.batches.turned` does."""
    side = shape.crop // yuv.PATCH
    begin = (slot, 0, corner[0], corner[1], corner[2], 0)
    clip = lax.dynamic_slice(memory, begin, (1, 2, shape.frames, side, side, yuv.CHANNELS))[0]
    rows, columns, transposed, reverse, swap = turns
    clip = jnp.where(reverse, clip[:, ::-1], clip)
    clip = jnp.where(rows, clip[:, :, ::-1][..., _ROWS], clip)
    clip = jnp.where(columns, clip[:, :, :, ::-1][..., _COLUMNS], clip)
    clip = jnp.where(transposed, clip.swapaxes(2, 3)[..., _TRANSPOSED], clip)
    return jnp.where(swap, clip[..., _SWAPPED], clip)
