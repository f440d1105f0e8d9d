"""Weights are shipped where they beat the shipped ones on the same clips."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from models import registry
from models.errors import TrainingError
from models.keras_network import build, save_weights
from models.training.procedural import draw_scene
from models.training.publish import SCORES, TestSet, publish
from stream.cli import main


@pytest.fixture
def clips(tmp_path):
    """A still that is sharp on both sides: who changes nothing is best."""
    picture = draw_scene(np.random.default_rng(1), 64, 64)
    for side in ("blur", "sharp"):
        (tmp_path / "clips" / side).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "clips" / side / "a.png"), picture)
    return TestSet("clips", tmp_path / "clips", stills=True)


@pytest.fixture
def harmless(random_model, tmp_path):
    """A run whose weights leave everything as it is: a fresh head is zero."""
    run = tmp_path / "run"
    run.mkdir()
    config = registry.load(random_model).config
    save_weights(run / "best.npz", config, build(config))
    (run / "log.jsonl").write_text(json.dumps({"step": 7, "seconds": 3600.0}) + "\n")
    return run


def test_better_weights_replace_the_shipped_ones(
    clips, harmless, random_model, tmp_path, monkeypatch
):
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path / "weights")
    registry.WEIGHTS.mkdir()
    shutil.copyfile(random_model, registry.WEIGHTS / "tiny.npz")
    # figures of the card are of other clips than those that are compared on now
    stale = {"limits": ["kept"], "scores": {"clips": {"psnr_out": 99.0}}}
    (registry.WEIGHTS / "tiny.json").write_text(json.dumps(stale))

    card = publish(harmless, "tiny", [clips])

    assert card["training"] == {"steps": 7, "hours": 1.0}
    assert card["limits"] == ["kept"]
    assert card["scores"]["clips"]["psnr_out"] > 60
    assert card["scores"]["clips"].keys() == set(SCORES)
    assert json.loads((registry.WEIGHTS / "tiny.json").read_text()) == card
    shipped = (registry.WEIGHTS / "tiny.npz").read_bytes()
    assert shipped == (harmless / "best.npz").read_bytes()

    shutil.copyfile(random_model, harmless / "best.npz")
    with pytest.raises(TrainingError, match=r"is -\d+\.\d\d dB from the shipped tiny on clips"):
        publish(harmless, "tiny", [clips])
    assert (registry.WEIGHTS / "tiny.npz").read_bytes() == shipped


def test_a_card_says_what_deblur_eval_prints(clips, random_model, tmp_path):
    """To the last digit: it is the same engine, and not Keras."""
    report = tmp_path / "scores.json"
    pair = ["--blur", str(clips.folder / "blur"), "--sharp", str(clips.folder / "sharp")]
    assert main(["eval", *pair, "--stills", "--model", random_model, "--json", str(report)]) == 0
    printed = json.loads(report.read_text())
    assert clips.scores(Path(random_model)) == {name: printed[name] for name in SCORES}


def test_a_set_that_is_not_there_is_one_line(random_model, tmp_path):
    with pytest.raises(TrainingError, match=r"^mine can't be scored: deblur: .*nowhere") as caught:
        TestSet("mine", tmp_path / "nowhere", stills=False).scores(Path(random_model))
    assert "\n" not in str(caught.value)
