"""The containers we write, as one table: what each is called, how it counts time, what it holds.

Everything that depends on a container reads it here. A new container is a new row; `python -m
stream.containers` prints the table of ``docs/files.md``. Whether a container takes a certain codec
is not in the table: its muxer is asked. What a finished file lacks isn't either: it is read back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from stream.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container format.

    Attributes:
        name: What people call it, and its usual suffix without the dot.
        suffixes: Of file names, the usual one first.
        muxer: FFmpeg's name for writing it.
        demuxers: FFmpeg's names for reading it.
        mime: Its media type.
        options: What the muxer is given.
        recording: What the muxer is given for a file that has to play at every moment; None where
            we don't record into it.
        unit: Seconds that its times are multiples of; None where the video says.
        longest_pause: How many units a frame lasts at most; None where there is no such limit. The
            unit is that of each stream where the container has none.
        steady: Whether it counts pictures instead of giving them times.
        indexed: Whether its index lists every picture, so that damage takes none from it.
        whole_times: Whether segments kept in it come back with every pts and dts.
        names_codecs: Whether its muxer takes only what it can name; otherwise what is written has
            to be read to know.
        attachments: Whether it holds files, cover art among them.
        covers: Whether it holds cover art as a stream that is marked so.
        alpha_beside: Whether it holds the second stream in which VP8 and VP9 keep transparency.
        transparent: Encoders that keep transparency in it where the source's own doesn't.
        holds_ffv1: Whether players expect FFV1 in it.
        codecs: The only ones that players expect in it; empty where there is no such rule.
        keeps: What it has room for beside streams: ``tags`` of any name, ``languages``, marks
            (``dispositions``), ``chapters``.
        no_dispositions: Marks that mean nothing in it.
    """

    name: str
    suffixes: tuple[str, ...]
    muxer: str
    demuxers: frozenset[str]
    mime: str
    options: Mapping[str, str] = field(default_factory=dict)
    recording: Mapping[str, str] | None = None
    unit: Fraction | None = None
    longest_pause: int | None = None
    steady: bool = False
    indexed: bool = False
    whole_times: bool = False
    names_codecs: bool = True
    attachments: bool = False
    covers: bool = False
    alpha_beside: bool = False
    transparent: tuple[str, ...] = ()
    holds_ffv1: bool = False
    codecs: frozenset[str] = frozenset()
    keeps: frozenset[str] = frozenset()
    no_dispositions: frozenset[str] = frozenset({"default"})

    @property
    def is_mp4(self) -> bool:
        """Whether it is made of MP4's boxes."""
        return self.muxer in ("mp4", "mov")

    @property
    def is_matroska(self) -> bool:
        """Whether it is made of Matroska's elements."""
        return self.muxer in ("matroska", "webm")

    @property
    def ranged_codec(self) -> str:
        """The codec to name where another one can't tell the range of samples in it."""
        return "vp9" if self.codecs else "h264"


_ALL = frozenset({"tags", "languages", "dispositions", "chapters"})
_MP4_DEMUXERS = frozenset(["mov", "mp4", "m4a", "3gp", "3g2", "mj2"])
_LEAST_UNITS = 10_000
_MP4_PAUSE = (1 << 31) - 2  # MP4 has 32 bits for it, of which FFmpeg uses 31
_FRAGMENTS = {
    "movflags": "frag_keyframe+empty_moov+default_base_moof",
    "frag_duration": "1000000",
    "flush_packets": "1",
}

MP4 = Container(
    name="mp4",
    suffixes=(".mp4", ".m4v"),
    muxer="mp4",
    covers=True,
    demuxers=_MP4_DEMUXERS,
    mime="video/mp4",
    recording=_FRAGMENTS,
    longest_pause=_MP4_PAUSE,
    indexed=True,
    whole_times=True,
    keeps=_ALL,
    no_dispositions=frozenset(),
)
MOV = Container(
    name="mov",
    suffixes=(".mov",),
    muxer="mov",
    demuxers=_MP4_DEMUXERS,
    mime="video/quicktime",
    recording=_FRAGMENTS,
    longest_pause=_MP4_PAUSE,
    indexed=True,
    whole_times=True,
    keeps=_ALL,
    no_dispositions=frozenset(),
    transparent=("qtrle", "prores_ks"),
)
MKV = Container(
    name="mkv",
    suffixes=(".mkv",),
    muxer="matroska",
    demuxers=frozenset({"matroska", "webm"}),
    mime="video/x-matroska",
    recording={"cluster_time_limit": "1000", "flush_packets": "1"},
    unit=Fraction(1, 1000),
    whole_times=True,
    keeps=_ALL,
    no_dispositions=frozenset(),
    attachments=True,
    alpha_beside=True,
    transparent=("ffv1",),
    holds_ffv1=True,
)
WEBM = Container(
    name="webm",
    suffixes=(".webm",),
    muxer="webm",
    demuxers=MKV.demuxers,
    mime="video/webm",
    unit=MKV.unit,
    alpha_beside=True,
    codecs=frozenset({"vp8", "vp9", "av1", "vorbis", "opus"}),
    keeps=_ALL,
    no_dispositions=frozenset(),
)
TS = Container(
    name="ts",
    suffixes=(".ts", ".mts"),
    muxer="mpegts",
    demuxers=frozenset({"mpegts", "mpeg"}),
    mime="video/mp2t",
    recording={"flush_packets": "1"},
    keeps=frozenset({"languages"}),
    unit=Fraction(1, 90_000),
    names_codecs=False,
)
M2TS = Container(
    name="m2ts",
    suffixes=(".m2ts",),
    muxer="mpegts",
    demuxers=frozenset({"mpegts"}),
    mime="video/mp2t",
    options={"mpegts_m2ts_mode": "1"},  # FFmpeg goes by a file's name, which a trial hasn't
    unit=TS.unit,
    names_codecs=False,
)
AVI = Container(
    name="avi",
    suffixes=(".avi",),
    muxer="avi",
    demuxers=frozenset({"avi"}),
    mime="video/x-msvideo",
    # every stream begins at 0 there; else sound from before 0 would move the pictures by one
    options={"avoid_negative_ts": "disabled"},
    steady=True,
    transparent=("ffv1",),
    holds_ffv1=True,
)
GIF = Container(
    name="gif",
    suffixes=(".gif",),
    muxer="gif",
    demuxers=frozenset({"gif"}),
    mime="image/gif",
    unit=Fraction(1, 100),
    longest_pause=(1 << 16) - 1,
)
CONTAINERS = (MP4, MOV, MKV, WEBM, TS, M2TS, AVI, GIF)
"""All of them. FLV is left out: it counts in 1/1000 s and names few codecs."""

