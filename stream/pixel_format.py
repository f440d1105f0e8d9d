"""Between PyAV's pictures and `Planes`: which formats flow as they are, which are laid out anew.

Planar YUV 4:2:0, 4:2:2, 4:4:4, grey and planar RGB of 8 to 16 bits keep every sample, transparency
too. Interleaved formats (nv12, p010, yuyv422, rgb24, bgra) keep every sample in another order.
Palettes become RGB; 4:1:1, 4:1:0 and 4:4:0 are resampled to the next finer of the first three.
Knows no container and no codec.
"""

from __future__ import annotations

from typing import Any, cast

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from stream.frame import ColorTags, Frame, Plane, Planes, chroma_size
from stream.widen import limited, more_bits, widened

_LAYOUTS = {(1, 1): "420", (1, 0): "422", (0, 0): "444"}
_DEPTHS = (8, 9, 10, 12, 14, 16)

_SEMI_PLANAR = {"nv12": 0, "nv16": 0, "nv24": 0, "p010le": 6, "p210le": 6}
"""Formats of a luma plane and one of U and V by turns, and how many bits lie below a sample."""


def flowing_format(name: str) -> str:
    """The pixel format that frames decoded as ``name`` have in the pipeline."""
    layout = av.VideoFormat(name)
    if _rgb(layout):
        return _with_depth("gbrap" if has_alpha(name) else "gbrp", _depth(layout))
    if _grey(layout):
        return _with_depth("ya" if has_alpha(name) else "gray", _depth(layout))
    stem = f"yuv{'a' * has_alpha(name)}{_LAYOUTS[_nearest_subsampling(layout)]}p"
    return _with_depth(stem, _depth(layout))


def has_alpha(name: str) -> bool:
    """Whether pictures of this format may be partly transparent."""
    return any(part.is_alpha for part in av.VideoFormat(name).components)


def is_rgb(name: str) -> bool:
    """Whether pictures of this format hold red, green and blue."""
    return _rgb(av.VideoFormat(name))


def is_yuv(name: str) -> bool:
    """Whether pictures of this format hold luma and chroma."""
    layout = av.VideoFormat(name)
    return not _rgb(layout) and not _grey(layout)


def format_of(planes: Planes, *, rgb: bool = False, alpha: bool = False) -> str:
    """FFmpeg's name for the layout of ``planes``, with or without an alpha plane beside them."""
    if rgb:
        stem = "gbrap" if alpha else "gbrp"
    elif len(planes.arrays) == 1:
        stem = "ya" if alpha else "gray"
    else:
        stem = f"yuv{'a' * alpha}{_LAYOUTS[planes.subsampling]}p"
    return _with_depth(stem, planes.bit_depth)


def color_tags(picture: av.VideoFrame) -> ColorTags:
    """How the planes of `read_planes` are to be read.

    Grey has no matrix, and is of full range unless it says otherwise, as FFmpeg shows it.
    """
    rgb, grey = _rgb(picture.format), _grey(picture.format)
    unsaid = ColorRange.JPEG if grey else ColorRange.UNSPECIFIED
    full = rgb or picture.format.name.startswith("yuvj")
    return ColorTags(
        range=int(ColorRange.JPEG if full else picture.color_range or unsaid),
        primaries=int(picture.color_primaries),
        transfer=int(picture.color_trc),
        matrix=0 if rgb else 2 if grey else int(picture.colorspace),
    )


def tag(picture: av.VideoFrame, color: ColorTags) -> None:
    """Say on a picture how it is to be read."""
    picture.color_range, picture.color_primaries = color.range, color.primaries
    picture.color_trc, picture.colorspace = color.transfer, color.matrix


def as_flowing(picture: av.VideoFrame) -> av.VideoFrame:
    """The picture in its `flowing_format`; itself where it has that already."""
    if picture.format.name in _SEMI_PLANAR:
        return write_planes(_separated(picture))
    name = flowing_format(picture.format.name)
    if picture.format.name in (name, name.replace("yuv", "yuvj")):
        return picture
    if is_rgb(name) and _depth(picture.format) == 8 and picture.format.name not in _EXACT_RGB:
        # swscale goes from packed 5:6:5 and the like to planes by way of YUV
        picture = _reformat(picture, format="rgba" if has_alpha(name) else "rgb24")
    return _reformat(picture, format=name)


