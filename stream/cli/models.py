"""`deblur models`: the family, what each costs and scores."""

import argparse
import json
from typing import Any

ADVICE = """\
(in brackets: pictures that the gain is the mean of)
deblur live takes the best that keeps up; deblur clean takes small, tiny where small would take too
long, and base with --quality best, which takes 2 to 3 times as long as small\
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Print a table, or JSON."""
    from models import registry
    from models.cost import cost_gmac

    rows: list[dict[str, Any]] = []
    for name, config in registry.CONFIGS.items():
        trained = name in registry.shipped()
        row = {"name": name, "gmac_720p": round(cost_gmac(config), 2), "trained": trained}
        rows.append(row | (registry.card(name) if trained else {}))
    if options.json:
        print(json.dumps(rows, indent=2))
        return 0
    print("name    GMAC/720p frame    gain on own clips  gain on real stills  sharp input kept")
    for row in rows:
        print(f"{row['name']:<8}{row['gmac_720p']:>15.2f}  {_scores(row)}")
    print(ADVICE)
    return 0


def _scores(row: dict[str, Any]) -> str:
    scores = row.get("scores")
    if not scores:
        return "no weights yet"
    clips, stills = scores["validation"], scores["gopro_720p"]
    return f"{_gain(clips):>19}  {_gain(stills):>19}  {clips['sharp_psnr']:>13.1f} dB"


def _gain(score: dict[str, Any]) -> str:
    """What is added to doing nothing, and over how many pictures."""
    return f"{score['psnr_out'] - score['psnr_in']:+.2f} dB ({score['frames']})"
