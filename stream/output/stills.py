"""A finished video of still pictures, taken apart into numbered files."""

from __future__ import annotations

from pathlib import Path

import av

from stream.output.muxer import write_error
from stream.output.partial import real_place, sync
from stream.pyav import open_input
from stream.stills import Stills


def write_stills(video: Path, target: Stills, first: int) -> None:
    """Write every packet of ``video`` as a file; all are whole before the first gets its name.

    Raises:
        SinkError: The disk failed.
    """
    try:
        waiting = []
        with open_input(f"file:{video}") as container:
            packets = (packet for packet in container.demux(video=0) if packet.size)
            for number, packet in enumerate(packets, first):
                waiting.append((video.with_name(f"still{number}"), real_place(target.file(number))))
                waiting[-1][0].write_bytes(bytes(packet))
                sync(waiting[-1][0])
        for path, name in waiting:
            path.replace(name)
        written = {target.file(number) for number, _ in enumerate(waiting, first)}
        for name in set(target.files().values()) - written:
            name.unlink()  # of a longer sequence that this one takes the place of
        sync(target.pattern.parent)
    except (av.FFmpegError, OSError) as error:
        raise write_error(target.pattern, error) from error
