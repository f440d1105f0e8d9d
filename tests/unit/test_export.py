"""Exported files: the same numbers as the Keras weights, or nothing."""

import dataclasses
import importlib.util

import numpy as np
import onnx
import pytest

from models import registry
from models.color import add_residual
from models.errors import ExportError, MissingError, WeightsError
from models.evaluation.evaluate import restore
from models.export import files
from models.export.check import check_step, keras_step
from models.export.clips import drawn_clip, run_clip
from models.export.files import export
from models.export.formats import FORMATS, open_step
from models.export.onnx_int8 import IN_FLOAT
from models.export.onnx_step import write as write_onnx
from models.export.step import fresh_hidden, residual_codes
from models.keras_network import assembled
from models.planes import Levels

SIZE = (38, 53)  # height and width: padded on every side, odd chroma
FILES = {"saved_model": "out", "litert": "out.tflite", "onnx": "out.onnx", "openvino": "out.xml"}


@pytest.fixture(scope="module")
def weights(random_model):
    return registry.load(random_model)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_computes_what_the_model_does(weights, kind, tmp_path):
    check = export(weights, kind, tmp_path / FILES[kind], size=SIZE)
    assert check.psnr_keras != pytest.approx(check.psnr_in, abs=0.05), "the model does nothing"
    assert check.max_error < 1e-3  # code values: sums of float32 in another order
    assert abs(check.loss_db) < 1e-3
    with_weights = {"out.xml", "out.bin"} if kind == "openvino" else {FILES[kind]}
    assert {path.name for path in tmp_path.iterdir()} == with_weights


@pytest.mark.parametrize("kind", [k for k in FORMATS if FORMATS[k].default_size is None])
def test_a_file_without_a_size_takes_every_size(weights, kind, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_CHECK_SIZE", (48, 64))
    target = tmp_path / FILES[kind]
    export(weights, kind, target)
    step = open_step(kind, target)
    check = check_step(
        assembled(weights), step, (32, 80), channels_first=FORMATS[kind].channels_first
    )
    assert check.max_error < 1e-3


@pytest.mark.parametrize(
    ("kind", "precision", "error"),
    # float16 has 11 bits of mantissa, int8 steps are 1/255 of a tensor's range
    [
        ("litert", "float16", 0.1),
        ("openvino", "float16", 0.1),
        ("litert", "int8", 8),
        ("onnx", "int8", 8),
        ("openvino", "int8", 8),
    ],
)
def test_a_coarser_file_is_near_the_model(weights, kind, precision, error, tmp_path):
    target = tmp_path / FILES[kind]
    check = export(weights, kind, target, precision=precision, size=SIZE)
    assert 1e-3 < check.max_error < error


@pytest.mark.parametrize("size", [SIZE, None])
def test_int8_is_the_same_file_every_time_with_kernels_of_8_bits(weights, size, tmp_path):
    paths = [tmp_path / f"{name}.onnx" for name in ("first", "second", "float32")]
    for path in paths:
        write_onnx(weights, path, size, "float32" if path.stem == "float32" else "int8")
    first, second, floats = (onnx.load(path) for path in paths)
    assert first.SerializeToString() == second.SerializeToString()
    assert first.graph.input == floats.graph.input
    assert first.graph.output == floats.graph.output
    convolutions = [node for node in first.graph.node if node.op_type == "Conv"]
    bytes_wide = [w for w in first.graph.initializer if w.data_type == onnx.TensorProto.INT8]
    kept = [node for node in convolutions if node.name in IN_FLOAT]
    assert len(kept) == len(IN_FLOAT)
    assert sum(len(w.dims) == 4 for w in bytes_wide) == len(convolutions) - len(kept) > 10


@pytest.mark.parametrize("wrong", [0.9, np.nan])
def test_a_file_that_computes_something_else_is_refused(weights, wrong, tmp_path, monkeypatch):
    def opened(kind, path):
        step = open_step(kind, path)

        def changed(inputs):
            outputs = step(inputs)
            return outputs | {"y_residual": outputs["y_residual"] + wrong}

        return changed

    monkeypatch.setattr(files, "open_step", opened)
    with pytest.raises(ExportError, match=r"not written: in float32 it is up to .* a loss under"):
        export(weights, "onnx", tmp_path / "out.onnx", size=SIZE)
    assert not list(tmp_path.iterdir())


def test_what_is_there_stays_unless_it_may_be_replaced(weights, tmp_path):
    target = tmp_path / "out"
    target.mkdir()
    (target / "mine").write_text("kept")
    with pytest.raises(ExportError, match="exists; choose another name, or --overwrite"):
        export(weights, "saved_model", target)
    assert [path.name for path in target.iterdir()] == ["mine"]
    export(weights, "saved_model", target, size=SIZE, overwrite=True)
    assert not (target / "mine").exists()
    assert (target / "saved_model.pb").exists()


@pytest.mark.parametrize(
    ("kind", "name", "precision", "says"),
    [
        ("onnx", "out.pb", "float32", "ends in .onnx"),
        ("saved_model", "out.onnx", "float32", "without a suffix"),
        ("onnx", "out.onnx", "float16", "onnx can't be float16: use float32 or int8"),
        ("openvino", "none/out.xml", "float32", "does not exist; create it"),
    ],
)
def test_what_cannot_be_written_is_said_in_one_line(weights, kind, name, precision, says, tmp_path):
    with pytest.raises(ExportError, match=says) as failure:
        export(weights, kind, tmp_path / name, precision=precision)
    assert "\n" not in str(failure.value)
    assert not list(tmp_path.iterdir())


def test_a_missing_extra_is_named(weights, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match=r'needs OpenVINO, .*: pip install "deblurstream\['):
        export(weights, "openvino", tmp_path / "out.xml")


def test_weights_of_another_architecture_are_named(weights, tmp_path):
    arrays = weights.arrays
    fewer = {name: array for name, array in arrays.items() if name != "up4/bias"}
    for broken in (arrays | {"up4/kernel": arrays["head/kernel"]}, fewer):
        foreign = dataclasses.replace(weights, arrays=broken)
        with pytest.raises(WeightsError, match="holds the weights of another architecture"):
            write_onnx(foreign, tmp_path / "out.onnx", SIZE)


def test_the_reference_step_is_the_evaluation_s(weights):
    """The step that files are held against restores a clip as `deblur eval` does."""
    model = assembled(weights)
    blurry = [pair[0] for pair in drawn_clip(1, SIZE, 3)]
    fresh = fresh_hidden(SIZE, model.config.hidden, channels_first=False)
    steps = run_clip(keras_step(model), blurry, fresh, model.neighbours)
    restored = restore(model.network, model.config, blurry, look_ahead=True)
    for rgb, (_, outputs), expected in zip(blurry, steps, restored, strict=True):
        found = add_residual(rgb, tuple(residual_codes(outputs, Levels())), Levels())
        assert np.abs(found.astype(int) - expected).max() <= 1  # rounded at the edge of two codes


def test_the_drawn_clips_are_blurred_pans():
    pairs = list(drawn_clip(1, SIZE, 3))
    assert [blurry.shape for blurry, _ in pairs] == [(*SIZE, 3)] * 3
    (blurry, sharp), (_, later) = pairs[:2]
    assert (
        np.abs(np.diff(blurry.astype(int), axis=1)).mean()
        < np.abs(np.diff(sharp.astype(int), axis=1)).mean()
    )
    np.testing.assert_array_equal(sharp[:, 9:], later[:, :-9])
