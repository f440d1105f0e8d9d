"""The identities that the engine holds, with a random network that changes every pixel."""

from fractions import Fraction

import keras
import numpy as np
import pytest
from random_model import save_random_weights

from models import registry
from models.alignment import Past, aligned, reduced_luma
from models.evaluation.evaluate import restore
from models.keras_network import load
from models.packing import pack_420
from models.planes import Levels, channel_levels
from stream.errors import ModelError, UsageError
from stream.frame import ColorTags, Discontinuity, Frame, Planes, StreamInfo, chroma_size
from stream.inference import keras_engine
from stream.inference.backends import resolve
from stream.inference.cuts import CutDetector
from stream.inference.deblurrer import LONG_GAP, Deblurrer
from stream.inference.device import Compute, has_amx
from stream.inference.engine import geometry_of
from stream.inference.keras_engine import KerasEngine

TIME_BASE = Fraction(1, 30)

ON_TENSORFLOW = {"device": "cpu", "precision": "float32", "runtime": "tensorflow"}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return save_random_weights(tmp_path_factory.mktemp("weights") / "random.npz")


@pytest.fixture
def deblurrer(weights):
    return Deblurrer(weights, **ON_TENSORFLOW)


def planes(seed, width=64, height=48, subsampling=(1, 1), depth=8, count=3):
    rng = np.random.default_rng(seed)
    chroma = chroma_size(width, height, subsampling)[::-1]
    shapes = [(height, width), chroma, chroma][:count]
    dtype, peak = (np.uint8, 255) if depth == 8 else (np.uint16, (1 << depth) - 1)
    low, high = int(0.45 * peak), int(0.55 * peak)  # one scene: far from any cut
    arrays = tuple(rng.integers(low, high, shape).astype(dtype) for shape in shapes)
    return Planes(arrays, subsampling, depth)


def frames(count, *, seed=0, **kwargs):
    """A camera at rest, and its noise: each frame shows what the one before does."""
    scene = planes(seed, **kwargs)
    clip = []
    for i in range(count):
        rng = np.random.default_rng(1000 * seed + i)
        arrays = tuple((a + rng.integers(-3, 4, a.shape)).astype(a.dtype) for a in scene.arrays)
        shown = Planes(arrays, scene.subsampling, scene.bit_depth)
        clip.append(Frame(planes=shown, pts=i, time_base=TIME_BASE, index=i))
    return clip


def arrays_of(frame):
    return frame.planes.arrays


def assert_close(left, right):
    """Equal but for a rounding at the very edge between two codes."""
    for a, b in zip(arrays_of(left), arrays_of(right), strict=True):
        assert np.abs(a.astype(int) - b).max() <= 1
        assert (a != b).mean() < 0.01


def differ(left, right):
    return any((a != b).any() for a, b in zip(arrays_of(left), arrays_of(right), strict=True))


def test_streaming_equals_the_sequence(deblurrer, weights):
    clip = frames(4)
    streamed = [deblurrer.process(frame)[0] for frame in clip]
    model = load(weights)
    offset, scale = channel_levels(Levels())
    features = np.concatenate(
        [(pack_420(*(a[None] for a in arrays_of(f)), np) - offset) / scale for f in clip]
    ).astype(np.float32)
    hidden, past = np.zeros((1, 6, 8, 8), np.float32), None
    for index, frame in enumerate(clip):
        current = reference = features[index : index + 1]
        small = reduced_luma(arrays_of(frame)[0], 8)
        if past:
            planes = aligned(small, past.small, past.blend)
            reference = (pack_420(*(a[None] for a in planes), np) - offset) / scale
        given = np.concatenate([current, reference - current, np.zeros_like(current)], axis=-1)
        residual, hidden = map(np.asarray, model.network([given, hidden]))
        past = Past.of(small, arrays_of(frame), arrays_of(streamed[index]))
        expected = np.clip(np.rint((current + residual) * scale + offset), 0, 255).astype(int)
        found = pack_420(*(a[None] for a in arrays_of(streamed[index])), np)
        assert np.abs(found.astype(int) - expected).max() <= 1
        assert differ(frame, streamed[index])


