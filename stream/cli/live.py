"""`deblur live`: a camera, a network stream or a screen, deblurred as it happens."""

from __future__ import annotations

import cv2  # isort: skip  # noqa: F401 - before PyAV: see require_display

import argparse
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import av

from stream.capture.address import KINDS, SourceOptions, source_of
from stream.capture.camera import cameras
from stream.capture.network import listens
from stream.capture.screen import screens
from stream.cli.arguments import add_compute, add_strength, model_name, positive_float, rate, size
from stream.cli.quality import QUALITIES, live_model
from stream.cli.report import ProgressLine, require_writable, write_json
from stream.errors import DeblurError, UsageError
from stream.frame import Discontinuity, StreamInfo
from stream.inference.deblurrers import AUTO
from stream.inference.device import Compute
from stream.inference.overload import Level, OverloadControl, Step, levels_of
from stream.output.live_video import LiveVideo
from stream.output.reconnect import ReconnectingSink
from stream.output.target import Target, require_answer, target_of
from stream.output.tee import Tee
from stream.output.virtual_camera import VirtualCamera
from stream.output.window import KEYS, Window, require_display
from stream.patience import Patience
from stream.pipeline import Pipeline
from stream.sound import SoundTrack
from stream.stages import Sink
from stream.stats import RunStats
from stream.url import credentials, with_credentials

if TYPE_CHECKING:
    from stream.inference.deblurrer import Deblurrer


WATCHED_FRAMES = 2
"""How many may wait for the model while a busy machine pauses: who watches wants the latest."""

PASSWORD = "DEBLUR_PASSWORD"  # noqa: S105 - the variable's name
"""Of the environment: the password of a source whose address names a user alone."""

