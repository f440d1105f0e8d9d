"""Pictures drawn by code alone: streets, signs and textures, sharp to the pixel.

The project's demo and tests need footage that nobody owns, and training gains thin lines, text
and hard edges that photographs have few of. Drawn at twice the size and shrunk once.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

DETAIL = 2  # drawn so many times larger, then shrunk: smooth edges without soft ones
WORDS = (
    *("OPEN", "EXIT", "CAFE", "HOTEL", "BAKERY", "STOP", "TAXI", "BOOKS", "METRO", "NORTH", "24H"),
    *("Museum", "Station", "River", "Street", "Garden", "Music", "Radio", "Repair", "Bar", "1987"),
)
FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
)

Canvas = NDArray[np.float32]  # (H, W, 3), stored values 0 to 1


def draw_scene(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """A sharp picture, (height, width, 3) uint8 RGB, unlike that of any other seed."""
    if height < 16 or width < 16:
        raise ValueError(f"a scene of {width}x{height} px has no room; 16x16 is the least")
    size = (height * DETAIL, width * DETAIL)
    canvas = np.empty((*size, 3), np.float32)
    horizon = int(size[0] * rng.uniform(0.25, 0.6))
    _sky(rng, canvas[:horizon])
    _ground(rng, canvas[horizon:])
    _hills(rng, canvas, horizon)
    for _ in range(int(rng.integers(2, 6))):
        _building(rng, canvas, horizon)
    for _ in range(int(rng.integers(1, 5))):
        _tree(rng, canvas, horizon)
    for _ in range(int(rng.integers(2, 6))):
        _solid(rng, canvas, horizon)
    for _ in range(int(rng.integers(1, 4))):
        _sign(rng, canvas)
    _wires(rng, canvas)
    _lamps(rng, canvas)
    grain = fractal_noise(rng, *size, slope=0.9, finest=2)[..., None]
    canvas *= 1 + 0.025 * grain
    small = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    return (np.clip(small, 0, 1) * 255 + 0.5).astype(np.uint8)


def fractal_noise(
    rng: np.random.Generator, height: int, width: int, *, slope: float = 1.0, finest: int = 1
) -> Canvas:
    """Noise whose amplitude falls as 1 / frequency^slope, (height, width), mean 0, deviation 1.

    Natural pictures have a slope near 1 (Field 1987): in two dimensions, octaves of equal
    variance. `finest` is the smallest grain, in px.
    """
    total = np.zeros((height, width), np.float32)
    grain, weight = finest, 1.0
    while grain < 2 * max(height, width):
        shape = (height // grain + 2, width // grain + 2)
        octave = rng.standard_normal(shape, dtype=np.float32)
        if grain > 1:
            octave = np.asarray(
                cv2.resize(octave, (width, height), interpolation=cv2.INTER_LINEAR), np.float32
            )
        total += weight * octave[:height, :width]
        grain, weight = grain * 2, weight * 2 ** (slope - 1)
    total -= total.mean()
    total /= max(float(total.std()), 1e-6)
    return total


def _color(rng: np.random.Generator, low: float = 0.1, high: float = 0.9) -> Canvas:
    """A colour, mostly muted: (3,)."""
    gray = rng.uniform(low, high)
    return np.clip(gray + rng.normal(0, 0.06, 3), 0.02, 0.98).astype(np.float32)


def _sky(rng: np.random.Generator, area: Canvas) -> None:
    top, bottom = _color(rng, 0.4, 0.7), _color(rng, 0.7, 0.95)
    top[2] = min(1.0, top[2] + 0.2)
    fade = np.linspace(0, 1, area.shape[0], dtype=np.float32)[:, None, None]
    area[:] = top + (bottom - top) * fade
    clouds = fractal_noise(rng, area.shape[0], area.shape[1], slope=1.8, finest=2)
    cover = np.clip(clouds * 0.5 + rng.uniform(-0.4, 0.3), 0, 1)[..., None]
    area += (0.97 - area) * cover


def _ground(rng: np.random.Generator, area: Canvas) -> None:
    """Grass, gravel, paving or boards that grow towards the viewer."""
    height, width = area.shape[:2]
    area[:] = _color(rng, 0.2, 0.6)
    kind = rng.choice(("grass", "gravel", "paving"))
    if kind == "grass":
        area[..., 1] += 0.12
        blades = rng.standard_normal((height // 8 + 1, width), dtype=np.float32)
        area += 0.1 * np.asarray(cv2.resize(blades, (width, height)))[..., None]
    area += 0.09 * fractal_noise(rng, height, width, slope=0.9, finest=2)[..., None]
    if kind == "paving":
        vanish = int(rng.uniform(0.2, 0.8) * width)
        shade = [float(v) for v in _color(rng, 0.05, 0.3)]
        for x in np.linspace(-3 * width, 4 * width, int(rng.integers(20, 60))):
            cv2.line(area, (vanish, -height // 4), (int(x), height), shade, 2, cv2.LINE_AA)
        for y in height * np.linspace(0.05, 1, int(rng.integers(6, 16))) ** 2:
            cv2.line(area, (0, int(y)), (width, int(y)), shade, 1 + int(3 * y / height))
    area *= np.linspace(0.8, 1.1, height, dtype=np.float32)[:, None, None]


def _hills(rng: np.random.Generator, canvas: Canvas, horizon: int) -> None:
    width = canvas.shape[1]
    ridge = fractal_noise(rng, 4, width, slope=1.9, finest=2)[0]
    tops = horizon - np.clip((ridge + 0.5) * 0.12 * horizon, 0, None)
    rows = np.arange(horizon)[:, None]
    inside = rows > tops
    texture = _color(rng, 0.2, 0.5) + 0.06 * fractal_noise(rng, horizon, width)[..., None]
    canvas[:horizon][inside] = texture[inside]


def _building(rng: np.random.Generator, canvas: Canvas, horizon: int) -> None:
    """A front of bricks or plaster with rows of windows."""
    size = canvas.shape
    width = int(size[1] * rng.uniform(0.1, 0.35))
    height = int(horizon * rng.uniform(0.4, 1.0))
    left = int(rng.uniform(-0.1, 0.95) * size[1])
    bottom = min(size[0], horizon + int(0.08 * size[0] * rng.uniform(0, 1)))
    area = canvas[max(0, bottom - height) : bottom, max(0, left) : max(0, left + width)]
    if min(area.shape[:2]) < 24:
        return
    height, width = area.shape[:2]
    area[:] = _color(rng, 0.3, 0.85) * np.linspace(1.1, 0.9, width, dtype=np.float32)[:, None]
    area += 0.03 * fractal_noise(rng, height, width, slope=0.9, finest=2)[..., None]
    if rng.random() < 0.6:
        _bricks(rng, area)
    pitch = max(14, int(rng.uniform(0.03, 0.09) * size[0]))
    pane, frame = _color(rng, 0.05, 0.35), _color(rng, 0.6, 0.95)
    for y in range(pitch // 2, height - pitch, pitch + pitch // 3):
        for x in range(pitch // 3, width - pitch // 2, pitch):
            window = area[y : y + pitch * 3 // 4, x : x + pitch // 2]
            window[:] = frame
            inner = window[2:-2, 2:-2]
            inner[:] = pane * float(rng.uniform(0.5, 2.0))
            inner[: inner.shape[0] // 2] += 0.08
            window[:, window.shape[1] // 2 - 1 : window.shape[1] // 2 + 1] = frame


def _bricks(rng: np.random.Generator, area: Canvas) -> None:
    height, width = area.shape[:2]
    row = int(rng.integers(6, 14))
    mortar = _color(rng, 0.5, 0.8)
    tones = rng.normal(1, 0.1, (height // row + 1, width // (2 * row) + 2)).astype(np.float32)
    for index in range(tones.shape[0]):
        strip = area[index * row : (index + 1) * row]
        offset = row if index % 2 else 0
        columns = (np.arange(width) + offset) // (2 * row)
        strip *= tones[index, columns][:, None]
        strip[:1] = mortar
        strip[:, (np.arange(width) + offset) % (2 * row) == 0] = mortar


def _tree(rng: np.random.Generator, canvas: Canvas, horizon: int) -> None:
    """A trunk, branches and a crown of leaves whose outline is noise."""
    size = canvas.shape
    radius = int(size[0] * rng.uniform(0.06, 0.2))
    x, base = int(rng.uniform(0, size[1])), min(size[0] - 1, horizon + int(radius * 0.5))
    top = base - int(radius * 2.2)
    bark = [float(v) for v in _color(rng, 0.1, 0.3)]
    cv2.line(canvas, (x, base), (x, top), bark, max(2, radius // 8), cv2.LINE_AA)
    for _ in range(6):
        tip = (x + int(rng.normal(0, radius * 0.6)), top + int(rng.normal(0, radius * 0.4)))
        cv2.line(canvas, (x, top + radius // 2), tip, bark, max(1, radius // 20), cv2.LINE_AA)
    y0, y1 = max(0, top - radius), min(size[0], top + radius)
    x0, x1 = max(0, x - radius), min(size[1], x + radius)
    if y1 - y0 < 8 or x1 - x0 < 8:
        return
    rows, columns = np.ogrid[y0:y1, x0:x1]
    away = ((rows - top) ** 2 + (columns - x) ** 2) / radius**2
    noise = fractal_noise(rng, y1 - y0, x1 - x0, slope=0.9, finest=2)
    leaves = noise * 0.35 + 0.75 > away
    green = _color(rng, 0.15, 0.45) + np.array([-0.03, 0.1, -0.06], np.float32)
    shade = 1 - 0.35 * (rows - top + radius) / (2 * radius) + 0.2 * noise
    canvas[y0:y1, x0:x1][leaves] = (green * shade[..., None])[leaves]


def _solid(rng: np.random.Generator, canvas: Canvas, horizon: int) -> None:
    """A shaded ball, post or crate on the ground, with its shadow."""
    size = canvas.shape
    radius = int(size[0] * rng.uniform(0.02, 0.1)) + 2
    x, y = int(rng.uniform(0, size[1])), int(rng.uniform(horizon, size[0]))
    y0, y1, x0, x1 = max(0, y - radius), min(size[0], y), max(0, x - radius), x + radius
    x1 = min(size[1], x1)
    foot = canvas[y : y + radius // 3 + 1, x0 : min(size[1], x1 + radius)]
    foot *= 0.6
    if y1 - y0 < 4 or x1 - x0 < 4:
        return
    rows, columns = np.ogrid[y0:y1, x0:x1]
    u = (columns - x) / radius + 0 * rows
    v = (rows - y + radius / 2) / radius * 2 + 0 * columns
    tone = _color(rng, 0.2, 0.95)
    kind = rng.choice(("ball", "post", "crate"))
    inside = np.ones(u.shape, bool)
    depth = np.sqrt(np.clip(1 - u**2 - (v**2 if kind == "ball" else 0), 0, 1))
    if kind == "ball":
        inside = u**2 + v**2 < 1
    light = np.clip(0.25 + 0.6 * depth - 0.35 * u - 0.2 * v, 0.05, 1.5).astype(np.float32)
    if kind == "crate":
        light = np.where(((u + v) * rng.uniform(3, 9)).astype(int) % 2 == 0, 1.0, 0.75)
    if rng.random() < 0.5:
        stripes = np.sin((u + v * rng.uniform(0, 2)) * rng.uniform(8, 25)) > 0
        light = light * np.where(stripes, 1.0, 0.5)
    canvas[y0:y1, x0:x1][inside] = (tone * light[..., None])[inside]
    if kind == "ball":
        spot = (int(x - radius * 0.3), int(y - radius * 0.7))
        cv2.circle(canvas, spot, max(1, radius // 12), (1.0, 1.0, 1.0), -1, cv2.LINE_AA)


def _sign(rng: np.random.Generator, canvas: Canvas) -> None:
    """A board with a word or two, upright or slightly turned, on a post."""
    scale = float(rng.uniform(0.4, 2.2)) * canvas.shape[0] / 700
    font, thick = FONTS[int(rng.integers(len(FONTS)))], max(1, round(2 * scale))
    lines = [str(rng.choice(WORDS)) for _ in range(int(rng.integers(1, 4)))]
    boxes = [cv2.getTextSize(line, font, scale, thick)[0] for line in lines]
    pad, step = int(14 * scale) + 2, int(38 * scale) + 4
    width, height = max(box[0] for box in boxes) + 2 * pad, step * len(lines) + 2 * pad
    paper, ink = _color(rng, 0.7, 0.98), _color(rng, 0.02, 0.3)
    if rng.random() < 0.4:
        paper, ink = ink, paper
    letters = np.zeros((height, width), np.uint8)
    for index, line in enumerate(lines):
        place = (pad, pad + step * (index + 1) - step // 4)
        cv2.putText(letters, line, place, font, scale, 255, thick, cv2.LINE_AA)
    cv2.rectangle(letters, (2, 2), (width - 3, height - 3), 255, max(1, thick // 2), cv2.LINE_AA)
    board = paper + (ink - paper) * (letters.astype(np.float32) / 255)[..., None]
    x = int(rng.uniform(-0.1, 0.9) * canvas.shape[1])
    y = int(rng.uniform(0.0, 0.85) * canvas.shape[0])
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.normal(0, 4)), 1.0)
    turn[:, 2] += (x, y)
    full = (canvas.shape[1], canvas.shape[0])
    post = [float(v) for v in _color(rng, 0.1, 0.5)]
    if rng.random() < 0.5:
        foot = (x + width // 2, canvas.shape[0])
        cv2.line(canvas, (x + width // 2, y + height // 2), foot, post, 2 * thick, cv2.LINE_AA)
    cover = cv2.warpAffine(np.ones((height, width), np.float32), turn, full)[..., None]
    canvas *= 1 - cover
    canvas += cv2.warpAffine(board, turn, full) * cover


def _wires(rng: np.random.Generator, canvas: Canvas) -> None:
    """Thin hanging lines, poles and railings across the picture."""
    height, width = canvas.shape[:2]
    x = np.linspace(0, width, 40)
    for _ in range(int(rng.integers(0, 5))):
        sag, start, stop = rng.uniform(0, 0.1), rng.uniform(0, 0.5), rng.uniform(0, 0.5)
        share = x / width
        y = height * (start + (stop - start) * share + 4 * sag * share * (1 - share))
        points = np.stack([x, y], -1).round().astype(np.int32)
        tone = [float(v) for v in _color(rng, 0.02, 0.3)]
        cv2.polylines(canvas, [points], False, tone, int(rng.integers(1, 5)), cv2.LINE_AA)
    if rng.random() < 0.5:
        tone = [float(v) for v in _color(rng, 0.05, 0.9)]
        top, gap = int(height * rng.uniform(0.6, 0.85)), int(rng.integers(12, 50))
        for column in range(int(rng.integers(gap)), width, gap):
            cv2.line(canvas, (column, top), (column, height), tone, max(1, gap // 8))
        cv2.line(canvas, (0, top), (width, top), tone, max(2, gap // 5))


def _lamps(rng: np.random.Generator, canvas: Canvas) -> None:
    """Small bright lights: their blur draws the camera's path."""
    height, width = canvas.shape[:2]
    for _ in range(int(rng.integers(0, 9))):
        place = (int(rng.uniform(0, width)), int(rng.uniform(0, 0.8 * height)))
        tone = [1.0, float(rng.uniform(0.85, 1)), float(rng.uniform(0.6, 1))]
        cv2.circle(canvas, place, int(rng.integers(2, 8)), tone, -1, cv2.LINE_AA)
