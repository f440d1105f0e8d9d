"""`deblur eval`: full-frame scores of a model, beside doing nothing."""

import argparse
from dataclasses import asdict

from stream.cli.quiet import load_tensorflow
from stream.cli.report import write_json

HEADER = (
    f"{'clip':<24}{'frames':>7}{'PSNR in':>9}{'out':>8}{'gain':>8}{'SSIM in':>9}{'out':>8}"
    f"{'flicker in':>12}{'out':>7}{'sharp kept':>12}"
)


def run(options: argparse.Namespace) -> int:
    """Print a line per clip and their mean; write JSON if asked."""
    load_tensorflow()
    from models import registry
    from models.evaluation.clips import find_clips
    from models.evaluation.evaluate import Scores, mean_scores, pair_clips, score_clip

    def line(scores: Scores) -> str:
        flickers = [
            f"{value:.2f}" if value is not None else "-"
            for value in (scores.flicker_in, scores.flicker_out)
        ]
        return (
            f"{scores.name[:23]:<24}{scores.frames:>7}{scores.psnr_in:>9.2f}{scores.psnr_out:>8.2f}"
            f"{scores.gain:>+8.2f}{scores.ssim_in:>9.4f}{scores.ssim_out:>8.4f}"
            f"{flickers[0]:>12}{flickers[1]:>7}{scores.sharp_psnr:>12.2f}"
        )

    pairs = pair_clips(
        find_clips(options.blur, stills=options.stills),
        find_clips(options.sharp, stills=options.stills),
    )
    model = registry.load(options.model)
    print(HEADER)
    scores = []
    for blurry, sharp in pairs:
        scores.append(score_clip(model.network, model.config, blurry, sharp, harm=True))
        print(line(scores[-1]), flush=True)
    mean = mean_scores("mean over frames", scores)
    print(line(mean))
    if options.json:
        values = asdict(mean) | {"model": model.name, "clips": [asdict(score) for score in scores]}
        del values["name"]
        write_json(options.json, values)
    return 0