RECORDED_BYTES = 512 << 20
"""What may wait for the model where nobody watches: a recording wants every frame."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("source", nargs="?", metavar="SOURCE", help=KINDS)
    parser.add_argument("--list", action="store_true", help="show this machine's cameras and exit")
    parser.add_argument(
        "--window", action="store_true", help=f"show it (also if no output is named): {KEYS}"
    )
    parser.add_argument(
        "--out",
        action="append",
        default=[],
        metavar="URL_OR_FILE",
        help="record to .mkv, .mp4 or .ts, write an .m3u8 playlist, or push to an rtmp, rtsp, srt, "
        "udp or tcp address; may be repeated",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace recordings that exist")
    parser.add_argument("--virtual-camera", action="store_true", help="be a camera to others")
    parser.add_argument("--null", action="store_true", help="show nothing: measure only")
    parser.add_argument("--size", type=size, metavar="WxH", help="what to ask a camera for")
    parser.add_argument("--rate", type=rate, metavar="FPS", help="likewise, frames per second")
    parser.add_argument(
        "--timeout",
        type=positive_float,
        default=5.0,
        metavar="S",
        help="without a picture for so long, connect again (default 5)",
    )
    parser.add_argument(
        "--give-up",
        type=positive_float,
        default=300.0,
        metavar="S",
        help="without a connection for so long, fail (default 300)",
    )
    parser.add_argument(
        "--wait",
        type=positive_float,
        metavar="S",
        help="try a source or receiver that is not there yet for so long (by default only where "
        "the address listens, as long as --give-up)",
    )
    parser.add_argument(
        "--password-file",
        type=Path,
        metavar="FILE",
        help=f"holds the password of the user that SOURCE names, as in rtsp://USER@HOST/ (or set "
        f"{PASSWORD})",
    )
    parser.add_argument("--realtime", action="store_true", help="play a file at its own pace")
    parser.add_argument("--duration", type=positive_float, metavar="S", help="stop after S seconds")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--quality",
        choices=[*QUALITIES],
        default=AUTO,
        help="fast, balanced or best: always that model, whatever it costs; auto, the default, is "
        "the best one that keeps up, from moment to moment",
    )
    which.add_argument(
        "--model",
        type=lambda text: text if text == AUTO else model_name(text),
        default=AUTO,
        metavar="NAME",
        help="always this one; by default see --quality",
    )
    add_strength(parser)
    add_compute(parser)
    parser.add_argument("--report", type=Path, metavar="FILE.json", help="write counts and timings")


def run(options: argparse.Namespace) -> int:
    """Run until the source ends, the time is over or the user says so."""
    from stream.cli import DONE, FAILED, INTERRUPTED

    if options.list:
        print(_listing())
        return DONE
    if options.source is None:
        raise UsageError(f"SOURCE is missing: give {KINDS}")
    require_writable(options.report)
    recorded = _only_recorded(options)
    sound = SoundTrack() if options.out else None
    open_source = source_of(
        _with_password(options),
        SourceOptions(
            options.size,
            options.rate,
            options.realtime,
            options.timeout,
            options.give_up,
            _wait_s(options, options.source),
            paced=not recorded,
            sound=sound,
        ),
        on_message=_say,
    )
    outputs = _outputs(options, sound)
    in_window = options.window or not (outputs or options.null)
    if in_window:
        require_display()
    models = _Models(options, _model(options))
    control = OverloadControl(models.levels(), on_step=_say_step)
    progress = ProgressLine()
    ending = _Ending(options.duration)

    def on_progress(stats: RunStats) -> None:
        ending.began()
        progress(stats)

    def status() -> list[str]:
        counts = pipeline.stats
        dropped = f"{counts.frames_dropped} of {counts.frames_in} dropped"
        changes = f"{control.step_counts['down']} down, {control.step_counts['up']} up"
        return [f"model {control.level.name}", f"{dropped}  steps {changes}"]

    window = Window(status=status, on_quit=lambda: pipeline.stop()) if in_window else None
    tee = Tee(window, outputs, complete=recorded, on_message=_say)
    if window:
        _say(f"keys: {KEYS}")
    source = open_source()  # behind a model that is named: what comes while it loads would be stale
    pipeline = Pipeline(
        source,
        control,
        tee,
        on_progress=on_progress,
        on_idle=window.tend if window else None,
        capacity=_held_frames(source.info) if recorded else WATCHED_FRAMES,
    )

    def tell() -> None:
        if options.report:
            report = pipeline.stats.report() | {
                "source": source.info.name,
                "reconnects": getattr(source, "reconnects", 0),
                "size_changes": getattr(source, "size_changes", 0),
                "sound": sound.report() if sound else None,
                **models.report(control.model),
                "overload": control.report(),
                "outputs": tee.report(),
            }
            write_json(options.report, report)
        print(_summary(pipeline.stats))

    try:
        with ending.of(pipeline):
            pipeline.run()
    except BaseException:
        progress.close()
        if pipeline.stats.frames_out:
            tell()
        raise
    progress.close()
    tell()
    if tee.failed:
        return FAILED
    return INTERRUPTED if ending.interrupted else DONE


def _model(options: argparse.Namespace) -> str | None:
    """The one that was asked for, by its name or by a quality; None where they take turns."""
    named = live_model(options.quality)
    if named is not None:
        _say(f"{options.quality}: by {named}, whatever it costs")
        return named
    return None if options.model == AUTO else str(options.model)


def _only_recorded(options: argparse.Namespace) -> bool:
    """Whether there are files and nothing that somebody may be watching."""
    if options.window or options.virtual_camera or not options.out:
        return False
    return all(target_of(address).path is not None for address in options.out)


def _held_frames(info: StreamInfo) -> int:
    """How many frames fit into `RECORDED_BYTES`."""
    bits = av.VideoFormat(info.pixel_format).padded_bits_per_pixel
    return max(WATCHED_FRAMES, 8 * RECORDED_BYTES // (bits * info.width * info.height))


def _outputs(options: argparse.Namespace, sound: SoundTrack | None) -> list[tuple[str, Sink]]:
    """All but the window, by name."""
    targets = [target_of(address) for address in options.out]
    outputs: list[tuple[str, Sink]] = [
        (target.name, _output(target, options, sound)) for target in targets
    ]
    if options.virtual_camera:
        outputs.append(("virtual camera", VirtualCamera()))
    return outputs


def _output(target: Target, options: argparse.Namespace, sound: SoundTrack | None) -> Sink:
    """A file, or a receiver that may go away and come back."""
    if target.path is not None:
        return LiveVideo(target, overwrite=options.overwrite, sound=sound, on_message=_say)
    patience = Patience(give_up_s=options.give_up, wait_s=options.wait or 0.0)
    return ReconnectingSink(
        lambda: LiveVideo(target, sound=sound, on_message=_say),
        target.name,
        patience,
        ask=lambda: require_answer(target),
        on_message=_say,
    )


def _with_password(options: argparse.Namespace) -> str:
    """The source's address, with the password that is kept elsewhere; it shows in no list then."""
    address, file = str(options.source), options.password_file
    url, user, password = credentials(address)
    if file is None:
        secret = os.environ.get(PASSWORD, "")
    elif not user or password:
        raise UsageError("--password-file: let SOURCE name a user alone, as in rtsp://USER@HOST/")
    else:
        try:
            secret = file.read_text().rstrip("\r\n")
        except (OSError, ValueError) as error:
            raise DeblurError(f"{file} cannot be read as a password") from error
    return address if password or not secret else with_credentials(url, user, secret)


