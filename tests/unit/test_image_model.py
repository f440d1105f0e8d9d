"""Other people's models of RGB frames: any size, any layout, planes kept."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper

from models.errors import WeightsError
from models.image_model import load_image_model
from stream.errors import ModelError, UsageError
from stream.frame import ColorTags, Frame, Planes, chroma_size
from stream.inference.deblurrer import Deblurrer

TIME_BASE = Fraction(1, 30)


def save_model(path, compute, shape=(None, None, None, 3), inputs=1):
    module = tf.Module()
    specs = [tf.TensorSpec(shape, tf.float32, f"x{index}") for index in range(inputs)]
    module.f = tf.function(lambda *xs: {"out": compute(*xs)}, input_signature=specs)
    tf.saved_model.save(module, str(path), signatures=module.f)
    return str(path)


def save_onnx(path, size, kind="Identity", constant=None, dtype=TensorProto.FLOAT):
    """A graph of one operation on NCHW frames."""
    shape = [1, 3, *size]
    ports = [helper.make_tensor_value_info(name, dtype, shape) for name in ("x", "y")]
    constants = [] if constant is None else [numpy_helper.from_array(constant, "c")]
    extra = {"pads": [1, 1, 1, 1], "group": 3} if kind == "Conv" else {}
    node = helper.make_node(kind, ["x", *(["c"] if constants else [])], ["y"], **extra)
    graph = helper.make_graph([node], "one", ports[:1], ports[1:], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(made, path)
    return str(path)


def loaded(model):
    return load_image_model(Path(model))


def picture(seed=0, width=53, height=47, subsampling=(1, 1), depth=8, count=3):
    rng = np.random.default_rng(seed)
    chroma = chroma_size(width, height, subsampling)[::-1]
    dtype = np.uint8 if depth == 8 else np.uint16
    shapes = [(height, width), chroma, chroma][:count]
    arrays = tuple(rng.integers(0, 1 << depth, shape).astype(dtype) for shape in shapes)
    return Planes(arrays, subsampling if count == 3 else (0, 0), depth)


def rgb(height, width):
    return np.random.default_rng(1).random((height, width, 3), np.float32)


@pytest.fixture(scope="module")
def identity(tmp_path_factory):
    """Takes sides that are multiples of 64 alone, as many models do."""

    def same(x):
        blocks = tf.nn.space_to_depth(x, 64)
        return tf.nn.depth_to_space(blocks, 64)

    return save_model(tmp_path_factory.mktemp("models") / "same", same)


@pytest.mark.parametrize("size", [(64, 64), (47, 53), (130, 65), (1, 1)])
def test_a_model_of_any_size_gets_padded_frames(identity, size):
    model = loaded(identity)
    assert (model.name, model.size, model.channels_first) == ("same", None, False)
    frame = rgb(*size)
    np.testing.assert_array_equal(model.restore(frame), frame)


@pytest.mark.parametrize("size", [(32, 48), (31, 20), (100, 150), (33, 49)])
def test_a_model_of_one_size_gets_tiles(size, tmp_path):
    model = loaded(save_onnx(tmp_path / "m.onnx", (32, 48)))
    assert (model.name, model.size, model.channels_first) == ("m", (32, 48), True)
    frame = rgb(*size)
    # weights of up to four tiles are summed and divided out in float32
    np.testing.assert_allclose(model.restore(frame), frame, atol=1e-6)


def test_tiles_are_blended_across_their_seams(tmp_path):
    mean = np.full((3, 1, 3, 3), 1 / 9, np.float32)
    tiled = loaded(save_onnx(tmp_path / "t.onnx", (32, 48), "Conv", mean))
    whole = loaded(save_onnx(tmp_path / "w.onnx", (100, 150), "Conv", mean))
    frame = rgb(100, 150)
    difference = np.abs(tiled.restore(frame) - whole.restore(frame))[2:-2, 2:-2]
    # a tile's outermost samples miss their neighbours, and count least where it meets another
    assert difference.max() < 0.15
    assert difference.mean() < 0.005


def test_two_names_of_one_file_are_one_model(identity, tmp_path):
    assert loaded(identity).identity == loaded(identity).identity
    other = save_onnx(tmp_path / "m.onnx", (32, 48))
    assert loaded(other).identity != loaded(identity).identity


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda p: str(p), "holds no SavedModel that can be loaded"),
        (lambda p: (p / "x.onnx").write_text("hello") and str(p / "x.onnx"), "no ONNX file that"),
        (lambda p: save_model(p / "two", lambda a, b: a + b, inputs=2), "2 inputs and 1 outputs"),
        (lambda p: save_model(p / "grey", tf.identity, (None, None, None, 1)), "not float32 RGB"),
        (lambda p: save_model(p / "half", tf.identity, (None, 8, None, 3)), "fixes one side"),
        (
            lambda p: save_onnx(p / "int.onnx", (8, 8), dtype=TensorProto.INT32),
            r"maps tensor\(int32\) \(1, 3, 8, 8\) to .*, not float32 RGB",
        ),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(make, says, tmp_path):
    model = make(tmp_path)
    with pytest.raises(WeightsError, match=says):
        loaded(model)
    with pytest.raises(ModelError, match=says):
        Deblurrer(model, device="cpu")


def test_a_model_that_enlarges_is_refused(tmp_path):
    path = save_model(tmp_path / "large", lambda x: tf.repeat(x, 2, axis=1))
    deblurrer = Deblurrer(path, device="cpu")
    with pytest.raises(ModelError, match="only models that keep the size"):
        deblurrer.process(Frame(planes=picture(), pts=0, time_base=TIME_BASE))


def test_a_model_that_fails_is_one_line(tmp_path):
    blocks = helper.make_node("SpaceToDepth", ["x"], ["b"], blocksize=100)
    back = helper.make_node("DepthToSpace", ["b"], ["y"], blocksize=100)
    sides = [1, 3, "H", "W"]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, sides) for name in ("x", "y")]
    graph = helper.make_graph([blocks, back], "picky", ports[:1], ports[1:])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(made, tmp_path / "picky.onnx")
    deblurrer = Deblurrer(str(tmp_path / "picky.onnx"))
    with pytest.raises(ModelError, match=r"^picky fails on frames of \(1, 3, 64, 64\): .+$"):
        deblurrer.process(Frame(planes=picture(), pts=0, time_base=TIME_BASE))


def test_an_onnx_file_computes_on_the_cpu_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("stream.inference.device.has_gpu", lambda: True)
    path = save_onnx(tmp_path / "m.onnx", (32, 48))
    assert Deblurrer(path).compute.device == "cpu"
    with pytest.raises(UsageError, match="leave out --device gpu"):
        Deblurrer(path, device="gpu")


LAYOUTS = [
    ((1, 1), 8, 3, ColorTags(matrix=1)),
    ((1, 0), 8, 3, ColorTags(matrix=6)),
    ((0, 0), 10, 3, ColorTags(range=2, matrix=9)),
    ((0, 0), 8, 3, ColorTags(matrix=0)),
    ((0, 0), 8, 1, ColorTags()),
]


@pytest.mark.parametrize(("subsampling", "depth", "count", "color"), LAYOUTS)
def test_what_a_model_leaves_alone_stays_bit_exact(identity, subsampling, depth, count, color):
    planes = picture(0, subsampling=subsampling, depth=depth, count=count)
    deblurrer = Deblurrer(identity, device="cpu")
    out = deblurrer.process(Frame(planes=planes, pts=0, time_base=TIME_BASE, color=color))[0]
    for before, after in zip(planes.arrays, out.planes.arrays, strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(
    ("color", "green"), [(ColorTags(matrix=1), 0.7152), (ColorTags(matrix=5), 0.587)]
)
def test_a_change_comes_back_through_the_source_s_own_matrix(tmp_path, color, green):
    greener = np.array([0, 0.1, 0], np.float32).reshape(1, 3, 1, 1)
    path = save_onnx(tmp_path / "greener.onnx", (48, 64), "Add", greener)
    flat = Planes(tuple(np.full(s, 128, np.uint8) for s in ((48, 64), (24, 32), (24, 32))))
    frame = Frame(planes=flat, pts=0, time_base=TIME_BASE, color=color)
    out = Deblurrer(path, device="cpu").process(frame)[0]
    assert np.unique(out.planes.arrays[0]).tolist() == [round(128 + 0.1 * green * 219)]
    assert out.planes.arrays[1].max() < 128 > out.planes.arrays[2].max()


def test_what_does_not_fit_such_a_model_is_said(identity):
    with pytest.raises(UsageError, match="leave out --runtime"):
        Deblurrer(identity, runtime="onnx")
    with pytest.raises(UsageError, match="leave out --precision"):
        Deblurrer(identity, device="cpu", precision="bfloat16")
