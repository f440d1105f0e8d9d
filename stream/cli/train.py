"""`deblur train`: new weights from footage or pairs."""

import argparse
import sys

from models.errors import TrainingError
from stream.cli.quiet import load_tensorflow

PREVIEWED, DRAWN, PREVIEW_PX = 36, 12, 192
"""Clips that the preview's figures come from, those of them on its sheet, and their side."""


def run(options: argparse.Namespace) -> int:
    """Train and print where the weights are, or draw the preview sheet."""
    if not options.data:
        raise TrainingError("--data is missing: name folders of sharp footage or of pairs")
    if options.preview:
        return _preview(options)
    if not options.out:
        raise TrainingError("--out is missing: name a folder for the run")
    load_tensorflow()
    from models import registry
    from models.training.batches import BatchShape
    from models.training.options import TrainOptions
    from models.training.pool import PoolSettings
    from models.training.trainer import train

    if options.model not in registry.CONFIGS:
        raise TrainingError(
            f"there is no model {options.model!r}: give one of {', '.join(registry.CONFIGS)}"
        )
    try:
        settings = TrainOptions(
            out=options.out,
            model=options.model,
            pool=PoolSettings(
                data=tuple(map(str, options.data)),
                seed=options.seed,
                # half as much again as a crop, so that a clip gives several
                size=max(32, -(-3 * options.crop // 32) * 16),
                frames=options.frames + 2,
            ),
            batch=BatchShape(options.clips, options.frames, options.crop),
            steps=options.steps,
            minutes=options.minutes,
            start=options.start,
            learning_rate=options.learning_rate,
            workers=options.workers,
        )
    except ValueError as error:
        raise TrainingError(str(error)) from error
    best = train(
        settings,
        resume=options.resume,
        log=lambda text: print(text, flush=True),
    )
    print(f"weights: {best}", file=sys.stderr)
    return 0


def _preview(options: argparse.Namespace) -> int:
    from models.training.material import Material
    from models.training.pool import PoolSettings
    from models.training.preview import SHOWN_FRAMES, draw_sheet, statistics
    from models.training.settings import BlurSettings

    material = Material(options.data, split="train")
    share = PoolSettings(data=()).pair_share
    try:
        clips = {
            str(seed): material.clip(
                seed, size=PREVIEW_PX, frames=SHOWN_FRAMES, blur=BlurSettings(), pair_share=share
            )
            for seed in range(options.seed, options.seed + PREVIEWED)
        }
        draw_sheet(options.preview, dict(list(clips.items())[:DRAWN]))
    except (ValueError, OSError) as error:
        raise TrainingError(str(error)) from error
    pairs = (pair for clip in clips.values() for pair in zip(clip.blurry, clip.sharp, strict=True))
    print(statistics(pairs).describe())
    print(options.preview)
    return 0
