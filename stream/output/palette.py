"""Pictures of at most 256 colours, chosen for each, as GIF holds them."""

from __future__ import annotations

from fractions import Fraction

import av
from av.filter import Graph

from stream.pyav import exact


def with_palette(picture: av.VideoFrame) -> av.VideoFrame:
    """The picture as ``pal8``: exact if 256 colours do, else dithered; without time.

    Args:
        picture: RGB, with or without transparency.
    """
    graph = Graph()
    source = graph.add_buffer(
        width=picture.width,
        height=picture.height,
        format=picture.format,
        time_base=exact(picture.time_base) or Fraction(1),
    )
    split, sink = graph.add("split"), graph.add("buffersink")
    palette = graph.add("palettegen", "stats_mode=single")
    use = graph.add("paletteuse", "new=1")
    source.link_to(split)
    split.link_to(palette, 0, 0)
    split.link_to(use, 1, 0)
    palette.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    graph.vpush(picture)
    graph.vpush(None)
    return graph.vpull()
