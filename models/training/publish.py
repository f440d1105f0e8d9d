"""Shipping a run's weights: `python -m models.training.publish RUN NAME --set ...`.

Scores the run's best weights by `deblur eval`, so with the engine that people run, and replaces the
shipped model and the figures of its card only where the first set's PSNR is at least
`WORTHWHILE_DB` better: a repository that people clone should not grow for less. The card's words
(data, limits) are edited by hand.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models import registry
from models.cost import cost_gmac
from models.errors import ModelError, TrainingError

WORTHWHILE_DB = 0.1

SCORES = (
    *("frames", "psnr_in", "psnr_out", "ssim_in", "ssim_out"),
    *("flicker_in", "flicker_out", "sharp_psnr"),
)
"""What a card says of a set."""


@dataclass(frozen=True, slots=True)
class TestSet:
    """Blurry and sharp material under a name, such as `gopro_720p=DIR` with DIR/blur, DIR/sharp.

    A name that ends in `:stills` makes every image a clip of its own.
    """

    __test__ = False  # no test case of pytest's

    name: str
    folder: Path
    stills: bool

    @classmethod
    def parse(cls, text: str) -> "TestSet":
        """Read NAME[:stills]=DIR."""
        name, separator, folder = text.partition("=")
        if not separator:
            raise argparse.ArgumentTypeError(f"{text!r} is not NAME=DIR or NAME:stills=DIR")
        stem, colon, kind = name.partition(":")
        if colon and kind != "stills":
            raise argparse.ArgumentTypeError(f"{kind!r} in {text!r} is not 'stills'")
        return cls(stem, Path(folder), bool(colon))

    def scores(self, weights: Path) -> dict[str, Any]:
        """Return the mean scores of a weights file on the set, as `deblur eval` prints them.

        The command runs in a process of its own: this package knows nothing of the engine.

        Raises:
            TrainingError: The command failed.
        """
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "scores.json"
            done = subprocess.run(  # noqa: S603 - this interpreter, on files of ours
                [
                    *(sys.executable, "-m", "stream", "eval", "--model", weights),
                    *("--blur", self.folder / "blur", "--sharp", self.folder / "sharp"),
                    *(["--stills"] if self.stills else []),
                    *("--json", report),
                ],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                words = done.stderr.strip().splitlines() or ["it says nothing"]
                raise TrainingError(f"{self.name} can't be scored: {words[-1]}")
            found = json.loads(report.read_text(encoding="utf-8"))
        return {name: found[name] for name in SCORES}

    def command(self, model: str) -> str:
        """What prints these scores; the folder is the reader's own."""
        flag = " --stills" if self.stills else ""
        place = self.folder.name
        return f"deblur eval --blur {place}/blur --sharp {place}/sharp{flag} --model {model}"


def publish(run: Path, name: str, sets: list[TestSet]) -> dict[str, Any]:
    """Ship the best weights of a run under a name; returns the new card.

    Raises:
        TrainingError: The run has no weights, or they are not worth shipping.
    """
    weights = run / "best.npz"
    if not weights.is_file():
        raise TrainingError(f"{run} holds no best.npz: train longer")
    config = registry.load(str(weights)).config
    scores = {test.name: test.scores(weights) for test in sets}
    old = registry.card(name) if name in registry.shipped() else {}
    if name in registry.shipped():
        first = sets[0].name
        # anew, as the card's figures may be of other clips
        shipped = sets[0].scores(registry.find_model(name).path)
        gain = scores[first]["psnr_out"] - shipped["psnr_out"]
        if gain < WORTHWHILE_DB:
            raise TrainingError(
                f"{weights} is {gain:+.2f} dB from the shipped {name} on {first}: not worth it"
            )
    card = old | {
        "name": name,
        "gmac_720p": round(cost_gmac(config), 2),
        "config": config.to_json(),
        "training": _training(run),
        "scores": scores,
        "commands": {test.name: test.command(name) for test in sets},
    }
    registry.WEIGHTS.mkdir(exist_ok=True)
    shutil.copyfile(weights, registry.WEIGHTS / f"{name}.npz")
    path = registry.WEIGHTS / f"{name}.json"
    path.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return card


def _training(run: Path) -> dict[str, Any]:
    """The last record of the run's log that says how long it has trained."""
    lines = (run / "log.jsonl").read_text(encoding="utf-8").splitlines()
    last = json.loads(lines[-1])
    return {"steps": int(last["step"]), "hours": round(last["seconds"] / 3600, 2)}


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m models.training.publish", description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("name", choices=sorted(registry.CONFIGS))
    parser.add_argument("--set", dest="sets", type=TestSet.parse, action="append", required=True)
    options = parser.parse_args()
    try:
        card = publish(options.run, options.name, options.sets)
    except ModelError as error:
        print(f"publish: {error}", file=sys.stderr)
        return 1
    for name, row in card["scores"].items():
        print(f"{name}: {row['psnr_in']:.2f} -> {row['psnr_out']:.2f} dB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
