"""A digest of what each encoder writes, also as a program, for memory of another kind."""

import contextlib
import functools
import hashlib
import itertools
import json
import random
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from stream.containers import of_muxer
from stream.errors import SinkError
from stream.frame import ColorTags, Frame, Planes, StreamInfo, chroma_size
from stream.output.codecs import KNOWN
from stream.output.encoder import EncoderOptions, choose_encoding
from stream.output.file import VideoWriter

SIZES = ((330, 138), (336, 136), (272, 202))
"""Where vectors do not come out even; CineForm takes the second alone, DNxHR none much smaller."""

CONTENTS = ("noise", "waves", "shapes")
_LAYOUTS = {
    "yuv420p": (8, (1, 1)),
    "yuv420p10le": (10, (1, 1)),
    "yuv422p10le": (10, (1, 0)),
    "gbrp": (8, (0, 0)),
}


def encodings(encoder, layouts=tuple(_LAYOUTS), sizes=SIZES):
    """What `clean` would give an encoder, by pixel format: the encoding, and the sizes it takes."""
    found = {}
    for layout, format_name, size in itertools.product(layouts, ("matroska", "mov"), sizes):
        with contextlib.suppress(SinkError):
            options = EncoderOptions(encoder)
            encoding, _ = choose_encoding(described(layout, size), options, format_name)
            given = (encoding, layout, format_name)
            first, taken = found.setdefault(encoding.pixel_format, (given, []))
            if first == given:
                taken.append(size)
    return found


def described(layout, size):
    rgb = layout.startswith("gbr")
    return StreamInfo(
        name="in",
        width=size[0],
        height=size[1],
        pixel_format=layout,
        source_pixel_format=layout,
        time_base=Fraction(1, 25),
        frame_rate=Fraction(25),
        color=ColorTags(2, 1, 1, 0 if rgb else 1),  # JPEG takes full range alone,
    )


@functools.cache
def pictures(layout, size, content, frames):
    """Planes of moving pictures, the same on every machine."""
    return tuple(_drawn(layout, size, content, frames))


def _drawn(layout, size, content, frames):
    depth, subsampling = _LAYOUTS[layout]
    rng = np.random.default_rng(11)
    sizes = (size, *[chroma_size(*size, subsampling)] * 2)
    for index in range(frames):
        arrays = []
        for width, height in sizes:
            y, x = np.mgrid[:height, :width]
            if content == "noise":
                values = rng.integers(0, 256, (height, width))
            elif content == "waves":
                waves = 60 * np.sin((x + 3 * index) / 9) + 40 * np.sin((y - 2 * index) / 7)
                values = 128 + waves + rng.integers(-12, 13, (height, width))
            else:
                values = 40 + 150 * (((x - 5 * index) // 24 + (y + index) // 16) % 2)
            codes = np.clip(values, 0, 255).astype(np.uint16) << (depth - 8)
            arrays.append(codes.astype(np.uint8 if depth == 8 else np.uint16))
        yield Planes(tuple(arrays), subsampling, depth)


def digest(encoding, layout, format_name, size, content, frames):
    """Of the file that is written."""
    info = described(layout, size)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "out"
        writer = VideoWriter(path, container=of_muxer(format_name), encoding=encoding)
        writer.open(info)
        for index, planes in enumerate(pictures(layout, size, content, frames)):
            writer.write(
                Frame(
                    planes=planes,
                    pts=index,
                    time_base=info.time_base,
                    duration=1,
                    color=info.color,
                )
            )
        writer.finish()
        return hashlib.sha256(path.read_bytes()).hexdigest()


def repeated(encoder, runs, frames=12):
    """Digests by layout, size and content; two encoders at once, in an order that is drawn."""
    cases = [
        (*given, size, content)
        for given, sizes in encodings(encoder).values()
        for size in sizes
        for content in CONTENTS
    ]
    order = [case for _, case in zip(range(runs), itertools.cycle(range(len(cases))), strict=False)]
    random.Random(5).shuffle(order)
    found = [set() for _ in cases]
    with ThreadPoolExecutor(2) as pool:
        made = pool.map(lambda case: digest(*cases[case], frames), order)
        for case, one in zip(order, made, strict=True):
            found[case].add(one)
    return {cases[case][1:]: digests for case, digests in enumerate(found)}


if __name__ == "__main__":
    digests = {}
    for encoder in {known.encoder for known in KNOWN}:
        layouts = ("gbrp" if encoder == "libx264rgb" else "yuv420p",)
        ((given, sizes),) = encodings(encoder, layouts, SIZES[1:2]).values()
        digests[encoder] = digest(*given, *sizes, "waves", 6)
    print(json.dumps(digests))
