"""How much a client may ask of the server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What is beyond is refused with one line that names the limit.

    Attributes:
        sessions: Cameras at the same time.
        live_pixels: Width times height of a camera's picture.
        idle_s: Without a frame for so long a session ends; also the time it has to connect.
        jobs: Uploaded videos at the same time, finished ones that wait for their download included.
        upload_bytes: Of one video.
        upload_s: Seconds that one upload may take.
        upload_idle_s: Seconds within which `UPLOAD_STEP` bytes more have to come.
        video_pixels: Width times height of a recorded video; of every picture in it, whatever its
            header says.
        video_s: Its length in seconds.
        work_s: Seconds that cleaning one video may take.
        keep_s: Seconds after which a finished video is deleted.
    """

    sessions: int = 4
    live_pixels: int = 1920 * 1088
    idle_s: float = 30.0
    jobs: int = 16
    upload_bytes: int = 1 << 30
    upload_s: float = 900.0
    upload_idle_s: float = 20.0
    video_pixels: int = 4096 * 2304
    video_s: float = 600.0
    work_s: float = 4 * 3600.0
    keep_s: float = 1800.0

    @property
    def video_frames(self) -> int:
        """So many frames are never in a video of `video_s`, whatever its header says."""
        return round(self.video_s * 240)


UPLOAD_STEP = 1 << 16
"""Bytes: who sends less within `Limits.upload_idle_s` only holds a place."""
