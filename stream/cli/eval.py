"""`deblur eval`: full-frame scores of models, beside doing nothing."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from fractions import Fraction
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from stream.cli.arguments import add_compute, model_name
from stream.cli.report import require_writable, write_json

if TYPE_CHECKING:
    import numpy as np

    from models.evaluation.clips import Clip
    from models.evaluation.evaluate import Scores
    from models.evaluation.sheet import Crop
    from stream.inference.deblurrer import Deblurrer

_STREAM = 0  # one clip at a time

STRONG_DB = 27
"""Below this a frame is strongly blurred: what its neighbours show counts most there."""

HEADER = (
    f"{'clip':<24}{'frames':>7}{'PSNR in':>9}{'out':>8}{'gain':>8}{'SSIM in':>9}{'out':>8}"
    f"{'flicker in':>12}{'out':>7}{'sharp kept':>12}"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--blur", type=Path, required=True, metavar="PATH")
    parser.add_argument("--sharp", type=Path, required=True, metavar="PATH")
    parser.add_argument("--stills", action="store_true", help="every image is a clip of its own")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the scores")
    parser.add_argument(
        "--sheet", type=Path, metavar="OUT.png", help="draw the crops with the worst blur"
    )
    parser.add_argument(
        "--model",
        type=model_name,
        action="append",
        metavar="NAME",
        help="of `deblur models`, or a weights, SavedModel or ONNX file; give it again to compare",
    )
    parser.add_argument(
        "--look-ahead",
        action="store_true",
        help="let each frame see its next one, as `clean` does; otherwise as `live`",
    )
    parser.add_argument(
        "--perceptual",
        action="store_true",
        help="SSIMULACRA 2 too, which judges as people do: 100 is the same, 70 good, 30 poor; "
        "it takes seconds a frame",
    )
    add_compute(parser)


def run(options: argparse.Namespace) -> int:
    """Print a table per model, a line per clip and their mean; write JSON and a sheet if asked."""
    require_writable(options.json, options.sheet)
    from models.evaluation.clips import find_clips, pair_clips
    from models.evaluation.metrics import require_ssimulacra2
    from models.evaluation.sheet import draw_sheet, worst_crops
    from stream.inference.deblurrer import Deblurrer

    if options.perceptual:
        require_ssimulacra2()
    pairs = pair_clips(
        find_clips(options.blur, stills=options.stills),
        find_clips(options.sharp, stills=options.stills),
    )
    crops = worst_crops(pairs) if options.sheet else []
    kinds = ("device", "precision", "runtime", "look_ahead")
    choices = {name: getattr(options, name) for name in kinds}
    values = []
    for name, label in labels(options.model or ["tiny"]):
        deblurrer = Deblurrer(name, **choices)
        values.append(_score_model(deblurrer, label, pairs, crops, perceptual=options.perceptual))
    if options.json:
        write_json(options.json, values[0] if len(values) == 1 else {"models": values})
    if crops:
        draw_sheet(options.sheet, crops)
        print(f"sheet: {options.sheet}")
    return 0


def labels(names: Sequence[str]) -> list[tuple[str, str]]:
    """Each name with a short one: a weights file's stem, unless another model has the same."""
    from models.registry import find_model

    stems = [find_model(name).label for name in names]
    count = Counter(stems)
    return [
        (name, stem if count[stem] == 1 else name) for name, stem in zip(names, stems, strict=True)
    ]


def _score_model(
    deblurrer: Deblurrer,
    label: str,
    pairs: Sequence[tuple[Clip, Clip]],
    crops: Sequence[Crop],
    *,
    perceptual: bool,
) -> dict[str, Any]:
    """Print a model's table; returns what JSON says about it."""
    from models.evaluation.evaluate import mean_scores, score_clip
    from stream.frame import Discontinuity

    compute = deblurrer.compute
    collectors = {crop.clip: crop.collector(label) for crop in crops}
    where = f"{compute.runtime}, {compute.device}, {compute.precision}"
    more = "   SSIMULACRA2" * perceptual
    print(f"model {label} ({where})\n{HEADER}{more}")
    scores = []
    for blurry, sharp in pairs:
        scores.append(
            score_clip(
                partial(_restored, deblurrer),
                blurry,
                sharp,
                harm=True,
                perceptual=perceptual,
                observe=collectors.get(blurry.name),
            )
        )
        print(_line(scores[-1]), flush=True)
    mean = mean_scores("mean over frames", scores)
    print(_line(mean))
    gains = [score.gain for score in scores]
    if len(gains) > 1:
        print(f"{'lowest, highest':<48}{min(gains):>+8.2f}, {max(gains):+.2f}")
    strong = [pair for pair in mean.by_frame if pair[0] < STRONG_DB]
    if strong:
        before, after = map(fmean, zip(*strong, strict=True))
        print(
            f"{f'frames under {STRONG_DB} dB':<24}{len(strong):>7}{before:>9.2f}{after:>8.2f}"
            f"{after - before:>+8.2f}"
        )
    lost = deblurrer.resets[Discontinuity.NON_FINITE]
    if lost:
        print(f"{lost} frames came back as they were: the network gave no numbers for them")
    values = asdict(mean) | {
        "model": label,
        **asdict(compute),
        "clips": [asdict(score) for score in scores],
    }
    del values["name"]
    return values


def _restored(deblurrer: Deblurrer, pictures: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """A clip of (H, W, 3) uint8 RGB through the engine as `clean` and `live` use it."""
    from stream.frame import Frame
    from stream.rgb import RGB, from_rgb, to_rgb

    deblurrer.forget(_STREAM)
    for index, picture in enumerate(pictures):
        frame = Frame(
            planes=from_rgb(picture),
            pts=index,
            time_base=Fraction(1),
            color=RGB,
            stream_id=_STREAM,
            index=index,
        )
        yield from map(to_rgb, deblurrer.process(frame))
    yield from map(to_rgb, deblurrer.flush())
    deblurrer.forget(_STREAM)


def _line(scores: Scores) -> str:
    flickers = [
        f"{value:.2f}" if value is not None else "-"
        for value in (scores.flicker_in, scores.flicker_out)
    ]
    return (
        f"{scores.name[-23:]:<24}{scores.frames:>7}{scores.psnr_in:>9.2f}{scores.psnr_out:>8.2f}"
        f"{scores.gain:>+8.2f}{scores.ssim_in:>9.4f}{scores.ssim_out:>8.4f}"
        f"{flickers[0]:>12}{flickers[1]:>7}{scores.sharp_psnr:>12.2f}"
        + (
            ""
            if scores.ssimulacra2_out is None
            else f"{scores.ssimulacra2_in:>7.1f}{scores.ssimulacra2_out:>7.1f}"
        )
    )
