"""Which pixel formats an encoder may be given for one that flows, and what each of them costs."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from av.video import format as formats

from stream.pixel_format import has_alpha, is_rgb

_FORMATS = frozenset(cast(Any, formats).names)

# The same samples in another order.
_REARRANGED = {
    "yuv420p": ("nv12",),
    "yuv420p10le": ("p010le",),
    "yuv422p": ("nv16",),
    "yuv422p10le": ("p210le",),
    "yuv444p": ("nv24", "vuyx"),
    "gbrp": ("bgr0", "rgb24"),
    "gbrp16le": ("rgb48le", "rgb48be"),
    "gbrap": ("bgra", "rgba", "argb"),
    "gbrap16le": ("rgba64le", "rgba64be"),
    "gray": ("yuv420p", "nv12", "yuv422p"),
    "gray10le": ("yuv420p10le", "p010le", "yuv422p10le"),
    "gray12le": ("yuv420p12le",),
    "gray16le": ("gray16be", "yuv420p16le"),
    "ya16le": ("ya16be",),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """A pixel format for an encoder.

    Attributes:
        name: FFmpeg's.
        change: What becomes of the pictures in it, in words; empty where every sample stays.
    """

    name: str
    change: str = ""


def exact(flowing: str) -> list[Layout]:
    """Layouts that keep every sample."""
    return [Layout(name) for name in (flowing, *_REARRANGED.get(flowing, ()))]


def rounded(flowing: str) -> list[Layout]:
    """Layouts of fewer bits a sample, most bits first: encoders end at 12, 10 or 8."""
    match = _PLANAR.fullmatch(flowing)
    depth = int(match[3] or 8) if match else 16 if flowing == "ya16le" else 8
    stem = match[1] if match else "ya"
    found = []
    for bits in (12, 10, 8):
        name = f"{stem}{bits}le" if bits > 8 else "ya8" if stem == "ya" else stem
        if bits < depth and name in _FORMATS:
            change = f"{depth} bits a sample are rounded to {bits}"
            found += [Layout(layout.name, change) for layout in exact(name)]
    return found


def then(layouts: list[Layout], change: Callable[[str], list[Layout]]) -> list[Layout]:
    """Layouts that come of changing these once more."""
    return [
        Layout(other.name, ", ".join(filter(None, (layout.change, other.change))))
        for layout in layouts
        for other in change(layout.name)
    ]


def widened(layouts: list[Layout]) -> list[Layout]:
    """Layouts of finer chroma or more bits, from whose samples the old ones can be told.

    The smallest comes first, those that must round enlarged chroma last.
    """
    return then(then(layouts, _wider), exact)


def opaque(flowing: str) -> list[Layout]:
    """Layouts without the transparency that ``flowing`` has."""
    if not has_alpha(flowing):
        return []
    name = flowing
    for alpha, none in (("yuva", "yuv"), ("gbrap", "gbrp"), ("ya8", "gray"), ("ya16", "gray16")):
        name = name.replace(alpha, none)
    return [Layout(layout.name, "its transparency is lost") for layout in exact(name)]


def as_yuv(flowing: str) -> list[Layout]:
    """A layout for pictures of red, green and blue where the encoder takes none of those."""
    if not is_rgb(flowing):
        return []
    name = flowing.replace("gbrap", "gbrp").replace("gbrp", "yuv444p")
    return [Layout(name, "RGB becomes YUV 4:4:4, BT.709" + ", opaque" * has_alpha(flowing))]


def as_rgb(flowing: str) -> list[Layout]:
    """Layouts for pictures of luma and chroma in files of red, green and blue."""
    if is_rgb(flowing):
        return []
    deep = flowing.endswith("le")
    names = ("rgb48le", "rgb48be") if deep else ("rgb24",)
    return [Layout(name, "YUV becomes RGB" + ", opaque" * has_alpha(flowing)) for name in names]


def as_palette(flowing: str) -> list[Layout]:
    """The layout of GIF, for anything."""
    lost = "a picture keeps 256 colours" + " and whole transparency" * has_alpha(flowing)
    return [Layout("pal8", lost)]


_PLANAR = re.compile(r"(gray|gbra?p|yuva?(4[24][024])p)(\d+)?(?:le)?")
_DEPTHS = (8, 9, 10, 12, 14, 16)
_SAMPLES = {"420": 1.5, "422": 2, "444": 3}  # for each pixel


def _wider(name: str) -> list[Layout]:
    """Planar formats that hold more than this one."""
    match = _PLANAR.fullmatch(name)
    if not match:
        return []
    stem, chroma, depth = match[1], match[2] or "", int(match[3] or 8)
    stems = [(stem, _SAMPLES.get(chroma, 1), "")] + [
        (stem.replace(chroma, finer), samples, f"chroma is enlarged to {':'.join(finer)}")
        for finer, samples in _SAMPLES.items()
        if chroma and finer > chroma
    ]
    found = []
    for (kind, samples, enlarged), bits in itertools.product(stems, _DEPTHS):
        wider = kind if bits == 8 else f"{kind}{bits}le"
        if bits < depth or wider == name:
            continue
        deeper = f"{depth} bits a sample become {bits}" if bits > depth else ""
        change = ", ".join(filter(None, (enlarged, deeper)))
        rounds = bool(enlarged) and bits < depth + 2  # chroma between rows takes two bits more
        found.append((rounds, samples * bits, Layout(wider, change)))
    return [layout for *_, layout in sorted(found, key=lambda entry: entry[:2])]
