"""Recipes of over a hundred odd files for the tools of the system: ffmpeg and mkvmerge."""

from __future__ import annotations

import itertools
import math
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TOOLS = ("ffmpeg", "ffprobe", "mkvmerge")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]

_H264 = "-c:v libx264 -preset ultrafast"
_DECODE = "-map 0:v -map 0:a? -fps_mode passthrough -enc_time_base 1/90000 -f null -"
_B = f"{_H264} -bf 3 -b_strategy 0 -g 12"
_HEVC = "-c:v libx265 -preset ultrafast -x265-params log-level=none"
_VP9 = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8"
_VP8 = "-c:v libvpx -deadline realtime -cpu-used 8"

# container, its suffix: each with each of its codecs, with and without the sound named
CODECS = {
    ".mp4": [(_B, "aac"), (_HEVC, "ac3"), ("-c:v mpeg4", "libmp3lame"), (_VP9, "libopus")],
    ".mov": [("-c:v prores_ks", "pcm_s24le"), (_B, "aac"), ("-c:v mjpeg", "pcm_s16be")],
    ".mkv": [(_B, "flac"), (_HEVC, "libopus"), (_VP8, "libvorbis"), ("-c:v ffv1", "pcm_s16le")],
    ".webm": [(_VP8, "libvorbis"), (_VP9, "libopus")],
    ".ts": [(_B, "aac"), (_HEVC, "mp2"), ("-c:v mpeg2video -bf 2", "ac3")],
    ".avi": [("-c:v mpeg4", "libmp3lame"), ("-c:v huffyuv", "pcm_s16le"), ("-c:v mjpeg", "ac3")],
    ".flv": [(_B, "aac"), ("-c:v flv1", "libmp3lame")],
    ".mpg": [("-c:v mpeg1video", "mp2"), ("-c:v mpeg2video -bf 2", "mp2")],
    ".vob": [("-c:v mpeg2video -bf 2", "ac3")],
    ".mxf": [("-c:v mpeg2video -bf 2", "pcm_s16le")],
    ".nut": [(_B, "flac"), ("-c:v ffv1", "pcm_s16le")],
    ".wmv": [("-c:v wmv2", "wmav2"), ("-c:v msmpeg4v3", "libmp3lame")],
    ".ogv": [("-c:v libtheora", "libvorbis")],
    ".f4v": [(_B, "aac")],
}
# what else may be asked of H.264 with reordered frames, by name
OPTIONS = {
    "late": "-output_ts_offset 7.3",
    "hours": "-output_ts_offset 40000",
    "uneven": "-vf setpts=PTS+mod(N\\,3)*0.01/TB -vsync 0",
    "slow": "-vf setpts=PTS*40 -vsync 0",
    "fast": "-vf setpts=PTS/8,fps=200",
    "turned": "-metadata:s:v rotate=90",
    "wide": "-aspect 16:9",
    "odd size": "-vf scale=63:47 -pix_fmt yuv444p",
    "10 bit": "-pix_fmt yuv420p10le",
    "4:2:2": "-pix_fmt yuv422p",
    "full range": "-pix_fmt yuvj420p",
    "BT.2020": "-color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc",
    "interlaced": "-flags +ilme+ildct -x264opts tff=1",
    "open GOP": "-x264opts open_gop=1:keyint=5",
    "intra refresh": "-x264opts intra-refresh=1",
    "one keyframe": "-g 999",
    "tags": "-metadata title=T -metadata comment=C -metadata:s:v language=fin",
}
_SUFFIXES = (".mp4", ".mkv", ".ts")
MP4 = {
    "before 0": "-output_ts_offset -0.2 -avoid_negative_ts disabled",
    "fragments": "-movflags frag_keyframe+empty_moov",
    "index in front": "-movflags faststart",
    "no edit list": "-use_editlist 0",
    "fine clock": "-video_track_timescale 1000000",
    "coarse clock": "-video_track_timescale 50",
    "timecode": "-timecode 10:00:00:00",
    "tags of any name": "-movflags use_metadata_tags -metadata mine=this",
}
# of a Matroska file with H.264 and FLAC
MKVMERGE = {
    "sync": "--sync 0:300",
    "sync before": "--sync 1:-200",
    "default duration": "--default-duration 0:50fps",
    "crop": "--cropping 0:2,2,4,4",
    "compressed": "--compression 0:zlib --compression 1:zlib",
    "fine timestamps": "--timestamp-scale 10000",
    "coarse timestamps": "--timestamp-scale 10000000",
    "no cues": "--cues 0:none",
    "all cues": "--cues 0:all --cues 1:all",
    "no simple blocks": "--engage no_simpleblocks",
    "no lacing": "--disable-lacing",
    "stereo": "--stereo-mode 0:side_by_side_left_first",
    "shape": "--display-dimensions 0:128x48",
    "not default": "--default-track-flag 0:no --default-track-flag 1:no",
    "languages": "--language 0:pt-BR --language 1:zh-Hant",
    "short clusters": "--cluster-length 1",
    "hidden colours": "--colour-matrix-coefficients 0:1 --colour-range 0:1",
}


