"""Damaged videos by the thousand, the same ones every time, and a process that cleans them."""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from multiprocessing.connection import Connection
from pathlib import Path

import av
import numpy as np
from clips import Clip, make_clip, packet
from edit_lists import edited
from fakes import FakeProcessor
from odd_stills import CHUNKS, jpeg, still

from stream.errors import DeblurError
from stream.jobs import CleanOptions, clean_file

_SMALL = {"width": 64, "height": 48, "frames": 16}
_BY_FRAME = {"time_base": Fraction(1, 25), "gaps": (1,), "options": ()}
ORIGINALS = {
    "mp4, h264, aac": Clip(".mp4", audio="aac", subtitle="mov_text", chapters=True, **_SMALL),
    "mkv, h264, flac": Clip(
        *(".mkv", "libx264"),
        audio="flac",
        subtitle="subrip",
        attachment=True,
        chapters=True,
        metadata=(("title", "Äänitys"),),
        **_SMALL,
    ),
    "ts, h264, mp2": Clip(".ts", audio="mp2", **_SMALL),
    "mp4, hevc": Clip(
        *(".mp4", "libx265"),
        pixel_format="yuv420p10le",
        options=(("preset", "ultrafast"), ("x265-params", "log-level=none")),
        **_SMALL,
    ),
    "webm, vp9, opus": Clip(".webm", "libvpx-vp9", audio="libopus", options=(), **_SMALL),
    "mp4, av1": Clip(".mp4", "libsvtav1", options=(("preset", "12"),), **_SMALL),
    "mov, prores, pcm": Clip(
        *(".mov", "prores_ks"),
        pixel_format="yuv422p10le",
        audio="pcm_s16le",
        options=(),
        **_SMALL,
    ),
    "mkv, ffv1": Clip(".mkv", "ffv1", options=(("slicecrc", "1"),), **_SMALL),
    "avi, mpeg4, ac3": Clip(".avi", "mpeg4", audio="ac3", **_BY_FRAME, **_SMALL),
    "ts, mpeg2, mp2": Clip(".ts", "mpeg2video", audio="mp2", **_BY_FRAME, **_SMALL),
}
"""Containers and codecs, by name."""


def _trimmed(folder: Path) -> bytes:
    """Two parts of a second, the first one's beginning cut away."""
    make_clip(folder / "whole.mp4", Clip(".mp4", audio="aac", **{**_SMALL, "frames": 40}))
    edits = (Fraction(1, 4), Fraction(3, 4)), (Fraction(1), Fraction(3, 2))
    return edited(folder / "whole.mp4", folder / "trimmed.mp4", *edits).read_bytes()


def _profiled(folder: Path) -> bytes:
    """A video of PNG with all that a still picture may bring along."""
    with av.open(str(folder / "stills.mov"), "w") as container:
        video = container.add_mux_stream("png", rate=25, width=34, height=22)
        for index in range(8):
            container.mux(packet(video, still(*CHUNKS, index=index), 40 * index, 40))
    return (folder / "stills.mov").read_bytes()


MADE: dict[str, tuple[str, Callable[[Path], bytes]]] = {
    "mp4, edit lists": (".mp4", _trimmed),
    "mov, png, icc, exif, hdr": (".mov", _profiled),
    "png, icc, exif": (".png", lambda folder: still("ICC profile", "EXIF")),
    "jpeg, exif": (".jpg", lambda folder: jpeg()),
}
"""Files that PyAV's muxers do not write: their suffix, and what makes them in a folder."""

NAMES = (*ORIGINALS, *MADE)


def original(name: str, clip: Callable[[Clip], Path], folder: Path) -> bytes:
    """A whole file's bytes."""
    return clip(ORIGINALS[name]).read_bytes() if name in ORIGINALS else MADE[name][1](folder)


_SEGMENTED = CleanOptions(segment_s=Fraction(1, 4))