def read_planes(picture: av.VideoFrame) -> Planes:
    """Copy a decoded picture out of the decoder's memory, transparency left aside."""
    picture = as_flowing(picture)
    layout = picture.format
    arrays = [_rows(plane, layout) for plane in picture.planes][: 1 if _grey(layout) else 3]
    if layout.name.startswith("ya"):
        arrays = [arrays[0][:, 0::2]]
    return Planes(
        arrays=tuple(_copied(array) for array in arrays),
        subsampling=_nearest_subsampling(layout),
        bit_depth=_depth(layout),
    )


def read_alpha(picture: av.VideoFrame) -> Plane | None:
    """Copy a decoded picture's transparency, (H, W) with 0 for transparent, or None."""
    if not has_alpha(picture.format.name):
        return None
    picture = as_flowing(picture)
    rows = _rows(picture.planes[-1], picture.format)
    return _copied(rows[:, 1::2] if len(picture.planes) == 1 else rows)


def write_planes(planes: Planes, *, rgb: bool = False, alpha: Plane | None = None) -> av.VideoFrame:
    """A picture in the format of `format_of`, without time."""
    name = format_of(planes, rgb=rgb, alpha=alpha is not None)
    picture = av.VideoFrame(planes.width, planes.height, name)
    arrays = planes.arrays if alpha is None else (*planes.arrays, alpha)
    if name.startswith("ya"):
        arrays = (cast(Plane, np.stack(arrays, axis=-1).reshape(planes.height, -1)),)
    for plane, array in zip(picture.planes, arrays, strict=True):
        _rows(plane, picture.format)[:] = array
    return picture


def without_rgb(picture: av.VideoFrame) -> av.VideoFrame:
    """The picture as YUV 4:4:4, BT.709, limited range and opaque; itself where it is no RGB."""
    if not _rgb(picture.format):
        return picture
    return _reformat(
        picture,
        format=_with_depth("yuv444p", _depth(picture.format)),
        dst_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
    )


def _interleaved(planes: Planes, name: str) -> av.VideoFrame:
    """Planes as a semi-planar picture: swscale writes over samples of p010 now and then."""
    picture = av.VideoFrame(planes.width, planes.height, name)
    luma: Any
    luma, *chroma = planes.arrays
    both: Any = np.stack(chroma, axis=-1).reshape(chroma[0].shape[0], -1)
    for plane, samples in zip(picture.planes, (luma, both), strict=True):
        _samples(plane, samples.shape, planes.dtype)[:] = samples << _SEMI_PLANAR[name]
    return picture


def _separated(picture: av.VideoFrame) -> Planes:
    """The inverse of `_interleaved`."""
    name, layout = picture.format.name, picture.format
    subsampling = _nearest_subsampling(layout)
    dtype = np.uint8 if _depth(layout) == 8 else np.uint16
    columns, rows = chroma_size(picture.width, picture.height, subsampling)
    shapes = (picture.height, picture.width), (rows, 2 * columns)
    luma, both = (
        _samples(plane, shape, dtype) >> _SEMI_PLANAR[name]
        for plane, shape in zip(picture.planes, shapes, strict=True)
    )
    parts = (luma, both[:, 0::2], both[:, 1::2])
    return Planes(tuple(_copied(part) for part in parts), subsampling, _depth(layout))


def _samples(plane: Any, shape: tuple[int, int], dtype: Any) -> Any:
    """A view of the first ``shape`` samples of a plane whose rows may be longer."""
    return np.frombuffer(plane, dtype).reshape(shape[0], -1)[:, : shape[1]]


def _reformat(picture: av.VideoFrame, **wanted: Any) -> av.VideoFrame:
    """Convert on one thread: on several, swscale (PyAV 18.1) now and then writes over samples.

    Seen where rows are no multiple of 16 samples, at the first ones of another thread's strip.
    """
    return picture.reformat(threads=1, **wanted)


