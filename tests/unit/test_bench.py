"""The measurements of `deblur bench`: their arithmetic, not their speed."""

import json
import xml.etree.ElementTree as ET

import cv2
import numpy as np
import pytest
from random_model import CONFIG, save_random_weights

from models.cost import cost_gmac
from models.evaluation.clips import find_clips, pair_clips
from stream.bench import pipelines
from stream.bench.baseline import TOLERANCE, BaselineError, compare, ratios
from stream.bench.ceiling import DEPTH, convolution_chains
from stream.bench.machine import machine_facts
from stream.bench.model import measure_matrix, measure_model, network_of
from stream.bench.peers import (
    measure_peers,
    motion_kernel,
    richardson_lucy,
    unsharp,
    wiener,
    with_engine,
)
from stream.bench.pipelines import measure_length, measure_pipelines, measure_streams
from stream.bench.plot import speed_quality
from stream.bench.timing import BURN_IN, median_ratio, rounds
from stream.cli import main
from stream.frame import Planes
from stream.inference.deblurrer import Deblurrer
from stream.inference.device import Compute
from stream.inference.engine import Result
from stream.jobs import WorkerPool


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return save_random_weights(tmp_path_factory.mktemp("weights") / "random.npz")


@pytest.fixture(scope="module")
def deblurrer(weights):
    return Deblurrer(weights, device="cpu", precision="float32")


def report(**changes):
    values = {
        "size": "64x48",
        "precision": "float32",
        "device": "cpu",
        "runtime": "onnx",
        "model": {"name": "m", "ms_per_frame": 10.0, "share_of_ceiling": 0.8},
        "pipelines": {"null": {"share_of_model": 0.96}, "decode_encode": {"share_of_model": 0.9}},
        "streams": [{"streams": 1, "fps": 50.0}, {"streams": 8, "fps": 60.0}],
    }
    return values | changes


def test_cases_are_timed_in_turn_after_the_burn_in():
    calls = []
    times = rounds({name: lambda name=name: calls.append(name) for name in "ab"}, 4)
    assert calls == ["a", "a", "b", "b"] * (BURN_IN + 4)  # each is called before it is timed
    assert {name: len(values) for name, values in times.items()} == {"a": 4, "b": 4}
    assert median_ratio([2.0, 6.0, 100.0], [1.0, 2.0, 1.0]) == 3.0


def test_pipelines_take_turns_of_thirty_frames(deblurrer, monkeypatch):
    cases = {"null": 10.0, "decode": 20.0, "decode_encode": 30.0, "clean": 40.0}
    rates = iter([*cases.values()] * 3)  # the second turn is quick, the third slow
    factors = iter([1.0] * 4 + [2.0] * 4 + [0.5] * 4)

    def run(work):
        stats, values = plain(work)
        return stats, values | {"fps": next(rates) * next(factors)}

    plain = pipelines._run
    monkeypatch.setattr(pipelines, "_run", run)
    monkeypatch.setattr(pipelines, "_model_alone_s", lambda *given: 0.08)
    monkeypatch.setattr(pipelines, "_cpu_s", lambda work: work() or 0.0)
    stats, report = measure_pipelines(deblurrer, WorkerPool([deblurrer]), 64, 48, 93)
    assert stats.frames_out == 31
    assert {case: values["fps"] for case, values in report.items()} == cases
    assert [report[case]["share_of_model"] for case in report] == [0.8, 1.6, 2.4, 3.2]
    assert report["decode_encode"]["share_of_cores"] == pytest.approx(3.0)
    assert report["clean"]["share_of_cores"] == pytest.approx(4.0)


def test_the_ceiling_counts_what_it_computes():
    chains = convolution_chains(CONFIG, Compute("cpu", "float32"), 48, 64)
    for runtime in ("TensorFlow", "ONNX Runtime", "MNN"):
        first = chains[f"{runtime} {DEPTH} x 8 at 1/4"]
        assert first.gflop == pytest.approx(2e-9 * DEPTH * 12 * 16 * 9 * 8 * 8)
        first.call()
    assert len(chains) == 9
    assert [load.divisor for load in chains.values()] == [4, 4, 4, 8, 8, 8, 16, 16, 16]
    assert len(convolution_chains(CONFIG, Compute("cpu", "int8"), 48, 64)) == 6
    assert len(convolution_chains(CONFIG, Compute("cpu", "bfloat16"), 48, 64)) == 3