@dataclass(frozen=True)
class Recipe:
    """One file: its name says what is odd; ``merge`` is what mkvmerge makes of ffmpeg's file."""

    name: str
    suffix: str
    options: str
    sound: str = ""
    merge: str = ""

    def make(self, folder: Path) -> Path:
        """Make the file in a folder, and return its path."""
        path = folder / f"in{self.suffix}"
        first = folder / "first.mkv" if self.merge else path
        sound = f"-f lavfi -i sine=d=0.8 -c:a {self.sound} -ac 1 -ar 48000" if self.sound else ""
        inputs, codec = sound.partition(" -c:a")[0], sound.partition(" -c:a")[2]
        _run(
            *["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.8"],
            *inputs.split(),
            *(f"-c:a{codec}".split() if codec else ()),
            *("-pix_fmt", "yuv420p") * ("-pix_fmt" not in self.options + self._fixed),
            *self.options.split(),
            str(first),
        )
        if self.merge:
            _run("mkvmerge", "-q", "-o", str(path), *self.merge.split(), str(first))
        return path

    @property
    def _fixed(self) -> str:
        """Words that stand for a pixel format which the codec chooses itself."""
        chooses = ("prores_ks", "mjpeg", "huffyuv")
        return "-pix_fmt" if any(word in self.options for word in chooses) else ""


def recipes() -> Iterator[Recipe]:
    """Give all of them."""
    for suffix, codecs in CODECS.items():
        for (codec, sound), heard in itertools.product(codecs, (True, False)):
            kind = codec.split()[1]
            name = f"{suffix} {kind}" + f" {sound}" * heard
            yield Recipe(name, suffix, codec, sound * heard)
    for suffix, (name, options) in itertools.product(_SUFFIXES, OPTIONS.items()):
        yield Recipe(f"{suffix} {name}", suffix, f"{_B} {options}", "aac")
    for name, options in MP4.items():
        yield Recipe(f"mp4, {name}", ".mp4", f"{_B} {options}", "aac")
    for name, options in MKVMERGE.items():
        yield Recipe(f"mkvmerge, {name}", ".mkv", _B, "flac", options)


def _run(*command: str) -> str:
    return subprocess.run(
        command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL
    ).stdout


def shown(path: Path, stream: str = "v:0") -> list[float]:
    """Return the seconds at which ffprobe shows each frame, and NaN where it does not know."""
    text = _run(
        *f"ffprobe -v error -select_streams {stream} -show_entries".split(),
        *["frame=best_effort_timestamp_time", "-of", "csv=p=0"],
        str(path),
    )
    found = [line.strip(",") for line in text.splitlines() if line.strip(",")]
    return [math.nan if time == "N/A" else float(time) for time in found]


def sounds(path: Path) -> int:
    """Return how many packets of sound are heard: those that no edit list hides."""
    text = _run(
        *[
            "ffprobe",
            "-v",
            "error",
            "-select_streams",
            "a:0",
            "-show_entries",
            "packet=flags",
            "-of",
            "csv=p=0",
        ],
        str(path),
    )
    return sum("D" not in line for line in text.split())


def complaints(path: Path) -> str:
    """Return what ffmpeg says of a file while it decodes it, and mkvmerge of Matroska."""
    said = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", path, *["-map", "0:v", "-map", "0:a?", "-f", "null", "-"]],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    ).stderr
    if path.suffix == ".mkv":
        told = subprocess.run(
            ["mkvmerge", "-J", str(path)], capture_output=True, text=True, check=False
        )
        said += told.stdout if told.returncode else ""
    return said
