"""Options that several commands share, and the types of their values."""

import argparse
import re
from fractions import Fraction
from typing import TypeAlias

_TIME = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)")


Options: TypeAlias = argparse._ActionsContainer
"""What options are added to: a parser, or a group of one."""


def add_model(options: Options, default: str) -> None:
    """Which model; by default a light one for what is live, a better one for what is recorded."""
    options.add_argument(
        "--model",
        default=default,
        metavar="NAME",
        help="one that `deblur models` lists, a weights file, or a SavedModel or ONNX file of RGB "
        "frames (default: %(default)s)",
    )


def add_strength(options: Options) -> None:
    """How much of the correction to apply; `Deblurrer` says what the numbers mean."""
    options.add_argument(
        "--strength",
        type=_strength,
        default=1.0,
        metavar="X",
        help="how much to correct, 0 to 1.5: 0 changes no pixel (default: 1)",
    )


def add_compute(options: Options) -> None:
    """What to compute on, and how precisely."""
    options.add_argument(
        "--device",
        choices=("auto", "cpu", "gpu"),
        default="auto",
        help="what to compute on (default: a GPU if there is one)",
    )
    options.add_argument(
        "--precision",
        choices=("auto", "float32", "bfloat16", "float16", "int8"),
        default="auto",
        help="numbers to compute in (default: the fastest floating-point ones of the device)",
    )
    options.add_argument(
        "--runtime",
        choices=("auto", "tensorflow", "mnn", "litert", "onnx", "openvino"),
        default="auto",
        help="what computes (default: on a CPU mnn for float32 and onnx for int8, otherwise "
        "tensorflow)",
    )


def positive_int(text: str) -> int:
    """An option's value from 1 up."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 up")
    return value


def positive_float(text: str) -> float:
    """An option's value above 0."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def _strength(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1.5:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0 to 1.5")
    return value


def share(text: str) -> float:
    """A part of one whole."""
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0 and up to 1")
    return value


def time(text: str) -> Fraction:
    """Seconds, of a text such as 90, 7.5, 1:30 or 01:02:03.250."""
    match = _TIME.fullmatch(text)
    if not match:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time such as 90, 7.5, 1:30 or 01:02:03.250"
        )
    hours, minutes, seconds = match.groups(default="0")
    return 3600 * int(hours) + 60 * int(minutes) + Fraction(seconds)


def rate(text: str) -> Fraction:
    """Frames per second, as in 30, 29.97 or 30000/1001."""
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate such as 30") from error
    if not 0 < value <= 1000:
        raise argparse.ArgumentTypeError(f"{text} is not a rate of frames per second")
    return value


def size(text: str) -> tuple[int, int]:
    """Width and height in pixels, as in 1280x720."""
    try:
        width, height = (positive_int(part) for part in text.lower().split("x"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 1280x720") from error
    return width, height