def test_a_batch_of_streams_equals_each_alone(weights):
    clips = [frames(3, seed=10 * i) for i in range(3)]
    together = Deblurrer(weights, **ON_TENSORFLOW)
    batched = [
        together.process_batch([f.replace(stream_id=i) for i, f in enumerate(moment)])
        for moment in zip(*clips, strict=True)
    ]
    for index, clip in enumerate(clips):
        alone = Deblurrer(weights, **ON_TENSORFLOW)
        for moment, frame in enumerate(clip):
            assert_close(alone.process(frame)[0], batched[moment][index])


def test_streams_of_different_geometry_share_a_call(deblurrer):
    small, large = frames(1)[0], frames(1, width=80)[0].replace(stream_id=1)
    out = deblurrer.process_batch([large, small])
    assert [frame.width for frame in out] == [80, 64]


def test_a_reset_stream_is_as_a_fresh_one(deblurrer, weights):
    first, second = frames(2)
    continued = (deblurrer.process(first), deblurrer.process(second))[1][0]
    deblurrer.reset(0, Discontinuity.SEEK)
    again = deblurrer.process(second.replace(pts=2))[0]
    fresh = Deblurrer(weights, **ON_TENSORFLOW).process(second)[0]
    assert not differ(again, fresh)
    assert differ(continued, fresh)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"discontinuity": Discontinuity.RECONNECT}, Discontinuity.RECONNECT),
        ({"pts": 0}, Discontinuity.PTS_BACKWARDS),
        ({"gap": LONG_GAP + 1}, Discontinuity.GAP),
        ({"planes": planes(1, width=80)}, Discontinuity.SIZE_CHANGE),
        (
            {"planes": Planes((np.full((48, 64), 250, np.uint8),), (0, 0))},
            Discontinuity.SIZE_CHANGE,
        ),
    ],
)
def test_what_does_not_continue_begins_afresh(deblurrer, weights, changes, reason):
    first, second = frames(2)
    deblurrer.process(first)
    broken = second.replace(**changes)
    result = deblurrer.process(broken)[0]
    assert deblurrer.resets == {Discontinuity.START: 1, reason: 1}
    fresh = Deblurrer(weights, **ON_TENSORFLOW).process(broken)[0]
    assert not differ(result, fresh)


def test_a_scene_cut_begins_afresh(deblurrer):
    first, second = frames(2)
    deblurrer.process(first)
    white = Planes((np.full((48, 64), 250, np.uint8), *second.planes.arrays[1:]))
    deblurrer.process(second.replace(planes=white))
    assert deblurrer.resets[Discontinuity.SCENE_CUT] == 1


def test_a_short_gap_continues(deblurrer):
    first, second = frames(2)
    deblurrer.process(first)
    deblurrer.process(second.replace(gap=LONG_GAP))
    assert deblurrer.resets == {Discontinuity.START: 1}


def test_an_output_that_is_no_number_passes_the_frame_on_and_begins_afresh(deblurrer, weights):
    clip = frames(3)
    deblurrer.process(clip[0])
    network = deblurrer.engine.engine.model.network
    bias = next(v for v in network.weights if v.path == "stem/bias")
    kept = np.array(bias.value)
    bias.assign(np.full_like(kept, np.nan))
    assert not differ(deblurrer.process(clip[1])[0], clip[1])
    assert deblurrer.resets[Discontinuity.NON_FINITE] == 1
    bias.assign(kept)
    fresh = Deblurrer(weights, **ON_TENSORFLOW).process(clip[2])[0]
    assert not differ(deblurrer.process(clip[2])[0], fresh)


@pytest.mark.parametrize(
    ("name", "subsampling", "depth", "count"),
    [
        ("yuv420p", (1, 1), 8, 3),
        ("yuv422p", (1, 0), 8, 3),
        ("yuv444p", (0, 0), 8, 3),
        ("yuv420p10le", (1, 1), 10, 3),
        ("yuv444p12le", (0, 0), 12, 3),
        ("gray", (0, 0), 8, 1),
    ],
)
@pytest.mark.parametrize("size", [(53, 47), (2, 2)])
def test_every_layout_keeps_its_own_planes(deblurrer, name, subsampling, depth, count, size):
    width, height = size
    info = StreamInfo(
        name="x", width=width, height=height, pixel_format=name, source_pixel_format=name,
        time_base=TIME_BASE,
    )  # fmt: skip
    made = deblurrer.engine.engine._ready.cache_info
    before = made().misses  # it may have been checked as it was opened
    deblurrer.start(info)
    assert made().misses == before + 1
    picture = planes(0, width, height, subsampling, depth, count)
    out = deblurrer.process(Frame(planes=picture, pts=7, time_base=TIME_BASE))[0]
    assert made().misses == before + 1, "the step was compiled anew after the warm-up"
    assert [a.shape for a in arrays_of(out)] == [a.shape for a in picture.arrays]
    assert arrays_of(out)[0].dtype == picture.dtype
    assert out.planes.bit_depth == depth
    assert (out.pts, out.time_base) == (7, TIME_BASE)
    assert differ(out, Frame(planes=picture, pts=0, time_base=TIME_BASE))