def test_the_model_is_measured_beside_its_ceiling(deblurrer, weights, tmp_path):
    figures = measure_model(deblurrer.engine, network_of(weights), 64, 48, 3)
    model, ceiling = figures["model"], figures["ceiling"]
    assert model["gmac_per_frame"] == pytest.approx(cost_gmac(CONFIG, 48, 64), abs=1e-3)
    assert model["share_of_ceiling"] > 0
    best = [
        max(rate for name, rate in ceiling["chains"].items() if name.endswith(f"1/{divisor}"))
        for divisor in (4, 8, 16)
    ]
    assert min(best) <= ceiling["gflops"] <= max(best)
    assert network_of(str(tmp_path)) is None, "it is another project's"
    assert measure_model(deblurrer.engine, None, 64, 48, 1)["model"].keys() == {
        "name",
        "ms_per_frame",
    }


def test_sizes_batches_streams_and_length(deblurrer):
    rows = measure_matrix(deblurrer.engine, [(64, 48)], (1, 2), 2)
    assert [(row["size"], row["batch"]) for row in rows] == [("64x48", 1), ("64x48", 2)]
    streams = measure_streams(deblurrer, 64, 48, (1, 2), 2)
    assert streams[1]["fps_each"] == pytest.approx(streams[1]["fps"] / 2, abs=0.01)
    lengths = measure_length(deblurrer, 64, 48, (3, 6))
    assert [row["frames"] for row in lengths] == [3, 6]
    assert all(row["rss_mib"] > 10 for row in lengths)


def test_machine_facts_are_json():
    facts = json.loads(json.dumps(machine_facts()))
    assert facts["cores"] >= 1
    assert facts["versions"].keys() >= {"tensorflow", "av"}


def scene():
    rng = np.random.default_rng(3)
    small = rng.integers(0, 256, (12, 16, 3)).astype(np.uint8)
    return cv2.GaussianBlur(
        cv2.resize(small, (128, 96), interpolation=cv2.INTER_NEAREST), (0, 0), 1
    )


@pytest.mark.parametrize("method", [wiener, richardson_lucy])
@pytest.mark.parametrize("angle", [0, 45, 90])
def test_deconvolution_undoes_a_blur_whose_kernel_it_knows(method, angle):
    sharp = cv2.cvtColor(scene(), cv2.COLOR_RGB2GRAY).astype(np.float32)
    kernel = motion_kernel(9, angle)
    assert kernel.sum() == pytest.approx(1)
    blurry = cv2.filter2D(sharp, -1, kernel)

    def error(image):
        return np.square(image - sharp)[16:-16, 16:-16].mean()

    assert error(method(blurry, kernel)) < 0.5 * error(blurry)


def test_unsharp_masking_leaves_flat_areas_and_steepens_edges():
    picture = np.full((32, 32, 3), 100, np.uint8)
    assert (unsharp(picture) == picture).all()
    picture[:, 16:] = 150
    assert unsharp(picture).max() > 150


def test_peers_are_scored_on_pairs(deblurrer, tmp_path):
    sharp = scene()
    blurry = cv2.filter2D(sharp, -1, motion_kernel(9, 0))
    for name, picture in (("blur", blurry), ("sharp", sharp)):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "a.png"), picture)
    clips = [find_clips(tmp_path / name, stills=True) for name in ("blur", "sharp")]
    rows = measure_peers([("ours", deblurrer.engine)], pair_clips(*clips))
    assert [row["name"] for row in rows] == [
        "ours",
        "unsharp mask",
        "Wiener, kernel given",
        "Richardson-Lucy, kernel given",
    ]
    gains = {row["name"]: row["gain"] for row in rows}
    assert gains["Wiener, kernel given"] > 0.5  # it is given the very kernel, but for the chroma
    picture = speed_quality(rows, "a < b")
    texts = [node.text for node in ET.fromstring(picture).iter() if node.text]
    assert {"Wiener, kernel given", "a < b", "gain, dB"} <= set(texts)
    assert [texts.count(str(number)) for number in range(1, 6)] == [2, 2, 2, 2, 0]  # point, legend


