"""Sound that is encoded as it comes, by its samples."""

import io
from fractions import Fraction

import av
import numpy as np
import pytest

from stream.output.live_sound import sound_writer
from stream.sound import SoundFormat, SoundPacket

QUIET, LOUD = 3000, 20000


def pcm(rate):
    """The format of samples of 16 bits."""
    file = io.BytesIO()
    with av.open(file, "w", format="nut") as container:
        stream = container.add_stream("pcm_s16le", rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 100), np.int16), layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        container.mux(stream.encode(frame))
    return SoundFormat("pcm_s16le", rate, 1, b"", file.getvalue())


def packets(sound, start_s, level):
    """Some 0.4 s of a tone."""
    length = sound.rate // 40
    for index in range(16):
        wave = level * np.sin(np.arange(length) * 2 * np.pi * 400 / sound.rate)
        data = wave.astype(np.int16).tobytes()
        at = Fraction(start_s) + Fraction(index * length, sound.rate)
        yield SoundPacket(data, at, Fraction(length, sound.rate), sound)


@pytest.mark.parametrize("rate", [48_000, 44_100, 8_000])
def test_what_comes_behind_a_pause_is_not_heard_before_it(rate, tmp_path):
    path, first, then = tmp_path / "a.mkv", pcm(48_000), pcm(rate)
    with av.open(str(path), "w") as container:
        writer = sound_writer(container, first, frozenset())
        for packet in (*packets(first, 0, QUIET), *packets(then, 3, LOUD)):
            assert writer.takes(packet.format)
            for ready in writer.write(packet, packet.start_s):
                container.mux(ready)
        for ready in writer.finish():
            container.mux(ready)
        writer.close()
    with av.open(str(path)) as container:
        heard = [(f.time, np.abs(f.to_ndarray()).max()) for f in container.decode(audio=0)]
    middle = (QUIET + LOUD) / 2 / (1 << 15)
    loud = [at for at, peak in heard if peak > middle]
    assert min(loud) == pytest.approx(3, abs=1024 / 48_000)
    assert max(at for at, _ in heard if at < 2) == pytest.approx(0.4, abs=2 * 1024 / 48_000)
