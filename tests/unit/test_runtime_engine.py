"""The same pixels whatever computes them."""

import importlib.util
import pkgutil
import sys
from fractions import Fraction
from types import ModuleType

import numpy as np
import pytest

from models import registry
from models.alignment import Past, aligned, reduced_luma
from models.errors import ExportError
from models.network import fresh_hidden
from models.networks.host import ArrayNetwork
from models.onnx_graph import INPUTS, OUTPUTS
from models.packing import corrected, features, pack, unpack
from models.reference import Reference
from models.runtimes import openvino
from stream.capture.synthetic import SyntheticSource
from stream.cli import main
from stream.errors import ModelError, UsageError
from stream.frame import ColorTags, Discontinuity
from stream.inference.backends import BACKENDS, Backend
from stream.inference.deblurrer import Deblurrer
from stream.inference.device import Compute
from stream.inference.engine import geometry_of, picture_of

RUNTIMES = [name for name in BACKENDS if name != "tensorflow"]
IN_INT8 = [name for name in BACKENDS if "int8" in BACKENDS[name].precisions]


def restored(model, runtime, clip, *, look_ahead=False):
    deblurrer = Deblurrer(
        model, device="cpu", precision="float32", runtime=runtime, look_ahead=look_ahead, mend=False
    )
    frames = [made for frame in clip for made in deblurrer.process(frame)]
    return sorted([*frames, *deblurrer.flush()], key=lambda made: (made.stream_id, made.pts))


def synthetic(count=3, width=53, height=47, **layout):
    return list(SyntheticSource(width, height, count, Fraction(30), **layout).frames())


LAYOUTS = {
    "4:2:0": ({}, ColorTags()),
    "4:2:2 of 10 bits, full range": ({"subsampling": (1, 0), "bit_depth": 10}, ColorTags(range=2)),
    "RGB": ({"subsampling": (0, 0)}, ColorTags(matrix=0)),
}


@pytest.fixture(scope="module")
def clips():
    return [
        frame.replace(color=color, stream_id=index)
        for index, (layout, color) in enumerate(LAYOUTS.values())
        for frame in synthetic(**layout)
    ]


@pytest.fixture(scope="module")
def expected(random_model, clips):
    """What the network says, in float64, without look-ahead and with it."""
    weights = registry.load(random_model)
    return [
        [
            frame
            for index in range(len(LAYOUTS))
            for frame in exactly(each, [f for f in clips if f.stream_id == index])
        ]
        for each in (weights.causal(), weights)
    ]


def exactly(weights, clip):
    """The frames of one stream as the network in NumPy deblurs them."""
    network = Reference(weights.config, weights.arrays, weights.neighbours)
    hidden = fresh_hidden(weights.config, 1, clip[0].height, clip[0].width)
    small = [reduced_luma(frame.planes.arrays[0], frame.planes.bit_depth) for frame in clip]
    made, past = [], None
    for index, frame in enumerate(clip):
        planes, geometry = frame.planes, geometry_of(frame.planes, frame.color)
        beside = [past and aligned(small[index], past.small, past.blend), None]
        if index + 1 < len(clip):
            beside[1] = aligned(small[index], small[index + 1], clip[index + 1].planes.arrays)
        values, *others = (
            pack([arrays], geometry).astype(np.float64)
            for arrays in (planes.arrays, *(each or planes.arrays for each in beside))
        )
        current, *others = (features(each, geometry, np) for each in (values, *others))
        changes = [other - current for other in others[: weights.neighbours]]
        residual, hidden = network(np.concatenate([current, *changes], axis=-1), hidden)
        changed = corrected(values, residual, geometry, np).astype(geometry.dtype)
        made.append(frame.replace(planes=picture_of(unpack(changed, geometry)[0], geometry)))
        past = Past.of(small[index], planes.arrays, made[-1].planes.arrays)
    return made


@pytest.mark.parametrize("look_ahead", [False, True])
@pytest.mark.parametrize("runtime", ["tensorflow", *RUNTIMES])
def test_every_runtime_gives_the_network_s_pixels(
    random_model, runtime, look_ahead, clips, expected
):
    found = restored(random_model, runtime, clips, look_ahead=look_ahead)
    require_equal(clips, expected[look_ahead], found)


def require_equal(clips, expected, found):
    """Raise AssertionError unless two corrections of clips are equal but for rounding."""
    for source, left, right in zip(clips, expected, found, strict=True):
        triples = zip(*(f.planes.arrays for f in (source, left, right)), strict=True)
        for before, a, b in triples:
            assert a.dtype == b.dtype == before.dtype
            # rounded at the edge between two codes, also of what the next frame's reference shows
            assert np.abs(a.astype(int) - b).max() <= 2
            assert (a != b).mean() < 0.01
            assert (a != before).any()