def _wait_s(options: argparse.Namespace, address: str) -> float:
    """How long to try the first connection: where we listen, the sender may well come later."""
    if options.wait is not None:
        return float(options.wait)
    return float(options.give_up) if listens(address) else 0.0


class _Models:
    """The models of a run, each loaded when its level is first asked for.

    Args:
        options: The command's.
        only: The one model to use; None for the whole family.
    """

    def __init__(self, options: argparse.Namespace, only: str | None) -> None:
        self._options = options
        self._only = only
        self._opened: dict[str, Deblurrer] = {}

    def levels(self) -> Iterable[Level]:
        """The whole family, or the one model that was asked for."""
        if self._only is not None:
            return [Level(self._only, self._open(self._only), self._only)]
        from models.registry import shipped

        return levels_of(shipped(), self._open)

    def _open(self, name: str) -> Deblurrer:
        from stream.inference.deblurrer import Deblurrer

        options = self._options
        deblurrer = Deblurrer(
            name,
            device=options.device,
            precision=options.precision,
            runtime=options.runtime,
            quick_start=True,
            strength=options.strength,
        )
        self._opened[name] = deblurrer
        return deblurrer

    def report(self, used: str | None) -> dict[str, Any]:
        """JSON-ready, of the model that computed the frames; with nulls where none did."""
        every = self._opened.values()
        resets = sum((deblurrer.resets for deblurrer in every), Counter[Discontinuity]())
        computed: dict[str, Any] = dict.fromkeys(
            ["model", *(each.name for each in fields(Compute))]
        )
        if used is not None:
            deblurrer = self._opened[used]
            computed = {"model": deblurrer.name, **asdict(deblurrer.compute)}
        return {
            **computed,
            "resets": {reason.value: count for reason, count in resets.items()},
        }


def _say_step(step: Step) -> None:
    _say(f"{step.before} -> {step.after}: {step.why}")


def _listing() -> str:
    """Addresses and what they are, one a line."""
    rows = [*cameras(), *screens(), ("test:", "a synthetic camera")]
    if rows[0][0].partition(":")[0] != "camera":
        rows.insert(0, ("", "no camera is plugged in"))
    width = max(len(address) for address, _ in rows)
    return "\n".join(f"{address:<{width}}  {words}".strip() for address, words in rows)


def _say(message: str) -> None:
    print(f"deblur: {message}", file=sys.stderr)


def _summary(stats: RunStats) -> str:
    latency = stats.report()["latency_ms"]
    text = (
        f"{stats.frames_in} frames captured, {stats.frames_out} shown, "
        f"{stats.frames_dropped} dropped; {stats.fps:.1f} fps"
    )
    if stats.frames_out:
        text += (
            f"; latency {latency['p50']:.0f} ms (p50), {latency['p95']:.0f} ms (p95), "
            f"{latency['p99']:.0f} ms (p99)"
        )
    return text


class _Ending:
    """Ends a run in good order after a time, or at the first Ctrl-C or SIGTERM.

    The second signal is not waited for any more: it interrupts, as elsewhere.
    """

    def __init__(self, duration_s: float | None) -> None:
        self.interrupted = False
        self._duration_s = duration_s
        self._timer: threading.Timer | None = None
        self._pipeline: Pipeline | None = None

    def began(self) -> None:
        """The first frame is out: the time begins."""
        if self._timer is None and self._duration_s is not None and self._pipeline:
            self._timer = threading.Timer(self._duration_s, self._pipeline.stop)
            self._timer.name = "duration"
            self._timer.start()

    @contextmanager
    def of(self, pipeline: Pipeline) -> Iterator[None]:
        """Watch over this run."""
        self._pipeline = pipeline
        numbers = (signal.SIGINT, signal.SIGTERM)
        previous = {number: signal.signal(number, self._on_signal) for number in numbers}
        self._previous = previous
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
            if self._timer is not None:
                self._timer.cancel()
                self._timer.join()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        for each, handler in self._previous.items():
            signal.signal(each, handler)
        self.interrupted = True
        if self._pipeline:
            self._pipeline.stop()
