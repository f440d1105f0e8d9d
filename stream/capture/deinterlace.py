"""Whole pictures from interlaced ones, by FFmpeg's bwdif. Knows pictures, not files."""

from __future__ import annotations

import av
from av.filter import Graph
from av.video.stream import VideoStream

_TOP_FIRST, _BOTTOM_FIRST = frozenset({2, 5}), frozenset({3, 4})  # AVFieldOrder, as displayed
_TELLING = frozenset(
    [
        *("dvvideo", "ffv1", "h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4", "prores"),
        *("vc1", "wmv3"),
    ]
)
"""Codecs whose every picture says whether it is interlaced; of others the file may say it."""


class Deinterlacer:
    """Makes one picture of every pair of fields, at the time of the first.

    What comes before the first interlaced picture passes as it is; after that the filter, which
    looks one picture ahead, leaves alone what is not interlaced (bit for bit).

    Args:
        stream: What it says of its fields counts where its pictures say nothing.
    """

    def __init__(self, stream: VideoStream) -> None:
        context = stream.codec_context
        telling = context.codec.canonical_name in _TELLING
        order = 0 if telling else context.field_order
        self._all = order in _TOP_FIRST | _BOTTOM_FIRST
        self._parity = "bff" if order in _BOTTOM_FIRST else "tff" if self._all else "auto"
        self._graph: Graph | None = None
        self._layout: tuple[int, int, str] | None = None

    @property
    def active(self) -> bool:
        """Whether something interlaced has come."""
        return self._graph is not None

    def push(self, picture: av.VideoFrame) -> list[av.VideoFrame]:
        """Take one picture, in order of time; give those that are ready."""
        layout = (picture.width, picture.height, picture.format.name)
        before = self.flush() if self._graph and layout != self._layout else []
        if self._graph is None and not (self._all or picture.interlaced_frame):
            return [*before, picture]
        if self._graph is None:
            self._graph, self._layout = self._bwdif(picture), layout
        self._graph.vpush(picture)
        return before + self._ready()

    def flush(self) -> list[av.VideoFrame]:
        """Give the rest, after which everything is as at first."""
        if self._graph is None:
            return []
        self._graph.vpush(None)
        rest = self._ready()
        self._graph = None
        return rest

    def _ready(self) -> list[av.VideoFrame]:
        ready: list[av.VideoFrame] = []
        while self._graph:
            try:
                picture = self._graph.vpull()
            except (av.BlockingIOError, av.EOFError):
                break
            if picture.pts is not None:
                picture.pts //= 2  # the filter counts fields
            picture.duration = (picture.duration or 0) // 2
            ready.append(picture)
        return ready

    def _bwdif(self, picture: av.VideoFrame) -> Graph:
        graph = Graph()
        source = graph.add_buffer(
            width=picture.width,
            height=picture.height,
            format=picture.format,
            time_base=picture.time_base,
        )
        which = "all" if self._all else "interlaced"
        bwdif = graph.add("bwdif", f"mode=send_frame:parity={self._parity}:deint={which}")
        graph.link_nodes(source, bwdif, graph.add("buffersink")).configure()
        return graph