def test_ten_bits_are_eight_bits_scaled(deblurrer, weights):
    eight = planes(0)
    ten = Planes(tuple(a.astype(np.uint16) * 4 for a in eight.arrays), (1, 1), 10)
    low = deblurrer.process(Frame(planes=eight, pts=0, time_base=TIME_BASE))[0]
    fresh = Deblurrer(weights, **ON_TENSORFLOW)
    high = fresh.process(Frame(planes=ten, pts=0, time_base=TIME_BASE))[0]
    for a, b in zip(arrays_of(low), arrays_of(high), strict=True):
        assert np.abs(a.astype(int) * 4 - b).max() <= 2  # rounded to 8 bits: half a code of 4


def test_chroma_of_444_gets_the_residual_of_its_420_view(deblurrer, weights):
    small = planes(0)
    doubled = [a.repeat(2, 0).repeat(2, 1) for a in small.arrays[1:]]
    large = Planes((small.arrays[0], *doubled), (0, 0))
    low = deblurrer.process(Frame(planes=small, pts=0, time_base=TIME_BASE))[0]
    fresh = Deblurrer(weights, **ON_TENSORFLOW)
    high = fresh.process(Frame(planes=large, pts=0, time_base=TIME_BASE))[0]
    np.testing.assert_array_equal(arrays_of(low)[0], arrays_of(high)[0])
    np.testing.assert_array_equal(arrays_of(low)[1].repeat(2, 0).repeat(2, 1), arrays_of(high)[1])


def test_full_range_and_rgb_are_told_apart(deblurrer, weights):
    picture = planes(0, subsampling=(0, 0))
    outs = []
    for tags in (ColorTags(), ColorTags(range=2), ColorTags(matrix=0)):
        fresh = Deblurrer(weights, **ON_TENSORFLOW)
        frame = Frame(planes=picture, pts=0, time_base=TIME_BASE, color=tags)
        outs.append(fresh.process(frame)[0])
    assert differ(outs[0], outs[1])
    assert differ(outs[1], outs[2])


def test_bfloat16_is_near_float32(weights):
    frame = frames(1)[0]
    exact, coarse = (
        Deblurrer(weights, device="cpu", precision=p).process(frame)[0]
        for p in ("float32", "bfloat16")
    )

    def distance(other):
        pairs = zip(arrays_of(exact), arrays_of(other), strict=True)
        return sum(np.abs(a.astype(int) - b).mean() for a, b in pairs)

    assert distance(coarse) < 0.1 * distance(frame)  # 8 bits of mantissa over a dozen layers


def test_the_engine_agrees_with_the_evaluation(weights):
    """Both restore the same grey picture: one from its planes, one from RGB."""
    luma = planes(0).arrays[0]
    # grey RGB of nominal value v has limited-range luma 16 + 219 v / 255
    rgb = np.repeat(luma[..., None], 3, axis=2)
    codes = np.rint(16 + 219 * (luma / 255)).astype(np.uint8)
    neutral = np.full((24, 32), 128, np.uint8)
    picture = Planes((codes, neutral, neutral))
    engine = Deblurrer(weights, **ON_TENSORFLOW)
    out = engine.process(Frame(planes=picture, pts=0, time_base=TIME_BASE))[0]
    model = load(weights)
    restored = next(restore(model.network, model.config, iter([rgb]))).astype(float)
    luma_change = arrays_of(out)[0].astype(float) - codes
    rgb_change = (restored - rgb) @ [0.2126, 0.7152, 0.0722] * 219 / 255
    # planes and RGB are rounded, and a few RGB samples clipped
    assert np.abs(luma_change - rgb_change).mean() < 0.5 < 0.1 * np.abs(luma_change).mean()


