"""The clips a training run is judged by: made once, of scenes that it never trains on.

All are blurred: an untouched clip scores so high that it would drown the others. Real pairs are
judged in full frames too. What is synthesised has three parts, scored apart: one says little of
another.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import keras
import numpy as np

from models.errors import ClipError
from models.evaluation.clips import find_clips, pair_clips
from models.evaluation.evaluate import Scores, mean_scores, restorer, score_clip
from models.network import NetworkConfig
from models.training.material import Material
from models.training.settings import BlurSettings
from models.training.synthesis import Clip, render_clip

_SEED = 7_000_000_000
"""Far from the seeds of any training clip."""

PAIRS = "pairs"
PARTS = {"usual": (0.0, 0.0), "bursts": (1.0, 0.0), "stored": (0.0, 1.0)}
"""Parts of the synthesised clips, with the `burst_share` and `stored_share` of their settings.

Blur that lasts, blur that comes and goes, and averages of stored values instead of light.
"""


@dataclass(frozen=True, slots=True)
class ValidationShape:
    """How much to be judged by.

    Attributes:
        clips: how many; half of them are pairs where there are both kinds of material. The parts
            of what is synthesised take turns.
        frames: of each, fewer where a pair scene has fewer.
        height, width: of a synthesised frame, in pixels; those of pairs keep their own size.
    """

    clips: int = 18
    frames: int = 8
    height: int = 360
    width: int = 640

    def __post_init__(self) -> None:
        if min(self.clips, self.frames) < 1 or min(self.height, self.width) < 16:
            raise ValueError(f"{self} is too small to be judged by")


def render_validation(
    folder: Path, data: Sequence[str], blur: BlurSettings, shape: ValidationShape
) -> None:
    """Write folder/blur/NAME/*.png and folder/sharp/NAME/*.png, unless the same are there.

    ClipError if the material is too little or can't be read.
    """
    wanted = {"data": list(data), "blur": asdict(blur), "shape": asdict(shape), "parts": PARTS}
    made = json.dumps(wanted)
    record = folder / "complete"
    if record.exists() and record.read_text(encoding="utf-8") == made:
        return
    material = Material(data, split="validation")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        for index, (part, clip) in enumerate(_clips(material, blur, shape)):
            _write(folder / "blur" / f"{part}_{index:02d}", clip.blurry)
            _write(folder / "sharp" / f"{part}_{index:02d}", clip.sharp)
    except ValueError as error:
        raise ClipError(str(error)) from error
    record.write_text(made, encoding="utf-8")


def _write(folder: Path, frames: np.ndarray) -> None:
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames):
        cv2.imwrite(str(folder / f"{number:03d}.png"), frame[..., ::-1])


def _clips(
    material: Material, blur: BlurSettings, shape: ValidationShape
) -> Iterator[tuple[str, Clip]]:
    """The clips, each with the part that it belongs to."""
    cut = 0
    if material.pairs:
        cut = (shape.clips + 1) // 2 if material.footage else shape.clips
        yield from ((PAIRS, clip) for clip in material.pairs.full_clips(cut, shape.frames))
    if material.footage:
        size = {"height": shape.height, "width": shape.width, "frames": shape.frames}
        parts = [
            (part, replace(blur, sharp_share=0.0, burst_share=bursts, stored_share=stored))
            for part, (bursts, stored) in PARTS.items()
        ]
        for index in range(shape.clips - cut):
            part, settings = parts[index % len(parts)]
            yield part, render_clip(material.footage, _SEED + index, settings=settings, **size)


def validate(folder: Path, network: keras.Model, config: NetworkConfig) -> dict[str, Scores]:
    """The network's mean scores on each part of those clips, by its name."""
    pairs = pair_clips(find_clips(folder / "blur"), find_clips(folder / "sharp"))
    deblur = restorer(network, config)
    parts: dict[str, list[Scores]] = {}
    for blurry, sharp in pairs:
        scores = score_clip(deblur, blurry, sharp)
        parts.setdefault(blurry.name.rpartition("_")[0], []).append(scores)
    return {part: mean_scores(part, scores) for part, scores in parts.items()}
