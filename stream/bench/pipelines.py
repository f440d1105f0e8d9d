"""(c), (d), (e): the whole pipeline, with different ends, live, over streams and over time."""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

from models.runtimes import available_cores
from stream.bench.runner import Runner
from stream.bench.timing import resident_mib, rounds
from stream.capture.file import FileSource
from stream.capture.realtime import RealtimeSource
from stream.capture.synthetic import SyntheticSource
from stream.frame import Frame
from stream.inference.deblurrer import Deblurrer
from stream.jobs import CleanOptions, WorkerPool, clean_file
from stream.output.file import VideoWriter
from stream.output.null import NullSink
from stream.pipeline import Pipeline
from stream.stages import Processor
from stream.stats import RunStats

RATE = Fraction(30)
TURN = 30
"""Frames of a case before the next one has its turn: so the load of others falls on all alike."""

LIVE_LOAD = 0.8
"""Frames of the live run per frame that the pipeline can do."""


def measure_pipelines(
    deblurrer: Deblurrer, cleaner: Processor | WorkerPool, width: int, height: int, frames: int
) -> tuple[RunStats, dict[str, Any]]:
    """The model alone, then pipelines, in turns of `TURN` frames.

    These are null ends; a decoder; a decoder and an encoder; and a recorded video as `deblur clean`
    does it, whose ``cleaner`` has as many frames for each of its processors, in a segment of its
    own. There the frames of the burn-in count, of which a real segment has few.

    Returns the statistics of null ends, and for each pipeline, of its turn of median rate, the
    frames per second, the share of the time that the model was at work, the time per stage and the
    cores that were busy. Medians over all turns are `share_of_model`, of the rate over that of the
    model alone in the same turn, and where there is an encoder `share_of_cores`, of the rate over
    what all cores would do if they never waited: they share the processor time of the decoder and
    of the encoder, and have the model's own time, of ``deblurrer``, to themselves.
    """
    count = max(1, round(frames / TURN))
    turns = [_turn(deblurrer, cleaner, width, height, -(-frames // count)) for _ in range(count)]
    cases = {name: _median([turn[name] for turn in turns]) for name in turns[0]}
    report = {name: values for name, (_, values) in cases.items()}
    for name, values in report.items():
        for share in ("share_of_model", "share_of_cores"):
            if share in values:
                shares = [turn[name][1][share] for turn in turns]
                values[share] = round(statistics.median(shares), 3)
    return cases["null"][0], report


def _turn(
    deblurrer: Deblurrer, cleaner: Processor | WorkerPool, width: int, height: int, frames: int
) -> dict[str, tuple[RunStats, dict[str, Any]]]:
    source = SyntheticSource(width, height, frames, RATE)
    alone_s = _model_alone_s(deblurrer, width, height, frames)
    with tempfile.TemporaryDirectory(prefix="deblur-bench-") as folder:
        clip, longer, out = (Path(folder) / f"{name}.mp4" for name in ("clip", "longer", "out"))
        encoding = _cpu_s(lambda: write_clip(clip, SyntheticSource(width, height, frames, RATE)))
        decoding = _cpu_s(lambda: _read_clip(clip))
        null = _run(Pipeline(source, deblurrer, NullSink()).run)
        decode = _run(Pipeline(FileSource(clip), deblurrer, NullSink()).run)
        both = _run(Pipeline(FileSource(clip), deblurrer, VideoWriter(out)).run)
        options = _segments(longer, cleaner, width, height, frames)
        clean = _run(lambda: clean_file(longer, out, cleaner, options).stats)
    seconds = 1 / null[1]["fps"] + (encoding + decoding) / frames / available_cores()
    for _, values in (both, clean):
        values["share_of_cores"] = values["fps"] * seconds
    cases = {"null": null, "decode": decode, "decode_encode": both, "clean": clean}
    for _, values in cases.values():
        values["share_of_model"] = values["fps"] * alone_s
    return cases


def _model_alone_s(deblurrer: Deblurrer, width: int, height: int, frames: int) -> float:
    """Seconds per frame."""
    run = Runner(deblurrer.engine, width, height)
    run()
    began = time.perf_counter()
    for _ in range(frames):
        run()
    return (time.perf_counter() - began) / frames


def _median(runs: list[tuple[RunStats, dict[str, Any]]]) -> tuple[RunStats, dict[str, Any]]:
    """The run of median rate, of an even number the slower one in the middle."""
    return sorted(runs, key=lambda run: float(run[1]["fps"]))[(len(runs) - 1) // 2]


def measure_live(
    deblurrer: Deblurrer, width: int, height: int, frames: int, fps: float
) -> dict[str, Any]:
    """Capture-to-output latency at `LIVE_LOAD` of the rate that the pipeline can keep up."""
    rate = Fraction(max(1.0, min(60.0, LIVE_LOAD * fps))).limit_denominator(100)
    source = RealtimeSource(SyntheticSource(width, height, frames, rate))
    stats = Pipeline(source, deblurrer, NullSink()).run()
    report = stats.report()
    return {
        "rate": round(float(rate), 3),
        "latency_ms": report["latency_ms"],
        "frames_dropped": report["frames_dropped"],
    }


def measure_streams(
    deblurrer: Deblurrer, width: int, height: int, counts: Sequence[int], frames: int
) -> list[dict[str, Any]]:
    """Frames per second of all streams together, one batch a moment; each stream gets its share."""
    first_ids = [sum(counts[:index]) for index in range(len(counts))]
    cases = {
        str(count): _moments(deblurrer, width, height, range(first, first + count)).__next__
        for count, first in zip(counts, first_ids, strict=True)
    }
    times = rounds(cases, frames)
    deblurrer.close()
    rows = []
    for count in counts:
        fps = 1e3 * count / statistics.median(times[str(count)])
        rows.append({"streams": count, "fps": round(fps, 3), "fps_each": round(fps / count, 3)})
    return rows


def _moments(
    deblurrer: Deblurrer, width: int, height: int, streams: Sequence[int]
) -> Iterator[list[Frame]]:
    """One frame of each stream after another, deblurred as a batch."""
    for moment in SyntheticSource(width, height, None).frames():
        yield deblurrer.process_batch([moment.replace(stream_id=stream) for stream in streams])


def measure_length(
    deblurrer: Deblurrer, width: int, height: int, lengths: Sequence[int]
) -> list[dict[str, Any]]:
    """Memory and the time of a frame as one run goes on; `lengths` ascend."""
    rows: list[dict[str, Any]] = []
    last = [0, 0.0]

    def note(stats: RunStats) -> None:
        if stats.frames_out in lengths:
            frames, seconds = stats.frames_out - last[0], stats.duration_s - last[1]
            rows.append(
                {
                    "frames": stats.frames_out,
                    "rss_mib": round(resident_mib(), 1),
                    "ms_per_frame": round(1e3 * seconds / frames, 3),
                }
            )
            last[:] = [stats.frames_out, stats.duration_s]

    source = SyntheticSource(width, height, lengths[-1], RATE)
    Pipeline(source, deblurrer, NullSink(), on_progress=note).run()
    return rows


def _run(work: Callable[[], RunStats]) -> tuple[RunStats, dict[str, Any]]:
    began = time.process_time(), time.perf_counter()
    stats = work()
    busy, wall = time.process_time() - began[0], time.perf_counter() - began[1]
    report = stats.report()
    computed = sum(stats.stages["inference"].times.bins.values())
    return stats, {
        "fps": round(computed / stats.duration_s, 3),
        "model_busy": round(stats.stages["inference"].busy_s / stats.duration_s, 3),
        "stages": report["stages"],
        "cores_busy": round(busy / wall, 3),
        "cores": available_cores(),
    }


def _segments(
    clip: Path, cleaner: Processor | WorkerPool, width: int, height: int, frames: int
) -> CleanOptions:
    """Write a clip with a segment for each processor, get these ready, and say how to divide it."""
    processors = cleaner.processors if isinstance(cleaner, WorkerPool) else [cleaner]
    source = SyntheticSource(width, height, frames * len(processors), RATE)
    write_clip(clip, source)
    for processor in processors:
        processor.start(source.info)
    return CleanOptions(overwrite=True, resume=False, segment_s=frames / RATE)


def _cpu_s(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _read_clip(path: Path) -> None:
    with closing(FileSource(path)) as source:
        for _ in source.frames():
            pass


def write_clip(path: Path, source: SyntheticSource) -> None:
    """Encode what a source gives, as it is."""
    writer = VideoWriter(path)
    try:
        writer.open(source.info)
        for frame in source.frames():
            writer.write(frame)
        writer.finish()
    except BaseException:
        writer.abort()
        raise
