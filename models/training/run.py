"""A network in training: one step of the optimiser, its checkpoint, its averaged weights.

Works on every backend of Keras; `models.training.jax_run` has a quicker step for one of them.
"""

import json
import math
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

import keras
import numpy as np
from keras import ops

from models import planes as yuv
from models import registry
from models.errors import TrainingError
from models.evaluation.evaluate import Scores
from models.keras_network import assign, build, computing_in, save_weights
from models.network import NetworkConfig
from models.places import real_place
from models.reference import Reference, require_agreement
from models.training.batches import ClipBatches
from models.training.grow import grow
from models.training.losses import LOSSES
from models.training.optimizers import make_optimizer
from models.training.options import FRESH_MODEL, Progress, TrainOptions, learning_rate
from models.training.pool import ClipPool
from models.training.recurrence import ABSENT, ALIGNED, ClipInputs, nominal, one_frame
from models.training.validation import validate


class Unrolled(keras.Model):  # type: ignore[misc]
    """A network over a whole clip: `ClipInputs` to nominal restored features, (N, T, h, w, 24)."""

    def __init__(self, network: keras.Model, config: NetworkConfig) -> None:
        super().__init__()
        self.network = network
        self.hidden = config.hidden

    def call(self, clips: Any) -> Any:
        """Run the network frame by frame from a fresh state."""
        inputs = ClipInputs(*clips)
        _, count, rows, columns, channels = inputs.frames.shape
        size = ops.shape(inputs.frames)[0]
        blend = ops.zeros((size, rows, columns, channels), "float32")
        kind = self.network.outputs[1].dtype
        hidden = ops.zeros((size, rows // 2, columns // 2, self.hidden), kind)
        restored = []
        for index in range(count):
            frame = ClipInputs(*(part[:, index] for part in inputs))
            made, blend, hidden = one_frame(self.network, frame, blend, hidden)
            restored.append(made)
        return ops.stack(restored, axis=1)


def clip_loss(loss: str) -> Callable[[Any, Any], Any]:
    """One of `losses.LOSSES`, in code values of 8-bit RGB."""
    return lambda sharp, restored: 255.0 * LOSSES[loss](nominal(sharp), restored)


def open_run(options: TrainOptions) -> "Run":
    """The run for the backend that Keras is on."""
    if keras.backend.backend() != "jax":
        return Run(options)
    from models.training.jax_run import JaxRun

    return JaxRun(options)


def _precision(asked: str) -> str:
    """What "auto" means here: bfloat16 on an accelerator of JAX's, float32 elsewhere."""
    if asked != "auto":
        return asked
    if keras.backend.backend() != "jax":
        return "float32"
    import jax

    return "float32" if jax.default_backend() == "cpu" else "bfloat16"


def _tolerated(network: keras.Model) -> str:
    """What the network computes in, as `models.reference.TOLERANCES` calls it."""
    if network.outputs[1].dtype == "bfloat16":
        return "bfloat16"
    on_cpu = keras.distribution.list_devices()[0].startswith("cpu")
    return "float32" if on_cpu else "tensorfloat32"


def _drawn_clip(options: TrainOptions) -> np.ndarray:
    """Noise as one clip of a batch, (T, h, w, 24) uint8."""
    shape = options.batch
    side = shape.crop // yuv.PATCH
    noise = np.random.default_rng(0).integers(64, 192, (shape.frames, side, side, yuv.CHANNELS))
    return noise.astype(np.uint8)


def next_frames(clip: np.ndarray) -> np.ndarray:
    """The frame after each of a clip (T, ...), the last one its own."""
    return np.concatenate([clip[1:], clip[-1:]])


def _drawn_weights(network: keras.Model) -> dict[str, np.ndarray]:
    """Weights by their names that carry signals to every layer, which fresh ones don't."""
    rng = np.random.default_rng(0)
    return {
        v.path: (rng.normal(size=v.shape) / math.sqrt(max(1, math.prod(v.shape[:-1])))).astype("f4")
        for v in network.weights
    }


def _restored(network: Reference, clip: np.ndarray) -> np.ndarray:
    """What `Unrolled` gives of one clip at rest, (1, T, h, w, 24) float64.

    All its neighbours are there.
    """
    offset, scale = yuv.channel_levels(yuv.Levels())
    features = ((clip - offset.astype(np.float64)) / scale)[:, None]
    blend = features[0]
    hidden = np.zeros((1, clip.shape[1] // 2, clip.shape[2] // 2, network.config.hidden))
    restored = []
    for current, following in zip(features, next_frames(features), strict=True):
        changes = [blend - current, following - current]
        residual, hidden = network(np.concatenate([current, *changes], axis=-1), hidden)
        restored.append(current + residual)
        blend = (current + restored[-1]) / 2
    return np.stack(restored, axis=1)


def _beginning(options: TrainOptions) -> tuple[NetworkConfig, keras.Model]:
    """Fresh weights, those of `options.start`, or a larger network grown from these."""
    if options.start is None:
        config = registry.CONFIGS[options.model or FRESH_MODEL]
        return config, build(config)
    start = registry.load(options.start, to_train=True)
    config = registry.CONFIGS[options.model] if options.model else start.config
    network = build(config)
    if config == start.config:
        assign(network, start.arrays, start.path)
    else:
        grow(network, config, start)
    return config, network


class Run:
    """A network in training with its optimiser and progress."""

    def __init__(self, options: TrainOptions) -> None:
        keras.utils.set_random_seed(options.pool.seed)
        self.options = options
        mixed = _precision(options.precision) == "bfloat16"
        with computing_in("mixed_bfloat16" if mixed else "float32"):
            self.config, self.network = _beginning(options)
        with computing_in("float32"):
            self._judged = build(self.config) if mixed else self.network
        self.model = Unrolled(self.network, self.config)
        self.optimizer = make_optimizer(options.optimizer, options.peak_rate, options.momentum)
        self.optimizer.build(self.network.trainable_variables)
        self.model.compile(optimizer=self.optimizer, loss=clip_loss(options.loss))
        self.progress = Progress()

    @property
    def checkpoint(self) -> Path:
        """The file a run resumes from."""
        return self.options.out / "checkpoint.npz"

    def batches(self, pool: ClipPool) -> ClipBatches:
        """What `step` is to be fed."""
        return ClipBatches(pool, self.options.batch, steps=self.options.steps)

    def step(self, batch: Any) -> None:
        """One step of the optimiser on an item of `batches`.

        The loss before it is in `progress.losses` after the next step, or after `settle`.
        TrainingError instead if it is not finite.
        """
        self._train(batch, learning_rate(self.progress, self.options))
        self.progress.step += 1

    def settle(self) -> None:
        """Wait for the loss of the last step."""

    def _train(self, batch: tuple[ClipInputs, np.ndarray], rate: float) -> None:
        self.optimizer.learning_rate = rate
        self._note(float(self.model.train_on_batch(*batch)), self.progress.step + 1)

    def _note(self, loss: float, step: int) -> None:
        if not math.isfinite(loss):
            raise TrainingError(f"the loss is not finite at step {step}: lower the learning rate")
        self.progress.losses.append(loss)

    def check(self) -> None:
        """Raise MismatchError unless the compiled step computes what the network is.

        It makes a step on a drawn clip with drawn weights; all is as before when it returns.
        """
        clip = _drawn_clip(self.options)
        kept = {key: ops.convert_to_numpy(v.value).copy() for key, v in self._variables().items()}
        drawn = _drawn_weights(self.network)
        try:
            for variable in self.network.weights:
                variable.assign(drawn[variable.path])
            self._train(self._alike(clip), 0.0)
            self.settle()
        finally:
            self._begin_again()
            for key, variable in self._variables().items():
                variable.assign(kept[key])
        found = self.progress.losses.pop()
        restored = ops.convert_to_tensor(_restored(Reference(self.config, drawn), clip))
        expected = clip_loss(self.options.loss)(clip[None], ops.cast(restored, "float32"))
        require_agreement(
            np.array(found),
            ops.convert_to_numpy(expected),
            _tolerated(self.network),
            f"training on {keras.backend.backend()}",
            remedy="use another KERAS_BACKEND, and report it",
        )

    def _alike(self, clip: np.ndarray) -> Any:
        """An item of `batches` that is nothing but this clip, (T, h, w, 24): sharp, and at rest."""
        count = self.options.batch.clips
        clips, following = (np.repeat(a[None], count, axis=0) for a in (clip, next_frames(clip)))
        flow = np.zeros((*clips.shape[:-1], 2), np.float32)
        return ClipInputs(clips, following, flow, self._all_there()), clips

    def _all_there(self) -> np.ndarray:
        """The kinds of references, (N, T), of clips that lack none but the first."""
        kinds = np.full((self.options.batch.clips, self.options.batch.frames), ALIGNED, np.int8)
        kinds[:, 0] = ABSENT
        return kinds

    def _begin_again(self) -> None:
        """Forget the steps that are not in the variables."""

    @contextmanager
    def averaged(self) -> Iterator[keras.Model]:
        """The network with the moving average of its weights in place.

        Before the first step that is the network as it begins: the optimiser has no average yet.
        """
        if self.progress.step == 0:
            yield self.network
            return
        trained = [ops.convert_to_numpy(v.value).copy() for v in self.network.trainable_variables]
        self.optimizer.finalize_variable_values(self.network.trainable_variables)
        for variable in self.network.trainable_variables:
            # a copy: JAX reuses the memory of what a network predicts with
            variable.assign(ops.convert_to_numpy(variable.value).copy())
        try:
            yield self.network
        finally:
            for variable, value in zip(self.network.trainable_variables, trained, strict=True):
                variable.assign(value)

    def save(self) -> None:
        """Write the checkpoint and the averaged weights, each whole or not at all."""
        self.settle()
        arrays = {key: ops.convert_to_numpy(v.value) for key, v in self._variables().items()}
        place = real_place(self.checkpoint)
        partial = place.with_suffix(".part")
        with partial.open("wb") as file:
            np.savez(file, progress=json.dumps(asdict(self.progress)), **arrays)
        partial.replace(place)
        with self.averaged() as network:
            save_weights(self.options.out / "weights.npz", self.config, network)

    def restore(self) -> None:
        """Continue from the checkpoint; TrainingError if it is damaged or of another model."""
        try:
            with np.load(self.checkpoint, allow_pickle=False) as archive:
                arrays = {key: archive[key] for key in archive.files}
            progress = Progress(**json.loads(str(arrays.pop("progress"))))
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, EOFError) as error:
            raise TrainingError(f"{self.checkpoint} can't be read: {error}") from error
        variables = self._variables()
        shapes = {key: tuple(variable.shape) for key, variable in variables.items()}
        if shapes != {key: array.shape for key, array in arrays.items()}:
            raise TrainingError(
                f"{self.checkpoint} is of another model: give the --model or --from of that run"
            )
        for key, variable in variables.items():
            variable.assign(arrays[key])
        self.progress = progress

    def _variables(self) -> dict[str, Any]:
        kinds = {"weight": self.network.weights, "optimizer": self.optimizer.variables}
        return {
            f"{kind}_{index:04d}": variable
            for kind, variables in kinds.items()
            for index, variable in enumerate(variables)
        }

    def validate(self) -> dict[str, Scores]:
        """Score the averaged weights on each part of the validation clips.

        They are kept if their gain, the mean over the parts, is the best so far.
        """
        options = self.options
        with self.averaged() as network:
            if self._judged is not network:
                self._judged.set_weights(network.get_weights())
            scores = validate(options.out / "validation", self._judged, self.config)
            gain = fmean(part.gain for part in scores.values())
            if gain > self.progress.best_gain:
                self.progress.best_gain = gain
                save_weights(options.out / "best.npz", self.config, network)
        return scores
