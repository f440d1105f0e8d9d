"""A run on JAX: one compiled step, with clips, weights and moments in the accelerator's memory.

Otherwise a batch is cut and turned by one processor core and handed over for each step: of 32 clips
that takes several times as long as the step itself does on a GPU.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import jax
import keras
import numpy as np
from jax import lax
from jax import numpy as jnp

from models import planes as yuv
from models.errors import TrainingError
from models.training.augmentation import KINDS, turned
from models.training.batches import BatchShape, ClipBatches, Cuts, neighbours
from models.training.options import TrainOptions
from models.training.pool import FLOW_STEPS, PICTURES, ClipPool, PoolSettings, record_parts
from models.training.recurrence import ALIGNED, ClipInputs, one_frame
from models.training.run import Run, clip_loss, next_frames

State = tuple[list[Any], list[Any]]
"""Values of the trainable variables, and of the optimiser's."""

Memory: TypeAlias = tuple[Any, Any]
"""Features and flow of the clips that the accelerator holds, by their slot."""


@dataclass(frozen=True, slots=True)
class PlacedBatch:
    """A batch as places in the accelerator's memory.

    Attributes:
        new: clips to put there first, by their slot, as `record_parts` gives them.
        slots: (N,) of the batch's clips.
        cuts: see `Cuts`.
    """

    new: dict[int, tuple[np.ndarray, np.ndarray]]
    slots: np.ndarray
    cuts: Cuts


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
                new[slot] = record_parts(self.pool.clip(number))
                self._placed[slot] = number
        return PlacedBatch(new, slots, cuts)


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
        self._state, loss = self._advance(state, self._memory, batch.slots, batch.cuts, rate)
        self.settle()  # of the step before: this one has only been asked for
        self._unsettled = loss, self.progress.step + 1

    def _begun(self) -> State:
        """Copies: a step reuses the memory of the values that it is given."""
        kinds = (self.network.trainable_variables, self.optimizer.variables)
        trained, moments = ([jnp.array(v.value) for v in variables] for variables in kinds)
        return trained, moments

    def _advanced(
        self, state: State, memory: Memory, slots: Any, cuts: Cuts, rate: Any
    ) -> tuple[State, Any]:
        weights, moments = state
        shape = self.options.batch
        cut = jax.vmap(lambda *place: _cut(memory, shape, *place))
        samples, flow = cut(slots, cuts.corners, cuts.turns)
        blurry, sharp, following = jnp.split(samples, PICTURES, axis=-1)
        inputs = ClipInputs(
            frames=blurry,
            following=neighbours(following, blurry, cuts.following, jnp),
            flow=flow / FLOW_STEPS,
            kinds=cuts.kinds,
        )

        def loss(weights: list[Any]) -> Any:
            return clip_loss(self.options.loss)(sharp, self._restored(weights, inputs))

        value, gradients = jax.value_and_grad(loss)(weights)
        moments = list(moments)
        moments[self._rate_index] = jnp.asarray(rate, moments[self._rate_index].dtype)
        weights, moments = self.optimizer.stateless_apply(moments, gradients, weights)
        return (list(weights), list(moments)), value

    def _restored(self, weights: Sequence[Any], clips: ClipInputs) -> Any:
        """What `Unrolled` gives, in a loop over the frames: that compiles several times as fast."""
        inputs = ClipInputs(*(jnp.moveaxis(part, 1, 0) for part in clips))
        _, count, rows, columns, channels = inputs.frames.shape
        kind = self.network.outputs[1].dtype
        hidden = jnp.zeros((count, rows // 2, columns // 2, self.config.hidden), kind)
        blend = jnp.zeros((count, rows, columns, channels), jnp.float32)

        def network(given: list[Any]) -> Any:
            return self.network.stateless_call(weights, [], given)[0]

        def frame(carried: Any, given: ClipInputs) -> Any:
            restored, *carried = one_frame(network, given, *carried)
            return tuple(carried), restored

        _, restored = lax.scan(frame, (blend, hidden), inputs)
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
        samples, flow = (np.zeros(part.shape[1:], part.dtype) for part in self._memory)
        pictures = np.concatenate([clip, clip, next_frames(clip)], axis=-1)
        samples[:frames, :side, :side] = pictures
        kinds, slots = self._all_there(), np.zeros(count, np.int64)
        corners, turns = np.zeros((count, 3), np.int64), np.zeros((count, KINDS), bool)
        cuts = Cuts(slots, corners, turns, kinds, np.full_like(kinds, ALIGNED))
        return PlacedBatch({0: (samples, flow)}, slots, cuts)

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


def _allocated(pool: PoolSettings) -> Memory:
    """Room for every clip that the pool holds at once."""
    side = pool.size // yuv.PATCH
    shape = (pool.capacity, pool.frames, side, side)
    size = math.prod(shape) * (PICTURES * yuv.CHANNELS + 4)
    try:
        samples = jnp.zeros((*shape, PICTURES * yuv.CHANNELS), jnp.uint8)
        return samples, jnp.zeros((*shape, 2), jnp.int16)
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        raise TrainingError(
            f"{size / 2**30:.1f} GiB of clips don't fit in the accelerator's memory: "
            "use a smaller --crop or fewer --frames"
        ) from error


@partial(jax.jit, donate_argnums=0)
def _put(memory: Memory, clip: tuple[Any, Any], slot: Any) -> Memory:
    samples, flow = (
        lax.dynamic_update_index_in_dim(part, new, slot, 0)
        for part, new in zip(memory, clip, strict=True)
    )
    return samples, flow


def _cut(memory: Memory, shape: BatchShape, slot: Any, corner: Any, turns: Any) -> tuple[Any, Any]:
    """One clip of a batch, turned: features (T, h, w, 72) and flow (T, h, w, 2)."""
    side = shape.crop // yuv.PATCH
    begin = (slot, corner[0], corner[1], corner[2], 0)
    samples, flow = (
        lax.dynamic_slice(part, begin, (1, shape.frames, side, side, part.shape[-1]))[0]
        for part in memory
    )
    return turned(samples, flow, turns, jnp.where)
