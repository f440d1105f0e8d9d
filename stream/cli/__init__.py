"""The command line: `deblur COMMAND ...`.

Owns options, exit codes and one-line errors. Each command lives in a file of its own that is
imported when the command runs, so that `deblur --help` needs no TensorFlow. This file imports next
to nothing by itself: before `main` runs, Ctrl-C gives a traceback.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from types import FrameType

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
"""Exit codes. argparse itself exits with USAGE."""

EXAGGERATED = 1.2
"""What is stronger is told to be seldom better."""

COMMANDS = {
    "clean": "deblur recorded videos",
    "live": "deblur a camera, stream or screen as it happens",
    "bench": "measure frames per second on this machine",
    "serve": "open a web page that deblurs cameras and recorded videos",
    "train": "make weights from sharp footage or from pairs",
    "eval": "score a model against sharp references",
    "export": "write a model as a file of another runtime",
    "models": "list the models, what they cost and score",
    "demo": "deblur a made-up clip and show the gain",
}
"""Each command's summary; its options and its work are in the module of its name."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code; usage errors raise SystemExit(2)."""
    argv = sys.argv[1:] if argv is None else argv
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # what it warns of, we say in one line
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        try:
            return _run(argv)
        finally:
            if sys.stdout:  # none under pythonw
                sys.stdout.flush()
    except KeyboardInterrupt:
        if "--debug" in argv:
            raise
        print("deblur: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # as in `deblur models | head -1`: nobody reads any more
        # Python would try to write the rest once more as it ends, and complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    finally:
        signal.signal(signal.SIGTERM, previous)


def _run(argv: Sequence[str]) -> int:
    import io
    import logging

    from stream.cli.errors import in_one_line
    from stream.errors import UsageError

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names may be anything
    options = _parsed(argv)
    log, lines = logging.getLogger("stream"), logging.StreamHandler()
    lines.setFormatter(logging.Formatter("deblur: %(message)s"))
    log.addHandler(lines)
    if getattr(options, "strength", 1.0) > EXAGGERATED:
        print(
            f"deblur: warning: a strength above {EXAGGERATED} is seldom a better picture: edges "
            "ring and noise shows",
            file=sys.stderr,
        )
    try:
        run: Callable[[argparse.Namespace], int] = _module(options.command).run
        return run(options)
    except UsageError as error:
        command: argparse.ArgumentParser = options.parser
        command.error(str(error))
    except BrokenPipeError:
        raise
    except Exception as error:
        if options.debug:
            raise
        print(f"deblur: {in_one_line(error)}", file=sys.stderr)
        return FAILED
    finally:
        log.removeHandler(lines)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parsed(argv: Sequence[str]) -> argparse.Namespace:
    """The options; paths of one list may stand before, between and after them."""
    parser = _parser(argv)
    options, rest = parser.parse_known_args(argv)  # argparse ends a list at the next option
    end = rest.index("--") if "--" in rest else len(rest)
    unknown = any(text.startswith("-") and text != "-" for text in rest[:end])
    if rest and (unknown or "paths" not in options):
        options.parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        options.paths += rest[:end] + rest[end + 1 :]
    return options


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    """Knows the options of the one command that is called: the others are not imported."""
    import argparse

    parser = argparse.ArgumentParser(
        prog="deblur", description="Take motion blur out of video, live or recorded."
    )
    version = _version() if "--version" in argv[:1] else ""
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(metavar="COMMAND", dest="command", required=True)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(
            name, help=summary, description=f"{summary[0].upper()}{summary[1:]}."
        )
        if name in argv[:1]:
            _module(name).add_arguments(command)
            command.add_argument("--debug", action="store_true", help="show tracebacks")
            command.set_defaults(parser=command)
    return parser


def _version() -> str:
    from importlib.metadata import version

    return f"deblur {version('deblurstream')}"


def _module(command: str) -> Any:
    return importlib.import_module(f"stream.cli.{command}")
