"""The command line: `deblur COMMAND ...`.

Owns options, exit codes and one-line errors. Each command lives in a file of its own that is
imported when the command runs, so that `deblur --help` needs no TensorFlow.
"""

import argparse
import importlib
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from models.errors import ModelsError
from stream.errors import DeblurError

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
"""Exit codes. argparse itself exits with USAGE."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code; usage errors raise SystemExit(2)."""
    options = _parser().parse_args(argv)
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        run: Callable[[argparse.Namespace], int] = importlib.import_module(options.module).run
        return run(options)
    except (DeblurError, ModelsError) as error:
        if options.debug:
            raise
        print(f"deblur: {' '.join(str(error).split())}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        if options.debug:
            raise
        print("deblur: interrupted", file=sys.stderr)
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, previous)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="deblur", description="Take motion blur out of video, live or recorded."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    clean = _command(commands, "clean", "deblur recorded videos")
    clean.epilog = "A run that was interrupted goes on where it stopped when it is started again."
    clean.add_argument(
        "input", type=Path, nargs="+", metavar="INPUT", help="a blurred video, or a folder of them"
    )
    clean.add_argument(
        "output",
        type=Path,
        metavar="OUTPUT",
        help="where the sharp one goes; for a folder or several inputs, a folder",
    )
    _add_model(clean)
    _add_compute(clean)
    clean.add_argument("--codec", metavar="NAME", help="encoder (default: the input's codec)")
    clean.add_argument("--crf", type=int, metavar="N", help="quality: lower is better and larger")
    clean.add_argument("--overwrite", action="store_true", help="replace outputs that exist")
    clean.add_argument(
        "--no-resume", action="store_true", help="start afresh, not where an earlier run stopped"
    )
    clean.add_argument("--report", type=Path, metavar="FILE.json", help="write counts and timings")

    bench = _command(commands, "bench", "measure frames per second on this machine")
    bench.add_argument("--size", type=_size, default=(1280, 720), metavar="WxH")
    bench.add_argument("--frames", type=_positive_int, default=60, metavar="N")
    bench.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    _add_model(bench)
    _add_compute(bench)

    train = _command(commands, "train", "make weights from sharp footage or from pairs")
    train.add_argument(
        "--data",
        type=Path,
        nargs="+",
        metavar="DIR",
        help="folders of sharp footage, or of blur/ and sharp/",
    )
    train.add_argument("--out", type=Path, metavar="DIR", help="the run's folder")
    train.add_argument("--model", default="tiny", metavar="NAME", help="(default: tiny)")
    train.add_argument(
        "--from", dest="start", metavar="NAME_OR_FILE", help="fine-tune this model instead"
    )
    length = train.add_mutually_exclusive_group()
    length.add_argument("--steps", type=_positive_int, default=20_000, metavar="N")
    length.add_argument("--minutes", type=float, metavar="M")
    train.add_argument("--resume", action="store_true", help="go on with the run in --out")
    train.add_argument("--clips", type=_positive_int, default=8, help="per batch (default: 8)")
    train.add_argument("--frames", type=_positive_int, default=4, help="per clip (default: 4)")
    train.add_argument("--crop", type=_positive_int, default=128, help="pixels (default: 128)")
    train.add_argument(
        "--learning-rate", type=float, metavar="R", help="(default: 0.001, with --from 0.0002)"
    )
    train.add_argument("--seed", type=int, default=0, help="(default: 0)")
    train.add_argument("--workers", type=_positive_int, default=1, help="rendering processes")
    train.add_argument(
        "--preview", type=Path, metavar="OUT.png", help="only draw what is learnt from"
    )

    score = _command(commands, "eval", "score a model against sharp references")
    score.add_argument("--blur", type=Path, required=True, metavar="PATH")
    score.add_argument("--sharp", type=Path, required=True, metavar="PATH")
    score.add_argument("--stills", action="store_true", help="every image is a clip of its own")
    score.add_argument("--json", type=Path, metavar="FILE", help="write the scores")
    score.add_argument(
        "--sheet", type=Path, metavar="OUT.png", help="draw the crops with the worst blur"
    )
    score.add_argument(
        "--model",
        action="append",
        metavar="NAME",
        help="of `deblur models`, or a weights file; may be given again to compare",
    )

    models = _command(commands, "models", "list the models, what they cost and score")
    models.add_argument("--json", action="store_true", help="print JSON")

    demo = _command(commands, "demo", "deblur a made-up clip and show the gain")
    demo.add_argument("folder", type=Path, nargs="?", default=Path("demo"), metavar="OUT_DIR")
    _add_model(demo)
    _add_compute(demo)
    return parser


def _command(commands: Any, name: str, summary: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}."
    )
    parser.set_defaults(module=f"stream.cli.{name}")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", default="tiny", metavar="NAME", help="of `deblur models`, or a weights file"
    )


def _add_compute(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto")
    parser.add_argument(
        "--precision", choices=("auto", "float32", "bfloat16", "float16"), default="auto"
    )


def _positive_int(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 up")
    return value


def _size(text: str) -> tuple[int, int]:
    try:
        width, height = (_positive_int(part) for part in text.lower().split("x"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 1280x720") from error
    return width, height
