"""The sound of a file that is played at its own pace, read beside its frames."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from pathlib import Path

from stream.capture.container import open_container, packets_of
from stream.capture.film import picture_stream
from stream.capture.heard import Heard, stream_of
from stream.errors import SourceError
from stream.sound import SoundTrack

_AHEAD_S = Fraction(1)  # of the frames; files interleave more coarsely than networks


class FileSound:
    """Hands the sound of one file to a track, as far as its frames have come.

    Args:
        path: The file, which is opened once more.
        track: Is given the sound, in the file's own time.

    Raises:
        OpenError: The file cannot be opened any more.
    """

    def __init__(self, path: Path, track: SoundTrack) -> None:
        self._track = track
        self._container = open_container(path)
        stream = stream_of(self._container, picture_stream(self._container, path))
        self._heard = Heard(stream) if stream else None
        self._packets = packets_of(self._container, [stream] if stream else [], lambda: None)
        self._read_s = Fraction(-(10**9))
        while self._heard and self._heard.format is None and self._read():
            pass
        track.format = self._heard.format if self._heard else None

    def read_to(self, shown_s: Fraction) -> None:
        """Hand on what is heard up to a second behind the frame that is shown at this moment."""
        while self._heard and self._read_s < shown_s + _AHEAD_S and self._read():
            for packet in self._heard.take():
                self._read_s = packet.start_s
                self._track.put(packet)

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _read(self) -> bool:
        """Read one packet; False at the end."""
        if self._heard is None:
            return False
        with contextlib.suppress(SourceError):  # the frames beside it say what is wrong
            packet = next(self._packets, None)
            if packet is not None:
                self._heard.add(packet)
                return True
        self._heard = None
        return False