def write_picture(
    frame: Frame,
    name: str,
    size: tuple[int, int] | None = None,
    *,
    limited_range: bool = False,
) -> av.VideoFrame:
    """The frame in pixel format ``name``, without time.

    YUV and grey keep their range and matrix in YUV, RGB becomes BT.709 of limited range there; in
    RGB everything looks as its tags say.

    Args:
        frame: Its own format is that of `format_of`.
        name: YUV, grey or RGB.
        size: Width and height in pixels, if not the frame's own.
        limited_range: Whether samples of full range, of luma and chroma, become limited.
    """
    width, height = size or (frame.width, frame.height)
    planes, rgb = frame.planes, frame.color.rgb
    layout = av.VideoFormat(name)
    if _depth(layout) < planes.bit_depth:
        planes = _rounded(planes, _depth(layout))
    if len(planes.arrays) == 1 and not _grey(layout):
        planes = _with_neutral_chroma(planes, _nearest_subsampling(layout))
    if rgb or not is_rgb(name):
        planes = widened(planes, _nearest_subsampling(layout), _depth(layout), frame.color)
    if limited_range:
        planes = limited(planes)
    alpha = frame.alpha if has_alpha(name) else None
    if alpha is not None and planes.bit_depth < frame.planes.bit_depth:
        alpha = _fewer_bits(alpha, frame.planes.bit_depth, planes.bit_depth)
    elif alpha is not None:
        alpha = more_bits(alpha, frame.planes.bit_depth, planes.bit_depth, full_range=True)
    if name in _SEMI_PLANAR:
        return _interleaved(planes, name)
    picture = write_planes(planes, rgb=rgb, alpha=alpha)
    if rgb and not is_rgb(name):
        picture = without_rgb(picture)
    if (picture.format.name, picture.width, picture.height) == (name, width, height):
        return picture
    if rgb or not is_rgb(name):
        return _reformat(picture, width=width, height=height, format=name)
    return _reformat(
        picture,
        width=width,
        height=height,
        format=name,
        src_colorspace=_formula(frame),
        src_color_range=ColorRange.JPEG if frame.color.full_range else ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
    )


def _formula(frame: Frame) -> int:
    """The matrix, as swscale numbers them; what says nothing is of BT.601 if it is small."""
    matrix = frame.color.matrix
    if matrix in (2, 3):
        return int(Colorspace.ITU709 if frame.height >= 720 else Colorspace.ITU601)
    return 5 if matrix == 6 else matrix


def _rounded(planes: Planes, depth: int) -> Planes:
    arrays = [_fewer_bits(array, planes.bit_depth, depth) for array in planes.arrays]
    return Planes(tuple(arrays), planes.subsampling, depth)


def _fewer_bits(array: Plane, before: int, after: int) -> Plane:
    cut = before - after
    rounded = (array.astype(np.uint32) + (1 << cut >> 1)) >> cut
    narrow = np.uint8 if after == 8 else np.uint16
    return cast(Plane, np.minimum(rounded, (1 << after) - 1).astype(narrow))


def _with_neutral_chroma(planes: Planes, subsampling: tuple[int, int]) -> Planes:
    """Grey as YUV; swscale would scale its luma, which it takes for full range."""
    shape = chroma_size(planes.width, planes.height, subsampling)[::-1]
    neutral = np.full(shape, 1 << (planes.bit_depth - 1), planes.dtype)
    return Planes((planes.arrays[0], neutral, neutral), subsampling, planes.bit_depth)


# Taken apart by swscale without a change of any sample.
_EXACT_RGB = frozenset(
    [
        "rgb24",
        "bgr24",
        "rgb0",
        "bgr0",
        "0rgb",
        "0bgr",
        "rgba",
        "bgra",
        "argb",
        "abgr",
        "gbrp",
        "gbrap",
    ],
)


def _rows(plane: Any, layout: av.VideoFormat) -> Plane:
    """A view of the plane's pixels; rows of the buffer may be longer, or stored bottom up."""
    dtype = np.dtype(np.uint8 if _depth(layout) == 8 else np.uint16)
    samples = plane.width * (2 if layout.name.startswith("ya") else 1)
    rows = np.frombuffer(plane, dtype).reshape(plane.height, -1)[:, :samples]
    return rows if plane.line_size > 0 else rows[::-1]


def _copied(array: Plane) -> Plane:
    return cast(Plane, np.array(array, order="C"))


def _rgb(layout: av.VideoFormat) -> bool:
    return layout.is_rgb or layout.has_palette or layout.is_bayer


def _grey(layout: av.VideoFormat) -> bool:
    return not _rgb(layout) and len([part for part in layout.components if not part.is_alpha]) == 1


def _depth(layout: av.VideoFormat) -> int:
    bits = max(part.bits for part in layout.components)
    return next((depth for depth in _DEPTHS if bits <= depth), _DEPTHS[-1])


def _nearest_subsampling(layout: av.VideoFormat) -> tuple[int, int]:
    if _rgb(layout) or _grey(layout):
        return (0, 0)
    halved = layout.chroma_width(16) < 16, layout.chroma_height(16) < 16
    return (1, 1) if all(halved) else (1, 0) if halved[0] else (0, 0)


def _with_depth(stem: str, depth: int) -> str:
    if depth == 8:
        return "ya8" if stem == "ya" else stem
    return f"{stem}{depth}le"
