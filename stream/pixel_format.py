"""Between PyAV's pictures and `Planes`: which formats flow as they are, which are converted once.

Planar YUV 4:2:0, 4:2:2, 4:4:4 and grey of 8 to 16 bits keep every sample. Interleaved YUV (nv12,
p010, yuyv422) is only laid out anew. RGB and palettes become YUV 4:4:4, BT.709, limited range.
Knows no container and no codec.
"""

from __future__ import annotations

from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from stream.frame import ColorTags, Plane, Planes

_LAYOUTS = {(1, 1): "420", (1, 0): "422", (0, 0): "444"}
_DEPTHS = (8, 9, 10, 12, 14, 16)
_GREY_DEPTHS = (8, 9, 10, 12, 14, 16)


def flowing_format(name: str) -> str:
    """The pixel format that frames decoded as ``name`` have in the pipeline."""
    layout = av.VideoFormat(name)
    depth = _depth(layout)
    if len([part for part in layout.components if not part.is_alpha]) == 1 and not _rgb(layout):
        return _with_depth("gray", depth)
    return _with_depth(f"yuv{_LAYOUTS[_nearest_subsampling(layout)]}p", depth)


def has_alpha(name: str) -> bool:
    """Whether pictures of this format are partly transparent, which does not flow."""
    return any(part.is_alpha for part in av.VideoFormat(name).components)


def format_of(planes: Planes) -> str:
    """FFmpeg's name for the layout of ``planes``."""
    grey = len(planes.arrays) == 1
    return _with_depth("gray" if grey else f"yuv{_LAYOUTS[planes.subsampling]}p", planes.bit_depth)


def color_tags(picture: av.VideoFrame) -> ColorTags:
    """How the planes of `read_planes` are to be read."""
    if _rgb(picture.format):
        primaries, transfer = int(picture.color_primaries), int(picture.color_trc)
        return ColorTags(ColorRange.MPEG, primaries, transfer, Colorspace.ITU709)
    full = picture.format.name.startswith("yuvj")
    return ColorTags(
        range=int(ColorRange.JPEG if full else picture.color_range),
        primaries=int(picture.color_primaries),
        transfer=int(picture.color_trc),
        matrix=int(picture.colorspace),
    )


def read_planes(picture: av.VideoFrame) -> Planes:
    """Copy a decoded picture out of the decoder's memory."""
    name = flowing_format(picture.format.name)
    if picture.format.name not in (name, name.replace("yuv", "yuvj")):
        picture = _converted(picture, name)
    layout = av.VideoFormat(name)
    return Planes(
        arrays=tuple(_rows(plane, _depth(layout)).copy() for plane in picture.planes),
        subsampling=_nearest_subsampling(layout),
        bit_depth=_depth(layout),
    )


def write_planes(planes: Planes) -> av.VideoFrame:
    """A picture that an encoder takes, without time."""
    picture = av.VideoFrame(planes.width, planes.height, format_of(planes))
    for plane, array in zip(picture.planes, planes.arrays, strict=True):
        _rows(plane, planes.bit_depth)[:] = array
    return picture


def converted(planes: Planes, width: int, height: int, pixel_format: str) -> Planes:
    """The same picture in another size and planar format, its range and matrix kept."""
    return read_planes(write_planes(planes).reformat(width, height, pixel_format))


def _converted(picture: av.VideoFrame, name: str) -> av.VideoFrame:
    if _rgb(picture.format):
        return picture.reformat(
            format=name,
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
        )
    return picture.reformat(format=name)


def _rows(plane: Any, depth: int) -> Plane:
    """A view of the plane's pixels; rows of the buffer may be longer, or stored bottom up."""
    dtype = np.dtype(np.uint8 if depth == 8 else np.uint16)
    rows = np.frombuffer(plane, dtype).reshape(plane.height, -1)[:, : plane.width]
    return rows if plane.line_size > 0 else rows[::-1]


def _rgb(layout: av.VideoFormat) -> bool:
    return layout.is_rgb or layout.has_palette or layout.is_bayer


def _depth(layout: av.VideoFormat) -> int:
    bits = max(part.bits for part in layout.components)
    return next((depth for depth in _DEPTHS if bits <= depth), _DEPTHS[-1])


def _nearest_subsampling(layout: av.VideoFormat) -> tuple[int, int]:
    if _rgb(layout) or not any(part.is_chroma for part in layout.components):
        return (0, 0)
    halved = layout.chroma_width(16) < 16, layout.chroma_height(16) < 16
    return (1, 1) if all(halved) else (1, 0) if halved[0] else (0, 0)


def _with_depth(stem: str, depth: int) -> str:
    return stem if depth == 8 else f"{stem}{depth}le"
