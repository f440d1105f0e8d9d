"""What flashes and beeps of `sender.py` show of a recording: whether both are in step."""

import contextlib
import itertools

import av
import numpy as np

_BLOCK = 240  # samples, 5 ms


def pictures_of(path, **options):
    """Seconds and mean luma of every picture."""
    with av.open(str(path), **options) as container:
        return [(f.time, f.to_ndarray(format="gray").mean()) for f in container.decode(video=0)]


def flashes(path):
    """When each flash begins, in seconds."""
    pictures = pictures_of(path)
    level = np.median([value for _, value in pictures]) + 40
    return [
        at for (_, before), (at, value) in itertools.pairwise(pictures) if before < level <= value
    ]


def beeps(path):
    """When each beep begins, in seconds, and when the sound ends."""
    times, loudness = [], []
    with av.open(str(path)) as container:
        for frame in _heard(container):
            wave = frame.to_ndarray()
            scale = 1 if wave.dtype.kind == "f" else np.iinfo(wave.dtype).max
            samples = wave[0] / scale  # one channel
            for begin in range(0, len(samples), _BLOCK):
                block = samples[begin : begin + _BLOCK]
                times.append(frame.time + begin / frame.sample_rate)
                loudness.append(np.abs(block).max())
    loud = np.array(loudness) > 0.3
    onsets = [
        times[i] for i in range(1, len(loud)) if loud[i] and not loud[max(0, i - 20) : i].any()
    ]
    return onsets, times[-1]


def _heard(container):
    for packet in container.demux(audio=0):
        with contextlib.suppress(av.FFmpegError):  # damaged on its way to us
            yield from packet.decode()


def offsets(path):
    """How much later each beep is than its flash, in seconds."""
    shown, heard = flashes(path), beeps(path)[0]
    return [min((beep - at for beep in heard), key=abs) for at in shown]