def test_a_runtime_is_a_module_and_a_row_of_the_table(
    random_model, clips, expected, monkeypatch, capsys
):
    """As CONTRIBUTING.md says; here NumPy is one."""

    def open_network(weights, opening):
        network = Reference(weights.config, weights.arrays, weights.neighbours)

        def run(inputs):
            return dict(zip(OUTPUTS, network(*(inputs[name] for name in INPUTS)), strict=True))

        return ArrayNetwork(weights, opening.size, run, channels_first=False)

    module = ModuleType("models.networks.exact")
    module.open_network = open_network
    monkeypatch.setitem(sys.modules, module.__name__, module)
    row = Backend("exact", package="numpy", precisions=("float32",))
    monkeypatch.setitem(BACKENDS, row.name, row)
    require_equal(clips, expected[0], restored(random_model, "exact", clips))
    with pytest.raises(UsageError, match="exact computes in float32: use --runtime onnx for int8"):
        Deblurrer(random_model, runtime="exact", precision="int8")
    with pytest.raises(SystemExit):
        main(["live", "--help"])
    assert "litert,tensorflow,exact}" in capsys.readouterr().out


@pytest.mark.parametrize("runtime", IN_INT8)
def test_int8_is_near_on_every_layout(random_model, runtime, clips, expected):
    deblurrer = Deblurrer(random_model, precision="int8", runtime=runtime)
    assert deblurrer.compute == Compute("cpu", "int8", runtime)
    for source, exact in zip(clips, expected[0], strict=True):
        found = deblurrer.process(source)[0]
        changes, errors = (
            np.concatenate([np.abs(a.astype(int) - b).ravel() for a, b in pairs])
            for pairs in (
                zip(exact.planes.arrays, source.planes.arrays, strict=True),
                zip(exact.planes.arrays, found.planes.arrays, strict=True),
            )
        )
        assert 0 < errors.mean() < 0.25 * changes.mean()


def test_a_reset_stream_is_as_a_fresh_one(random_model):
    first, second = synthetic(2)
    deblurrer = Deblurrer(random_model, runtime="onnx")
    continued = [deblurrer.process(frame)[0] for frame in (first, second)][1]
    deblurrer.reset(0, Discontinuity.SEEK)
    again = deblurrer.process(second.replace(pts=2))[0]
    fresh = Deblurrer(random_model, runtime="onnx").process(second)[0]
    np.testing.assert_array_equal(again.planes.arrays[0], fresh.planes.arrays[0])
    assert (continued.planes.arrays[0] != fresh.planes.arrays[0]).any()


@pytest.mark.parametrize("runtime", ["mnn", "onnx"])
def test_a_network_that_gives_no_numbers_changes_nothing(random_model, runtime, tmp_path):
    weights = registry.load(random_model)
    weights.arrays["head/bias"][0] = np.nan
    registry.write_weights(tmp_path / "nan.npz", weights.config, weights.arrays)
    deblurrer = Deblurrer(str(tmp_path / "nan.npz"), device="cpu", runtime=runtime)
    for frame in synthetic(2):
        found = deblurrer.process(frame)[0]
        for before, after in zip(frame.planes.arrays, found.planes.arrays, strict=True):
            np.testing.assert_array_equal(before, after)
    assert deblurrer.resets[Discontinuity.NON_FINITE] == 2


def test_each_runtime_has_an_identity_of_its_own(random_model):
    identities = {Deblurrer(random_model, runtime=runtime).identity for runtime in RUNTIMES}
    identities.add(Deblurrer(random_model, precision="int8").identity)
    assert len(identities) == len(RUNTIMES) + 1


@pytest.fixture
def with_amx(monkeypatch):
    """A CPU with matrix units for bfloat16, as far as anybody asks; they are not used."""
    monkeypatch.setattr("stream.inference.backends.has_amx", lambda: True)
    monkeypatch.setattr("models.runtimes.openvino_has_bfloat16", lambda: True)


