"""`deblur export`, `--runtime` and `--model PATH` as a user meets them."""

import json

import cv2
import numpy as np
import pytest
from clips import Clip

from stream.cli import main

SMALL = Clip(width=64, height=48, frames=3)


def test_export_says_how_near_the_file_is(random_model, tmp_path, capsys):
    target = tmp_path / "out.onnx"
    argv = ["export", "--model", random_model, "--format", "onnx", "--size", "53x38", str(target)]
    assert main(argv) == 0
    assert target.is_file()
    shown = capsys.readouterr().out
    assert "onnx, float32; at most" in shown
    assert "dB by the Keras model" in shown
    assert main(argv) == 1
    assert "exists; choose another name, or --overwrite it" in capsys.readouterr().err
    # such a file takes planes and state, not one RGB frame
    assert main(["clean", "--model", str(target), "none.mp4", str(tmp_path / "o.mp4")]) == 1


def test_clean_on_another_runtime(random_model, clip, tmp_path):
    report = tmp_path / "report.json"
    argv = ["clean", str(clip(SMALL)), str(tmp_path / "out.mkv"), "--model", random_model]
    assert main([*argv, "--runtime", "onnx", "--report", str(report)]) == 0
    values = json.loads(report.read_text())
    assert (values["frames_out"], values["precision"], values["device"]) == (3, "float32", "cpu")


def test_eval_scores_other_people_s_models(tmp_path):
    onnx = pytest.importorskip("onnx")
    shape = [1, 3, 32, 32]
    ports = [onnx.helper.make_tensor_value_info(n, 1, shape) for n in ("x", "y")]
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "same", ports[:1], ports[1:])
    opset = [onnx.helper.make_opsetid("", 18)]
    model, scores = tmp_path / "same.onnx", tmp_path / "scores.json"
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=10), model)
    rng = np.random.default_rng(0)
    for name in ("blur", "sharp"):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "a.png"), rng.integers(0, 255, (40, 50, 3), np.uint8))
    folders = ["--blur", str(tmp_path / "blur"), "--sharp", str(tmp_path / "sharp")]
    assert main(["eval", "--stills", *folders, "--model", str(model), "--json", str(scores)]) == 0
    values = json.loads(scores.read_text())
    assert values["model"] == "same"
    assert values["psnr_out"] == pytest.approx(values["psnr_in"])
    assert values["sharp_psnr"] == 100