STILLS = {".png": "png", ".tif": "tiff", ".tiff": "tiff", ".jpg": "mjpeg", ".jpeg": "mjpeg"}
"""Codecs of still pictures, which are written as `stream.output.stills` does."""

_BY_SUFFIX = {suffix: container for container in CONTAINERS for suffix in container.suffixes}


def container_of(path: Path) -> Container:
    """Return the container that a file of this name is written as.

    Raises:
        UsageError: We write no such container.
    """
    suffix = path.suffix.lower()
    if str(path) == "-":
        raise UsageError("- is a pipe here, and what is written is read once more; name a file")
    if suffix in STILLS and "%" not in path.name:
        raise UsageError(
            f"{path} would be one picture; number them, as in {path.stem}_%04d{suffix}"
        )
    if suffix in STILLS:
        return MOV  # which holds them on their way, each in a packet of its own
    try:
        return _BY_SUFFIX[suffix]
    except KeyError:
        known = ", ".join(sorted(_BY_SUFFIX))
        raise UsageError(
            f"{path.name}: no container is known by '{path.suffix}'; use one of {known}"
        ) from None


def reordered_s(time_base: Fraction) -> Fraction:
    """Return by how many seconds MP4 can tell that a frame is shown later than it is decoded.

    It has 32 bits, of which FFmpeg 5.1 believes 28: beyond, it forgets the order of all.
    The muxer counts in the time base, or in a 2nd, 4th, ... of it, so that there are 10,000 units
    in a second at least.
    """
    units = time_base.denominator
    while units < _LEAST_UNITS:
        units *= 2
    return Fraction(1 << 28, units)


def of_muxer(name: str) -> Container:
    """Return the container that FFmpeg's muxer of this name writes."""
    return next(container for container in CONTAINERS if container.muxer == name)


def of_demuxer(names: str) -> Container | None:
    """Return the container that FFmpeg reads with this demuxer; of several the first.

    Args:
        names: FFmpeg's, such as ``matroska,webm``.
    """
    wanted = set(names.split(","))
    return next((one for one in CONTAINERS if wanted & one.demuxers), None)


def is_steady(demuxer: str) -> bool:
    """Return whether FFmpeg makes up the times of what it reads with this demuxer."""
    container = of_demuxer(demuxer)
    return container is not None and container.steady


def is_indexed(demuxer: str) -> bool:
    """Return whether a file read with this demuxer has an index of all pictures."""
    container = of_demuxer(demuxer)
    return container is not None and container.indexed


def mime_of(path: Path) -> str:
    """Return the media type of a file that we wrote."""
    return _BY_SUFFIX[path.suffix.lower()].mime


def recordings() -> dict[str, Container]:
    """Return the containers that play at every moment while they are written, by suffix."""
    return {suffix: one for suffix, one in _BY_SUFFIX.items() if one.recording is not None}


def table() -> str:
    """Return the table of ``docs/files.md``."""
    rows = [_HEADINGS, ("---",) * len(_HEADINGS), *map(_row, CONTAINERS)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


_HEADINGS = (
    *("", "file names", "times", "attachments", "transparency is looked for in", "recording"),
    "beside the streams",
)


def _row(one: Container) -> tuple[str, ...]:
    transparent = (*(("VP8, VP9",) if one.alpha_beside else ()), *one.transparent)
    return (
        one.name,
        " ".join(one.suffixes),
        _times(one),
        "yes" if one.attachments else "no",
        ", ".join(transparent) or "no codec",
        "no" if one.recording is None else "yes",
        ", ".join(sorted(one.keeps)) or "title and the like",
    )


def _times(container: Container) -> str:
    if container.steady:
        return "one rate"
    if container.unit is None:
        return "exact"
    return f"to {container.unit} s"


if __name__ == "__main__":
    print(table(), end="")
