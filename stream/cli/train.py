"""`deblur train`: new weights from footage or pairs."""

import argparse
import sys
from pathlib import Path

from models.errors import TrainingError
from models.runtimes import load_keras
from stream.cli.arguments import model_name, number, positive_float, positive_int, whole_number
from stream.cli.report import require_writable
from stream.errors import UsageError

PREVIEWED, DRAWN, PREVIEW_PX = 36, 12, 192
"""Clips that the preview's figures come from, those of them on its sheet, and their side."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        required=True,
        metavar="PATH",
        help="sharp videos and stills, folders of them, or folders of blur/ and sharp/",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="the run's folder")
    parser.add_argument(
        "--model", metavar="NAME", help="size (default: that of --from, otherwise tiny)"
    )
    parser.add_argument(
        "--from",
        type=model_name,
        dest="start",
        metavar="NAME_OR_FILE",
        help="begin with these weights; with a larger --model, grow it from them",
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--steps", type=positive_int, default=20_000, metavar="N")
    length.add_argument("--minutes", type=positive_float, metavar="M")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    crop = number(int, lambda value: value >= 16 and value % 16 == 0, "a multiple of 16 from 16 up")
    parser.add_argument("--clips", type=positive_int, default=3, help="per batch (default: 3)")
    parser.add_argument("--frames", type=positive_int, default=4, help="per clip (default: 4)")
    parser.add_argument("--crop", type=crop, default=128, help="pixels (default: 128)")
    parser.add_argument(
        "--learning-rate",
        type=positive_float,
        metavar="R",
        help="(default: 0.003, with --from 0.001)",
    )
    parser.add_argument(
        "--optimizer", choices=("adamw", "muon"), default="muon", help="(default: muon)"
    )
    parser.add_argument(
        "--loss",
        choices=("rmse", "charbonnier"),
        default="rmse",
        help="(default: rmse)",
    )
    parser.add_argument(
        "--precision",
        choices=("auto", "float32", "bfloat16"),
        default="auto",
        help="(default: bfloat16 on a GPU with JAX, otherwise float32)",
    )
    parser.add_argument(
        "--uses",
        type=positive_int,
        default=16,
        help="how often a clip is cut anew, on average, before it is replaced; more where "
        "rendering keeps the training waiting (default: 16)",
    )
    parser.add_argument("--seed", type=whole_number, default=0, help="(default: 0)")
    parser.add_argument("--workers", type=positive_int, default=1, help="rendering processes")
    parser.add_argument(
        "--preview", type=Path, metavar="OUT.png", help="only draw what is learnt from"
    )


def run(options: argparse.Namespace) -> int:
    """Train and print where the weights are, or draw the preview sheet."""
    if options.preview:
        return _preview(options)
    if not options.out:
        raise UsageError("--out is missing: name a folder for the run")
    from models import registry

    if options.model and options.model not in registry.CONFIGS:
        known = ", ".join(registry.CONFIGS)
        raise UsageError(f"there is no model {options.model!r}: give one of {known}")
    load_keras()
    from models.training.batches import BatchShape
    from models.training.options import TrainOptions
    from models.training.pool import PoolSettings
    from models.training.trainer import train

    settings = TrainOptions(
        out=options.out,
        model=options.model,
        pool=PoolSettings(
            data=tuple(map(str, options.data)),
            seed=options.seed,
            # half as much again as a crop, so that a clip gives several
            size=max(32, -(-3 * options.crop // 32) * 16),
            frames=options.frames + 2,
            renewal=options.clips / options.uses,
        ),
        batch=BatchShape(options.clips, options.frames, options.crop),
        steps=options.steps,
        minutes=options.minutes,
        start=options.start,
        optimizer=options.optimizer,
        loss=options.loss,
        learning_rate=options.learning_rate,
        precision=options.precision,
        workers=options.workers,
    )
    best = train(
        settings,
        resume=options.resume,
        log=lambda text: print(text, flush=True),
    )
    print(f"weights: {best}", file=sys.stderr)
    return 0


def _preview(options: argparse.Namespace) -> int:
    require_writable(options.preview)
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
