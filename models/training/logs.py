"""The course of a run on disk: `log.jsonl`, `curve.png` and scalars for TensorBoard."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from models.places import real_place
from models.training.curve import draw_curve
from models.training.options import Progress


class RunLog:
    """The log of a run that is at `first_step`; `close` ends it.

    Records of later steps, left by a run that was killed after its checkpoint, are dropped: these
    steps are made again.
    """

    def __init__(self, folder: Path, *, first_step: int) -> None:
        self._path = folder / "log.jsonl"
        self._curve = folder / "curve.png"
        kept = [record for record in read_log(self._path) if record["step"] <= first_step]
        if not first_step:
            kept = []
        place = real_place(self._path)
        partial = place.with_suffix(".part")
        partial.write_text("".join(json.dumps(record) + "\n" for record in kept), encoding="utf-8")
        partial.replace(place)
        self._scalars = _Scalars(folder / "tensorboard") if _on_tensorflow() else None

    def add(self, progress: Progress, values: Mapping[str, float]) -> None:
        """Append a record of these values at this step."""
        record = {"step": progress.step, "seconds": progress.seconds, **values}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        if self._scalars:
            self._scalars.add(progress.step, values)

    def draw_curve(self) -> None:
        """Draw the log as it stands."""
        draw_curve(self._curve, read_log(self._path))

    def close(self) -> None:
        """Draw the curve a last time and end TensorBoard's file."""
        self.draw_curve()
        if self._scalars:
            self._scalars.close()

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def read_log(path: Path) -> list[dict[str, Any]]:
    """The records of a `log.jsonl`; none where there is no file. A line cut short ends them."""
    records: list[dict[str, Any]] = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                records.append(json.loads(line))
            except json.JSONDecodeError:
                break
    return records


def _on_tensorflow() -> bool:
    return bool(keras.config.backend() == "tensorflow")


class _Scalars:
    """Writes what TensorBoard shows. TensorFlow 2.21 brings the writer, not TensorBoard itself."""

    def __init__(self, folder: Path) -> None:
        import tensorflow as tf

        self._tf = tf
        self._writer = tf.summary.create_file_writer(str(folder))
        metadata = tf.compat.v1.SummaryMetadata
        # tf.summary.scalar needs the tensorboard package; this is what it writes
        self._kind = metadata(plugin_data=metadata.PluginData(plugin_name="scalars"))

    def add(self, step: int, values: Mapping[str, float]) -> None:
        with self._writer.as_default():
            for name, value in values.items():
                self._tf.summary.write(
                    name, self._tf.constant(value, self._tf.float32), step, metadata=self._kind
                )
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()
