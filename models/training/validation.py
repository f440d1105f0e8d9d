"""The clips a training run is judged by: rendered once, of scenes that it never trains on.

All are blurred: an untouched clip scores so high that it would drown the others.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import keras

from models.evaluation.clips import find_clips
from models.evaluation.evaluate import Scores, mean_scores, pair_clips, score_clip
from models.network import NetworkConfig
from models.training.scenes import SceneLibrary
from models.training.synthesis import BlurSettings, render_clip

HEIGHT, WIDTH, FRAMES, CLIPS = 360, 640, 6, 16
_SEED = 7_000_000_000
"""Far from the seeds of any training clip."""


def render_validation(folder: Path, data: Sequence[Path], blur: BlurSettings) -> None:
    """Write folder/blur/NAME/*.png and folder/sharp/NAME/*.png, unless they are there."""
    if (folder / "complete").exists():
        return
    library = SceneLibrary(list(data), split="validation")
    blur = replace(blur, sharp_share=0.0)
    for index in range(CLIPS):
        clip = render_clip(
            library, _SEED + index, height=HEIGHT, width=WIDTH, frames=FRAMES, settings=blur
        )
        for kind, frames in (("blur", clip.blurry), ("sharp", clip.sharp)):
            target = folder / kind / f"clip_{index:02d}"
            target.mkdir(parents=True, exist_ok=True)
            for number, frame in enumerate(frames):
                cv2.imwrite(str(target / f"{number:03d}.png"), frame[..., ::-1])
    (folder / "complete").touch()


def validate(folder: Path, network: keras.Model, config: NetworkConfig) -> Scores:
    """The network's mean scores on those clips."""
    pairs = pair_clips(find_clips(folder / "blur"), find_clips(folder / "sharp"))
    scores = [score_clip(network, config, blurry, sharp) for blurry, sharp in pairs]
    return mean_scores("validation", scores)
