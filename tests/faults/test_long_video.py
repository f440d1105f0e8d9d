"""Two hours of video: sound and picture end together, and memory stays flat."""

import hashlib
from fractions import Fraction

import av
import numpy as np
import pytest
from clips import Clip, picture
from fakes import FakeProcessor

from stream.bench.timing import resident_mib
from stream.jobs import CleanOptions, clean_file
from stream.output.encoder import EncoderOptions

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
]

RATE = Fraction(24000, 1001)
LENGTH_S = 7200
FRAMES = round(LENGTH_S * RATE)
SAMPLE_RATE = 16_000
WARM = FRAMES // 10


def make_two_hours(path):
    """64x48 pixels at a rate at which every rounding of time would add up; mono sound."""
    spec = Clip(width=64, height=48, time_base=1 / RATE, gaps=(1,), frames=48)
    with av.open(str(path), "w", options={"movie_timescale": "24000"}) as container:
        options = {"preset": "ultrafast", "g": "48"}
        video = container.add_stream("libx264", rate=RATE, options=options)
        video.width, video.height, video.pix_fmt = spec.width, spec.height, spec.pixel_format
        audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        container.start_encoding()
        pictures = [picture(spec, index, index) for index in range(spec.frames)]
        wave = np.sin(np.arange(1024) * 0.05).astype(np.float32)[None]
        samples = 0
        for index in range(FRAMES):
            made = pictures[index % len(pictures)]
            made.pts = index
            container.mux(video.encode(made))
            while samples * RATE < (index + 1) * SAMPLE_RATE:
                sound = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
                sound.sample_rate, sound.pts = SAMPLE_RATE, samples
                sound.time_base = Fraction(1, SAMPLE_RATE)
                container.mux(audio.encode(sound))
                samples += 1024
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


def ends(path):
    """Per stream: when its last packet is shown, how many there are, and a hash of all times."""
    last, count, times = {}, {}, {}
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.size:
                kind = packet.stream.type
                shown = packet.pts * packet.time_base
                last[kind] = max(last.get(kind, shown), shown)
                count[kind] = count.get(kind, 0) + 1
                raw = bytes(packet) if kind == "audio" else b""
                text = f"{shown} {hashlib.sha256(raw).hexdigest()}"
                times.setdefault(kind, []).append(text)
    hashes = {
        kind: hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest()
        for kind, found in times.items()
    }
    return last, count, hashes


def test_after_two_hours_sound_and_picture_are_in_step_and_memory_is_flat(tmp_path):
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    make_two_hours(source)
    sizes = {}

    def sample(stats):
        if stats.frames_out % (FRAMES // 20) == 0:
            sizes[stats.frames_out] = resident_mib()

    options = CleanOptions(EncoderOptions(preset="ultrafast"))
    result = clean_file(source, target, FakeProcessor(), options, sample)
    after = resident_mib()
    assert result.stats.frames_out == FRAMES
    before, now = ends(source), ends(target)
    drift = (now[0]["video"] - now[0]["audio"]) - (before[0]["video"] - before[0]["audio"])
    print({frames: f"{size:.1f} MiB" for frames, size in sizes.items()})
    print(f"after the join {after:.1f} MiB; {result.stats.fps:.0f} fps; drift {float(drift)} s")
    print(now[:2])
    assert abs(drift) < 1 / RATE
    assert now == before
    warm = [size for frames, size in sizes.items() if frames >= WARM]
    assert max(warm) <= 1.05 * warm[0]
