"""Speed against quality as an SVG picture: time on a logarithmic axis, gain in dB upwards."""

import math
from collections.abc import Sequence
from html import escape
from typing import Any

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 900, 420, 70, 40, 290, 60
RADIUS, LINE = 8, 36


def speed_quality(rows: Sequence[dict[str, Any]], title: str) -> str:
    """SVG of rows with `name`, `ms_per_frame` and `gain`: numbered points and their legend.

    The first row is marked.
    """
    exponents = [math.log10(row["ms_per_frame"]) for row in rows]
    first, last = math.floor(min(exponents)), math.ceil(max(exponents) + 1e-9)
    last = max(last, first + 1)
    gains: list[float] = [row["gain"] for row in rows] + [0.0]
    span = max(gains) - min(gains)
    step = next(size for size in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0) if span <= 8 * size)
    low, high = math.floor(min(gains) / step), math.ceil(max(gains) / step)
    high = max(high, low + 1)

    def x(exponent: float) -> float:
        return LEFT + (exponent - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    def y(gain: float) -> float:
        return HEIGHT - BOTTOM - (gain / step - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">',
        "<style>text { font: 13px sans-serif }</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="22">{escape(title)}</text>',
    ]
    for exponent in range(first, last + 1):
        at = x(exponent)
        parts.append(_line(at, TOP, at, HEIGHT - BOTTOM))
        parts.append(_text(at, HEIGHT - BOTTOM + 20, _time(10.0**exponent), "middle"))
    for index in range(low, high + 1):
        at = y(index * step)
        parts.append(_line(LEFT, at, WIDTH - RIGHT, at, "#888" if index == 0 else "#ddd"))
        parts.append(_text(LEFT - 8, at + 4, f"{index * step:+.1f}", "end"))
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(_text(middle, HEIGHT - 16, "time per frame", "middle"))
    parts.append(_text(16, TOP - 8, "gain, dB", "start"))
    for index, row in enumerate(rows):
        left, above = x(math.log10(row["ms_per_frame"])), y(row["gain"])
        colour = "#c0392b" if index == 0 else "#2c3e50"
        legend, line = WIDTH - RIGHT + 28, TOP + 10 + index * LINE
        parts += _point(left, above, index + 1, colour) + _point(legend, line, index + 1, colour)
        parts.append(_text(legend + 16, line + 4, row["name"], "start"))
        figures = f"{row['gain']:+.2f} dB, {_time(row['ms_per_frame'])}"
        parts.append(_text(legend + 16, line + 20, figures, "start", "#888"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _time(milliseconds: float) -> str:
    rounded = float(f"{milliseconds:.3g}")
    return f"{rounded / 1000:,g} s" if rounded >= 1000 else f"{rounded:g} ms"


def _point(x: float, y: float, number: int, colour: str) -> list[str]:
    circle = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS}" fill="{colour}" stroke="white"/>'
    return [circle, _text(x, y + 4.5, str(number), "middle", "white")]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str = "#ddd") -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{colour}"/>'


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#333") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">'
        f"{escape(text)}</text>"
    )
