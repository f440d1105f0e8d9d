"""`deblur train` on somebody's own pairs, as they would type it."""

import json

import pytest
from footage import write_video

from models.export.clips import drawn_clip
from stream.cli import main

pytestmark = pytest.mark.slow

SIZE, FRAMES = (288, 480), 48


def test_two_pairs_of_videos_make_the_model_better_on_them(tmp_path):
    """When this was written, +1.55 dB became +1.98, and sharp input kept 46.7 dB for 45.9."""
    pairs = tmp_path / "pairs"
    for seed, name in enumerate(("first.mkv", "second.mkv"), start=1):
        blurry, sharp = zip(*drawn_clip(seed, SIZE, FRAMES), strict=True)
        write_video(pairs / "blur" / name, blurry)
        write_video(pairs / "sharp" / name, sharp)
    tuned = tmp_path / "run" / "best.npz"
    arguments = ["--data", str(pairs), "--from", "tiny", "--steps", "200"]
    assert main(["train", *arguments, "--out", str(tuned.parent)]) == 0

    scores = tmp_path / "scores.json"
    models = ["--model", "tiny", "--model", str(tuned), "--json", str(scores)]
    sides = ["--blur", str(pairs / "blur"), "--sharp", str(pairs / "sharp")]
    assert main(["eval", *sides, *models]) == 0
    before, after = json.loads(scores.read_text())["models"]
    for old, new in zip(before["clips"], after["clips"], strict=True):
        assert new["psnr_out"] > old["psnr_out"] + 0.1
    assert after["sharp_psnr"] > before["sharp_psnr"] - 1
