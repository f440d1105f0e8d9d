"""Options that several commands share, and the types of their values."""

import argparse
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Protocol, TypeVar, get_args

from stream.inference.backends import BACKENDS
from stream.inference.device import Device, Precision

_TIME = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)")
_SIZE = re.compile(r"([1-9]\d*)[xX]([1-9]\d*)")

_Number = TypeVar("_Number", int, float)


def number(
    kind: Callable[[str], _Number], fits: Callable[[_Number], bool], words: str
) -> Callable[[str], _Number]:
    """The type of an option whose value is a number that fits; ``words`` say which do."""

    def parse(text: str) -> _Number:
        try:
            value = kind(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r} is not {words}") from error
        if not fits(value):
            raise argparse.ArgumentTypeError(f"{text!r} is not {words}")
        return value

    return parse


whole_number = number(int, lambda value: value >= 0, "a whole number from 0 up")
positive_int = number(int, lambda value: value >= 1, "a whole number from 1 up")
positive_float = number(float, lambda value: 0 < value < float("inf"), "a number above 0")
share = number(float, lambda value: 0 < value <= 1, "a number above 0 and up to 1")


class Options(Protocol):
    """What options are added to: a parser of argparse, or a group of one."""

    def add_argument(self, *names: str, **settings: Any) -> argparse.Action:
        """Add an option or an argument."""


class OptionGroup(Options, Protocol):
    """The same, some of which exclude others."""

    def add_mutually_exclusive_group(self) -> Options:
        """What options are added to of which one at most may be given."""


def model_name(text: str) -> str:
    """The name of a shipped model, or of a file or folder that exists."""
    from models.errors import WeightsError
    from models.registry import find_model

    try:
        find_model(text)
    except WeightsError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def add_model(options: Options, default: str | None) -> None:
    """Which model; None where another option says which one is usual."""
    options.add_argument(
        "--model",
        type=model_name,
        default=default,
        metavar="NAME",
        help="one that `deblur models` lists, a weights file, or a SavedModel or ONNX file of RGB "
        f"frames (default: {default or 'see --quality'})",
    )


def add_strength(options: Options) -> None:
    """How much of the correction to apply; `Deblurrer` says what the numbers mean."""
    options.add_argument(
        "--strength",
        type=number(float, lambda value: 0 <= value <= 1.5, "a number from 0 to 1.5"),
        default=1.0,
        metavar="X",
        help="how much to correct, 0 to 1.5: 0 changes no pixel (default: 1)",
    )


def add_compute(options: Options) -> None:
    """What to compute on, and how precisely."""
    options.add_argument(
        "--device",
        choices=get_args(Device),
        default="auto",
        help="what to compute on (default: a GPU if there is one)",
    )
    options.add_argument(
        "--precision",
        choices=get_args(Precision),
        default="auto",
        help="numbers to compute in (default: the fastest floating-point ones of the device)",
    )
    options.add_argument(
        "--runtime",
        choices=("auto", *BACKENDS),
        default="auto",
        help="what computes (default: on a CPU mnn for float32, onnx for int8 and openvino, where "
        "it is installed, for bfloat16; otherwise tensorflow)",
    )


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
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate above 0 and up to 1000")
    return value


def size(text: str) -> tuple[int, int]:
    """Width and height in pixels, as in 1280x720."""
    match = _SIZE.fullmatch(text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 1280x720")
    return int(match[1]), int(match[2])
