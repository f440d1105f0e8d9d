"""What a path is that is no video file, in words that a user can act on. Decodes nothing."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from stream.capture.boxes import read_moov, top_boxes
from stream.capture.matroska import count_segments
from stream.errors import OpenError

_HEAD = 4096  # bytes that tell what a file is
_LISTED = re.compile(rb"(\xef\xbb\xbf)?(ffconcat version|(#[^\n]*\n|\s)*file\s+\S)")
_ONCE = "it can be read only once, and a video is read several times; save it to a file first"
CONCAT = (
    "is a list for FFmpeg's concat, not a video; make one of it first: "
    "ffmpeg -f concat -safe 0 -i LIST -c copy joined.mkv"
)

GROWING = (
    "is a playlist without an end, of a live video or of a recording that was cut off; where "
    "nothing more comes, add the line #EXT-X-ENDLIST to it"
)


def require_file(path: Path) -> None:
    """Check that there is a file, which can be read more than once.

    Raises:
        OpenError: It is a folder, a pipe, a device, empty, or not there.
    """
    if str(path) == "-":
        raise OpenError(f"- is a pipe here: {_ONCE}")
    try:
        found = path.stat()
    except FileNotFoundError as error:
        raise OpenError(f"{path} does not exist; check the name") from error
    except OSError as error:
        raise OpenError(f"{path} may not be read ({error.strerror})") from error
    kind = stat.S_IFMT(found.st_mode)
    if kind == stat.S_IFDIR:
        raise OpenError(f"{path} is a folder; name a video file in it")
    if kind in (stat.S_IFIFO, stat.S_IFSOCK):
        raise OpenError(f"{path} is a pipe: {_ONCE}")
    if kind == stat.S_IFCHR:
        raise OpenError(f"{path} is a device, not a file; `deblur live` reads cameras")
    if kind == stat.S_IFREG and found.st_size == 0:
        raise OpenError(f"{path} is empty (0 bytes); record or copy it again")


def require_one_recording(path: Path) -> None:
    """Check that FFmpeg reads all of a file, and does not stop where another begins in it.

    Of MP4 and MOV it reads the first, of Matroska the first two.

    Raises:
        OpenError: It does not.
    """
    if not path.is_file():
        return
    kinds, segments = top_boxes(path), count_segments(path)
    films = kinds.count(b"ftyp") if b"moof" not in kinds and kinds.count(b"mdat") > 1 else 0
    for count, read in ((films, 1), (segments, 2)):
        if count > read:
            raise OpenError(
                f"{path} holds {count} recordings one behind the other, of which only the first "
                f"{f'{read} are' if read > 1 else 'is'} read; clean the recordings one by one"
            )


def other_kind(path: Path) -> str | None:
    """Return what a file is that FFmpeg does not take for a video, or None where that is unknown.

    Returns:
        The rest of a sentence that begins with the file's name.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        kinds = top_boxes(path)
    except OSError:
        return None
    if _LISTED.match(head):
        return CONCAT
    if head.lstrip().startswith(b"#EXTM3U") or b"<MPD" in head:
        return "is a playlist whose pieces cannot be read; make a video of them first with ffmpeg"
    if kinds[:1] in ([b"styp"], [b"moof"], [b"sidx"]) and b"moov" not in kinds:
        return "is a piece of a video; join it first behind the piece that begins it (init.mp4)"
    return None


def without_frames(path: Path) -> str:
    """Return why what FFmpeg opens shows not one frame, as the rest of such a sentence."""
    unknown = "shows not one frame that can be decoded; the file is damaged"
    if not path.is_file():  # numbered stills
        return unknown
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP" and b"ANIM" in head:
        return "is an animated WebP, which FFmpeg does not decode; convert it to GIF or MP4 first"
    film = read_moov(path)
    in_pieces = film is not None and any(box.kind == b"mvex" for box in film.children)
    if in_pieces and b"moof" not in top_boxes(path):
        return "is the beginning of a video that comes in pieces; join it with those behind it"
    return unknown
