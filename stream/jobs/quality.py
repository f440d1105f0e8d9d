"""How well a video is encoded anew: as well as looks the same, but not finer than its source.

A coarse source has nothing that a fine quantiser could keep, only its own noise. So a few of its
frames are encoded on trial; where they take more bytes than they take in the source, the quality
goes down by what that needs. A source without loss stays without.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from stream.capture.container import open_container, packets_of
from stream.capture.file import FileSource
from stream.capture.lossless import is_lossless
from stream.containers import of_muxer
from stream.errors import SourceError
from stream.jobs.plan import Plan
from stream.output.codecs import Known, coarser, of_encoder
from stream.output.encoding import Encoding, joined, refusal
from stream.output.file import VideoWriter

_FRAMES = 32
"""How many are tried: of 1080p they take about a second."""

_MORE = 1.1
"""How many times its source's bytes a trial may take."""

_UNIT = Fraction(1, 25)  # seconds of a frame on trial, whatever its own time


def following(source: Path, plan: Plan) -> Encoding:
    """Return the plan's encoding with the quality that the source is worth.

    Raises:
        DeblurError: The source cannot be opened, or the encoder fails.
    """
    encoding = plan.encoding
    known = of_encoder(encoding.encoder)
    if known is None:
        return encoding
    if known.codec == plan.info.codec and known.lossless and is_lossless(source):
        kept = {name: value for name, value in encoding.flags.items() if name != known.crf_flag}
        exact = replace(encoding, flags=joined(kept, known.lossless))
        return exact if refusal(plan.output, exact, plan.format_name) is None else encoding
    if not known.coarsest:
        return encoding
    try:
        halvings = _halvings(source, plan, known)
    except SourceError:  # whatever it is, the job itself says where
        return encoding
    return replace(encoding, flags=coarser(known, encoding.flags, halvings))


def _halvings(source: Path, plan: Plan, known: Known) -> float:
    """How often the bytes of an encode have to be halved until they are as many as wanted."""
    wanted = math.log2(_ratio(source, plan, plan.encoding) / _MORE)
    if wanted <= 0:
        return 0.0
    flags = coarser(known, plan.encoding.flags, wanted)
    left = math.log2(_ratio(source, plan, replace(plan.encoding, flags=flags)) / _MORE)
    # contents and encoders differ in how much a step saves
    return wanted * min(2.0, wanted / (wanted - left)) if wanted > left else wanted


def _ratio(source: Path, plan: Plan, encoding: Encoding) -> float:
    """Bytes of some frames in this encoding, over those of their packets in the source."""
    before = 0
    with _from_the_middle(source) as video, tempfile.TemporaryDirectory() as folder:
        info = replace(video.info, time_base=_UNIT, start_pts=0, frame_rate=1 / _UNIT)
        path = Path(folder) / "trial"
        writer = VideoWriter(path, container=of_muxer(plan.format_name), encoding=encoding)
        try:
            writer.open(info)
            for number, frame in enumerate(itertools.islice(video.frames(), _FRAMES)):
                writer.write(frame.replace(pts=number, time_base=_UNIT, duration=1))
                before += video.packet_size
            writer.finish()
        finally:
            writer.abort()
        with open_container(path) as made:
            packets = packets_of(made, [made.streams.video[0]], lambda: None)
            return sum(packet.size for packet in packets) / max(1, before)


@contextlib.contextmanager
def _from_the_middle(source: Path) -> Iterator[FileSource]:
    """The frames from a keyframe on; any place will do, so a search need not be exact."""
    video = FileSource(source)
    try:
        if video.info.duration_s:
            middle = round(Fraction(video.info.duration_s) / 2 / video.info.time_base)
            video.search(video.info.start_pts + middle)
    except SourceError:
        video.close()
        video = FileSource(source)
    with contextlib.closing(video):
        yield video
