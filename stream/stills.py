"""Numbered still pictures as one video, named like FFmpeg's: `shot/frame_%04d.png`.

They have no time, so the name may end in their rate: `frame_%04d.png@24`; otherwise it is 25.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from stream.errors import OpenError

KINDS = ("png", "jpg", "jpeg", "tif", "tiff", "bmp", "dpx", "tga", "webp", "jp2", "ppm", "pgm")
"""Endings of still pictures that may be numbered."""

_ADDRESS = re.compile(
    rf"(?P<before>[^%]*)%0?(?P<digits>\d*)d(?P<after>[^%]*\.(?:{'|'.join(KINDS)}))(?:@(?P<rate>\d+(?:\.\d+)?))?",
    re.IGNORECASE,
)
_RATE = Fraction(25)


@dataclass(frozen=True, slots=True)
class Stills:
    """Where the pictures of a sequence are.

    Attributes:
        pattern: A file name with a number's place in it, without the rate.
        rate: Pictures per second.
    """

    pattern: Path
    rate: Fraction = _RATE

    @classmethod
    def at(cls, path: Path) -> Stills | None:
        """The sequence that a name means, or None where it means a file.

        Raises:
            OpenError: Its rate is 0.
        """
        match = _ADDRESS.fullmatch(path.name)
        if match is None or path.exists():
            return None
        name, rate = path.name.rpartition("@")[::2] if match["rate"] else (path.name, "25")
        if not Fraction(rate):
            raise OpenError(f"{path} names a rate of 0; give pictures per second, or leave it out")
        return cls(path.with_name(name), _exact(Fraction(rate)))

    def files(self) -> dict[int, Path]:
        """What is there, by number, in order."""
        match = _ADDRESS.fullmatch(self.pattern.name)
        if match is None or not self.pattern.parent.is_dir():
            return {}
        before, after = re.escape(match["before"]), re.escape(match["after"])
        number = re.compile(rf"{before}(\d{{{match['digits'] or 1},}}){after}")
        found = {
            int(hit[1]): path
            for path in self.pattern.parent.iterdir()
            if (hit := number.fullmatch(path.name)) and path == self.file(int(hit[1]))
        }
        return dict(sorted(found.items()))

    def file(self, number: int) -> Path:
        """One picture's name."""
        return self.pattern.with_name(self.pattern.name % number)

    def first(self) -> int:
        """The number to begin with.

        Raises:
            OpenError: There is none, or one is missing between others.
        """
        numbers = list(self.files())
        if not numbers:
            raise OpenError(f"{self.pattern} does not exist; check the name")
        for number, expected in enumerate(numbers, numbers[0]):
            if number != expected:
                raise OpenError(f"{self.file(number)} is missing; number the pictures without gaps")
        return numbers[0]


def is_there(path: Path) -> bool:
    """Whether a file, a folder or a sequence of this name exists."""
    stills = Stills.at(path)
    return bool(stills.files()) if stills else path.exists()


def size_of(path: Path) -> int:
    """Bytes of a file, or of all pictures of a sequence."""
    stills = Stills.at(path)
    return sum(file.stat().st_size for file in (stills.files().values() if stills else [path]))


def _exact(rate: Fraction) -> Fraction:
    """29.97 means 30000/1001, and so on."""
    slowed = Fraction(round(rate) * 1000, 1001)
    return slowed if abs(rate - slowed) < Fraction(1, 100) and rate.denominator != 1 else rate