def test_peers_of_one_file_name_are_told_apart(weights, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        save_random_weights(tmp_path / folder / "model.npz")
        cv2.imwrite(str(tmp_path / f"{folder}.png"), scene())
    peers = [str(tmp_path / folder / "model.npz") for folder in ("a", "b")]
    out = tmp_path / "report.json"
    argv = ["bench", "--size", "64x48", "--frames", "1", "--model", weights, "--json", str(out)]
    argv += ["--pairs", str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    assert main([*argv, *(word for path in peers for word in ("--peer", path))]) == 0
    rows = json.loads(out.read_text())["peers"]
    assert [row["name"] for row in rows][:4] == ["random", *peers, "unsharp mask"]


def test_times_of_the_picture_are_short() -> None:
    rows = [{"name": f"{ms}", "ms_per_frame": ms, "gain": 0.5} for ms in (4.448, 999.6, 244808.652)]
    texts = {node.text for node in ET.fromstring(speed_quality(rows, "")).iter()}
    assert {"+0.50 dB, 4.45 ms", "+0.50 dB, 1 s", "+0.50 dB, 245 s", "1,000 s"} <= texts


class Reddening:
    """An engine that adds 7 to the third plane, which is R of G, B, R."""

    name = identity = "reddening"
    compute = Compute("cpu", "float32")

    def run(self, pictures, states, geometry):
        assert geometry.rgb
        return [
            Result(Planes((*p.arrays[:2], p.arrays[2] + 7), p.subsampling), None, finite=True)
            for p in pictures
        ]


def test_rgb_goes_through_an_engine_as_g_b_r():
    picture = np.zeros((48, 64, 3), np.uint8) + np.array([40, 120, 200], np.uint8)
    np.testing.assert_array_equal(with_engine(Reddening(), picture), picture + np.uint8([7, 0, 0]))


def test_a_slow_down_is_flagged_by_ratio_alone(tmp_path):
    path = tmp_path / "before.json"
    path.write_text(json.dumps(report()))
    twice_as_slow_a_machine = report(model=report()["model"] | {"ms_per_frame": 20.0})
    assert not any(row["slower"] for row in compare(twice_as_slow_a_machine, path))
    worse = report(model=report()["model"] | {"share_of_ceiling": 0.8 * (1 - TOLERANCE) - 0.01})
    slower = [row["name"] for row in compare(worse, path) if row["slower"]]
    assert slower == ["model over ceiling"]
    assert ratios(report())["8 streams over one"] == pytest.approx(1.2)


@pytest.mark.parametrize("text", ["{}", "no JSON", "[]"])
def test_a_baseline_that_is_none_is_refused(tmp_path, text):
    path = tmp_path / "before.json"
    path.write_text(text)
    with pytest.raises(BaselineError, match="no report"):
        compare(report(), path)


def test_a_baseline_of_something_else_is_refused(tmp_path):
    path = tmp_path / "before.json"
    path.write_text(json.dumps(report(size="1280x720")))
    with pytest.raises(BaselineError, match="another size"):
        compare(report(), path)


def test_the_command_compares_with_itself(weights, tmp_path, capsys):
    first, second = (tmp_path / name for name in ("a.json", "b.json"))
    argv = ["bench", "--size", "64x48", "--frames", "3", "--model", weights]
    assert main([*argv, "--json", str(first)]) == 0
    values = json.loads(first.read_text())
    assert values["frames_out"] == 3
    assert values["pipelines"].keys() == {"null", "decode", "decode_encode", "clean"}
    assert all(run["share_of_model"] > 0 for run in values["pipelines"].values())
    assert values["pipelines"]["decode_encode"]["share_of_cores"] > 0
    assert values["live"]["latency_ms"]["p50"] > 0
    values["model"]["share_of_ceiling"] = 100.0
    first.write_text(json.dumps(values))
    assert main([*argv, "--json", str(second), "--baseline", str(first)]) == 1
    assert "SLOWER" in capsys.readouterr().out
    assert main([*argv, "--baseline", str(tmp_path / "missing.json")]) == 1