def test_bfloat16_is_openvino_s_where_the_cpu_has_units_for_it(random_model, with_amx, monkeypatch):
    asked = []
    core = openvino().Core
    compile_model = core.compile_model

    def compiled(self, path, device, settings):
        asked.append(settings["INFERENCE_PRECISION_HINT"])
        return compile_model(self, path, device, settings)

    monkeypatch.setattr(core, "compile_model", compiled)
    frame = synthetic(1)[0]
    chosen, named, exact = (
        Deblurrer(random_model, device="cpu", **choice)
        for choice in ({}, {"runtime": "openvino"}, {"runtime": "openvino", "precision": "float32"})
    )
    assert chosen.compute == named.compute == Compute("cpu", "bfloat16", "openvino")
    assert chosen.identity == named.identity != exact.identity
    asked.clear()  # what was checked as they were opened
    for deblurrer in (chosen, named, exact):
        deblurrer.process(frame)
    assert asked == ["bf16", "bf16", "f32"]


def test_bfloat16_is_tensorflow_s_without_openvino(random_model, with_amx, monkeypatch):
    find = importlib.util.find_spec
    without = {"openvino": None}
    monkeypatch.setattr("importlib.util.find_spec", lambda name: without.get(name, find(name)))
    found = Deblurrer(random_model, device="cpu").compute
    assert found == Compute("cpu", "bfloat16", "tensorflow")


def test_what_a_runtime_cannot_do_is_said_in_one_line(random_model, monkeypatch):
    with pytest.raises(UsageError, match="onnx computes in float32 or int8 on the CPU"):
        Deblurrer(random_model, runtime="onnx", precision="bfloat16")
    monkeypatch.setattr("models.runtimes.openvino_has_bfloat16", lambda: False)
    with pytest.raises(ModelError, match="no units for bfloat16: use --precision float32"):
        Deblurrer(random_model, runtime="openvino", precision="bfloat16")
    with pytest.raises(UsageError, match="mnn computes in float32: use --runtime onnx for int8"):
        Deblurrer(random_model, runtime="mnn", precision="int8")
    for wrong in ({"runtime": "tensorflow"}, {"device": "gpu"}):
        with pytest.raises(UsageError, match="int8 is for the CPU, on --runtime onnx"):
            Deblurrer(random_model, precision="int8", **wrong)
    with pytest.raises(ModelError, match="no model 'none'"):
        Deblurrer("none", runtime="onnx")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r'pip install "deblurstream\[export\]"'):
        Deblurrer(random_model, runtime="openvino")


@pytest.mark.parametrize(
    ("runtime", "engine", "made_by"),
    [
        ("onnx", "host_engine", "models.networks.onnx.open_network"),
        ("mnn", "host_engine", "models.networks.mnn.open_network"),
        ("tensorflow", "keras_engine", "stream.inference.keras_engine.KerasEngine._compiled"),
    ],
)
def test_frame_sizes_make_room_for_others(random_model, runtime, engine, made_by, monkeypatch):
    kept = 2
    clips = [synthetic(1, 32 + 16 * index, 32)[0] for index in range(kept + 1)]
    made = []
    make = pkgutil.resolve_name(made_by)

    def counted(*given):
        made.append(given[-1])
        return make(*given)

    monkeypatch.setattr(made_by, counted)
    monkeypatch.setattr(f"stream.inference.{engine}.SIZES_KEPT", kept)
    deblurrer = Deblurrer(random_model, runtime=runtime, device="cpu", precision="float32")
    made.clear()  # of the check, as it was opened
    first = deblurrer.process(clips[0])[0].planes.arrays
    for frame in (*clips[1:-1], clips[0], clips[-1], clips[0]):  # clips[1] is the oldest then
        again = deblurrer.process(frame)[0].planes.arrays
    deblurrer.process(clips[1])
    assert len(made) == kept + 2
    assert made[-1] == made[1]
    np.testing.assert_array_equal(again[0], first[0])


def test_a_size_that_cannot_be_exported_is_a_model_error(random_model, monkeypatch):
    def failing(*given):
        raise ExportError("no export today")

    monkeypatch.setattr("models.networks.onnx.network", failing)
    with pytest.raises(ModelError, match="no export today"):
        Deblurrer(random_model, runtime="onnx").process(synthetic(1)[0])


def test_mnn_s_pixels_do_not_depend_on_the_number_of_cores(monkeypatch):
    frames = synthetic(2, 160, 96)
    found = []
    for cores in (1, 2, 3, 8):
        monkeypatch.setattr("models.runtimes.available_cores", lambda n=cores: n)
        found.append(restored("tiny", "mnn", frames))
    for other in found[1:]:
        for left, right in zip(found[0], other, strict=True):
            for a, b in zip(left.planes.arrays, right.planes.arrays, strict=True):
                np.testing.assert_array_equal(a, b)
