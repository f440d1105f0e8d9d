"""The one rate of a video, if it has one, as AVI demands it and Matroska likes to be told."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

from stream.capture.container import open_container, packets_of
from stream.capture.film import picture_stream
from stream.capture.parts import Parts
from stream.containers import is_steady
from stream.errors import SinkError
from stream.pyav import exact

_USUAL = [Fraction(rate) for rate in (12, 15, 24, 25, 30, 48, 50, 60, 100, 120, 240)]
_USUAL += [rate * Fraction(1000, 1001) for rate in _USUAL if rate in (24, 30, 48, 60, 120, 240)]
_ROUNDED_S = 0.0011  # by which times in 1/1000 s may be off


def steady_rate(path: Path) -> Fraction:
    """The rate on whose grid every picture of a file lies, though not each place has one.

    Raises:
        SinkError: There is none, or another stream begins at another time: AVI would move it.
        OpenError: See `open_container`.
    """
    with open_container(path) as container:
        video = picture_stream(container, path)
        unit = exact(video.time_base) or Fraction(1)
        made_up = is_steady(container.format.name)  # see FileSource
        times = []
        parts = Parts(container, video)
        for packet in packets_of(container, [video], lambda: None):
            parts.move(packet)
            time = packet.dts if made_up or packet.pts is None else packet.pts
            if time is not None:
                times.append(time * unit)
        times.sort()
        starts = [
            (other.start_time or 0) * (exact(other.time_base) or unit)
            for other in container.streams.audio
        ]
        candidates = [exact(video.guessed_rate), exact(video.average_rate), *_near(times)]
    rate = next((one for one in candidates if one and _fits(times, one, unit)), None)
    if rate is None:
        raise SinkError(
            f"{path}: its frame rate varies, which AVI cannot tell; name the output .mkv"
        )
    for start in starts:
        apart = abs(start - times[0]) if times else 0
        if apart > 2 / rate:
            raise SinkError(
                f"{path}: sound and pictures begin {float(apart):.2f} s apart, which AVI cannot "
                "tell; name the output .mkv"
            )
    return rate


def even_rate(times: Iterable[Fraction], stated: Fraction | None) -> Fraction | None:
    """Return the rate at which frames follow each other without a gap, or None.

    Args:
        times: Seconds at which frames are shown, in order, exact to 1/1000 s.
        stated: What the source's container says of it.
    """
    shown = array("d", map(float, times))
    candidates = [stated, *_near([Fraction(shown[0]), Fraction(shown[-1])], len(shown))]
    # FFmpeg's ratios have 32 bits, and those of measured times are longer
    exact_enough = (rate.limit_denominator(1_000_000) for rate in candidates if rate)
    return next((rate for rate in exact_enough if rate and _is_even(shown, float(rate))), None)


def _is_even(times: Sequence[float], rate: float) -> bool:
    begin = times[0]
    return all(abs(time - begin - place / rate) <= _ROUNDED_S for place, time in enumerate(times))


def _near(times: Sequence[Fraction], count: int = 0) -> list[Fraction]:
    """Usual rates by their distance from the measured one, and that one itself."""
    length = times[-1] - times[0] if times else Fraction(0)
    if not length:
        return []
    measured = ((count or len(times)) - 1) / length
    return [*sorted(_USUAL, key=lambda rate: abs(rate - measured)), measured]


def _fits(times: Sequence[Fraction], rate: Fraction, unit: Fraction) -> bool:
    """Whether all times are multiples of a picture's, as exactly as their unit can tell."""
    places = [(time - times[0]) * rate for time in times]
    return all(abs(place - round(place)) <= min(unit * rate, Fraction(1, 4)) for place in places)