@pytest.mark.parametrize(
    ("subsampling", "depth", "count"),
    [((1, 1), 8, 3), ((1, 0), 8, 3), ((0, 0), 10, 3), ((1, 1), 16, 3), ((0, 0), 8, 1)],
)
def test_strength_scales_the_correction(weights, subsampling, depth, count):
    picture = planes(0, 53, 47, subsampling, depth, count)
    changes = {}
    for strength in (0, 0.5, 1, 1.5):
        deblurrer = Deblurrer(weights, **ON_TENSORFLOW, strength=strength)
        out = deblurrer.process(Frame(planes=picture, pts=0, time_base=TIME_BASE))[0]
        pairs = zip(arrays_of(out), picture.arrays, strict=True)
        changes[strength] = [a.astype(int) - b for a, b in pairs]
    assert not any(change.any() for change in changes[0])
    assert all(change.any() for change in changes[1])
    for strength in (0.5, 1.5):
        for part, whole in zip(changes[strength], changes[1], strict=True):
            assert np.abs(part - strength * whole).max() <= 0.5  # rounded once more


def test_an_exaggerated_correction_stays_within_the_code_range(weights):
    rng = np.random.default_rng(0)
    luma = rng.choice(np.array([0, 1023], np.uint16), (48, 64))
    frame = Frame(planes=Planes((luma,), (0, 0), 10), pts=0, time_base=TIME_BASE)
    out = Deblurrer(weights, **ON_TENSORFLOW, strength=1.5).process(frame)[0]
    assert differ(out, frame)
    assert arrays_of(out)[0].max() == 1023


@pytest.mark.parametrize("strength", [-0.1, 1.6, float("nan")])
def test_a_strength_out_of_range_is_refused(weights, strength):
    with pytest.raises(ModelError, match=r"strength is .*: give a number from 0 to 1.5"):
        Deblurrer(weights, strength=strength)


def test_what_the_output_depends_on_is_its_identity(weights):
    plain, half = (Deblurrer(weights, device="cpu", strength=s).identity for s in (1, 0.5))
    assert plain != half
    assert plain == Deblurrer(weights, device="cpu").identity


def test_models_that_do_not_exist_are_named(weights):
    with pytest.raises(ModelError, match="no model 'nonesuch'"):
        Deblurrer("nonesuch")


def test_what_the_machine_cannot_do_is_refused():
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        pytest.skip("there is a GPU here")
    with pytest.raises(ModelError, match="no GPU"):
        resolve("gpu", "auto", "auto")
    with pytest.raises(UsageError, match="float16 is for GPUs"):
        resolve("cpu", "float16", "auto")


@pytest.mark.parametrize("quick", [False, True])
def test_xla_compiles_what_may_begin_late_on_a_gpu(weights, quick, monkeypatch):
    compiled, function = [], keras_engine.tf.function

    def recorded(body=None, **options):  # Keras makes functions of its own
        if getattr(body, "__name__", "") == "step":
            compiled.append(options.pop("jit_compile"))
        return function(body, **options)

    chosen = Compute("gpu", "float32")
    monkeypatch.setattr("stream.inference.engines.resolve", lambda *_: chosen)
    monkeypatch.setattr(keras_engine.tf, "function", recorded)
    Deblurrer(weights, runtime="tensorflow", quick_start=quick).process(frames(1)[0])
    assert set(compiled) == {not quick}  # also of the step that was checked as it was opened


@pytest.mark.parametrize(("flags", "expected"), [("avx2 amx_bf16 amx_tile", True), ("avx2", False)])
def test_bfloat16_is_chosen_by_the_cpu_s_matrix_units(tmp_path, flags, expected):
    (tmp_path / "cpuinfo").write_text(f"flags : fpu {flags}\n")
    assert has_amx(tmp_path / "cpuinfo") is expected
    assert has_amx(tmp_path / "missing") is False


def test_a_cut_is_a_large_change_of_luma():
    detector = CutDetector()
    dark, bright = (Planes((np.full((64, 64), v, np.uint8),), (0, 0)) for v in (20, 90))
    assert not detector.is_cut(dark)
    assert not detector.is_cut(dark)
    assert detector.is_cut(bright)
    assert not detector.is_cut(bright)


def test_the_engine_wants_tensorflow(weights, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(ModelError, match="unset KERAS_BACKEND"):
        KerasEngine(registry.load(weights), Compute("cpu", "float32"))


def test_geometry_of_rgb_is_full_range():
    assert geometry_of(planes(0), ColorTags(matrix=0)).full_range
