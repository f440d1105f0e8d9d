"""Static HDR metadata: the display a video was graded on, and how bright it gets.

SMPTE ST 2086 and CTA-861.3, read from FFmpeg's side data and written as encoders want it. It
describes colours; it never changes them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction

_MASTERING = struct.Struct("=20i2i")  # AVMasteringDisplayMetadata: ten rationals, two flags
_LIGHT = struct.Struct("=2I")  # AVContentLightMetadata


@dataclass(frozen=True, slots=True)
class HdrMetadata:
    """What of it the source states.

    Attributes:
        chromaticity: x and y of red, green, blue and white, or None.
        luminance: Least and greatest of the display, in cd/m2, or None.
        content_light: Greatest of a pixel and of a frame's average, in cd/m2, or None.
    """

    chromaticity: tuple[Fraction, ...] | None = None
    luminance: tuple[Fraction, Fraction] | None = None
    content_light: tuple[int, int] | None = None

    def encoder_flags(self, encoder: str) -> dict[str, str] | None:
        """The encoder's own parameter for it, as far as it is whole; None where it has none."""
        if encoder not in _PARAMETERS:
            return None
        flag, display, light, chroma_unit, light_unit = _PARAMETERS[encoder]
        parts = []
        if self.chromaticity and self.luminance:
            points = [_number(value, chroma_unit) for value in self.chromaticity]
            red, green, blue, white = (
                f"({x},{y})" for x, y in zip(*[iter(points)] * 2, strict=True)
            )
            least, greatest = (_number(value, light_unit) for value in self.luminance)
            parts.append(f"{display}=G{green}B{blue}R{red}WP{white}L({greatest},{least})")
        if self.content_light:
            parts.append(f"{light}={self.content_light[0]},{self.content_light[1]}")
        return {flag: ":".join(parts)} if parts else {}


# parameter, key of the display, key of the light, units of chromaticity and luminance
_PARAMETERS = {
    "libx264": ("x264-params", "mastering-display", "cll", 50_000, 10_000),
    "libx265": ("x265-params", "master-display", "max-cll", 50_000, 10_000),
    "libsvtav1": ("svtav1-params", "mastering-display", "content-light", 1, 1),
}


def read_hdr(mastering: bytes | None, light: bytes | None) -> HdrMetadata | None:
    """From the bytes of FFmpeg's two kinds of side data; None where neither says anything."""
    chromaticity = luminance = content_light = None
    if mastering and len(mastering) >= _MASTERING.size:
        *numbers, has_primaries, has_luminance = _MASTERING.unpack_from(mastering)
        values = [
            Fraction(numerator, denominator or 1)
            for numerator, denominator in zip(*[iter(numbers)] * 2, strict=True)
        ]
        chromaticity = tuple(values[:8]) if has_primaries else None
        luminance = (values[8], values[9]) if has_luminance else None
    if light and len(light) >= _LIGHT.size:
        content_light = _LIGHT.unpack_from(light)
    if chromaticity or luminance or content_light:
        return HdrMetadata(chromaticity, luminance, content_light)
    return None


def _number(value: Fraction, unit: int) -> str:
    return str(round(value * unit)) if unit > 1 else f"{float(value):.6g}"