KINDS = ("bits flipped", "end cut off", "header of another", "range zeroed", "range missing")


@dataclass(frozen=True)
class Mutation:
    """One damaged file: what it was made from, how, and the seed of the details."""

    original: str
    kind: str
    seed: int

    @property
    def names(self) -> tuple[str, str]:
        """Of the file, and of the output: in the same container where we write it, or Matroska."""
        spec = ORIGINALS.get(self.original)
        suffix = spec.suffix if spec else MADE[self.original][0]
        other = self.seed % 2 or suffix in (".avi", ".png", ".jpg")
        return f"in{suffix}", "out.mkv" if other else f"out{suffix}"

    def made_from(self, originals: dict[str, bytes]) -> bytes:
        """The damaged file's bytes."""
        number = (NAMES.index(self.original), KINDS.index(self.kind), self.seed)
        rng = np.random.default_rng(number)
        raw = bytearray(originals[self.original])
        start = int(rng.integers(len(raw)))
        length = int(2 ** rng.uniform(0, np.log2(len(raw) / 4)))
        if self.kind == "bits flipped":
            for place in _places(rng, len(raw)):
                raw[place] ^= 1 << int(rng.integers(8))
        elif self.kind == "end cut off":
            del raw[start:]
        elif self.kind == "header of another":
            others = [name for name in originals if name != self.original]
            other = originals[others[int(rng.integers(len(others)))]]
            raw[:length] = other[:length]
        elif self.kind == "range zeroed":
            raw[start : start + length] = bytes(len(raw[start : start + length]))
        else:
            del raw[start : start + length]
        return bytes(raw)


def _places(rng: np.random.Generator, size: int) -> Iterator[int]:
    """Of 1 to 64 bytes: anywhere, or where the header or the index lies."""
    near = min(size, 2048)
    first = int(rng.choice([0, 0, size - near]))
    reach = size if rng.random() < 0.5 else near
    for _ in range(int(2 ** rng.uniform(0, 6))):
        yield (first + int(rng.integers(reach))) % size


@dataclass(frozen=True)
class Verdict:
    """What became of one file: "cleaned", "mended", "refused", "traceback", "crash" or "hang"."""

    word: str
    details: str = ""
    frames: int = 0


class Cleaner:
    """Cleans files in another process, which is replaced when it dies or hangs; a context.

    Args:
        limit_s: Seconds after which a file counts as one that hangs.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._context = multiprocessing.get_context("spawn")
        self._start()

    def __enter__(self) -> Cleaner:
        return self

    def __exit__(self, *error: object) -> None:
        self._stop()

    def clean(self, source: Path, target: Path) -> Verdict:
        """Clean one file and say what came of it."""
        self._connection.send((source, target))
        try:
            if self._connection.poll(self._limit_s):
                return self._connection.recv()
            verdict = Verdict("hang", f"after {self._limit_s} s")
        except EOFError:
            self._process.join()
            verdict = Verdict("crash", f"exit code {self._process.exitcode}")
        self._stop()
        self._start()
        return verdict

    def _start(self) -> None:
        self._connection, theirs = self._context.Pipe()
        self._process = self._context.Process(target=_work, args=(theirs,))
        self._process.start()
        theirs.close()

    def _stop(self) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()


def _work(connection: Connection) -> None:
    while True:
        source, target = connection.recv()
        try:
            stats = clean_file(source, target, FakeProcessor(), _SEGMENTED).stats
        except DeblurError as error:
            lines = str(error).splitlines()
            word = "refused" if len(lines) == 1 else "traceback"
            connection.send(Verdict(word, f"{type(error).__name__}: {error}"))
        except Exception:
            connection.send(Verdict("traceback", traceback.format_exc()))
        else:
            told = stats.decode_failures or stats.frames_missing
            word = "mended" if told else "cleaned"
            connection.send(Verdict(word, frames=stats.frames_out))
