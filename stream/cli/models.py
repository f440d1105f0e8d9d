"""`deblur models`: the family, what each costs and scores."""

import argparse
import json
from typing import Any


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
    print("name    GMAC/720p frame  gain on clips  gain on real stills  sharp input kept")
    for row in rows:
        print(f"{row['name']:<8}{row['gmac_720p']:>15.2f}  {_scores(row)}")
    return 0


def _scores(row: dict[str, Any]) -> str:
    scores = row.get("scores")
    if not scores:
        return "no weights yet"
    clips, stills = scores["validation"], scores["gopro_720p"]
    return (
        f"{clips['psnr_out'] - clips['psnr_in']:>+10.2f} dB  "
        f"{stills['psnr_out'] - stills['psnr_in']:>+16.2f} dB  {clips['sharp_psnr']:>13.1f} dB"
    )
