"""What the server counts, as JSON and in Prometheus' text format. Lives on the event loop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from stream.stats import Histogram

PERCENTILES = (50, 95, 99)


class LiveStats:
    """Frames of one camera, or of all. Every frame that arrived had one of the outcomes.

    Attributes:
        deblurred: Shown deblurred.
        passed: Shown as they came, since the engine was too slow or has refused them.
        dropped: Not shown: a newer one was there.
        latency: From a frame's arrival to its hand-over to the encoder.
        latest_s: The last such time.
    """

    OUTCOMES = ("deblurred", "passed", "dropped")

    def __init__(self) -> None:
        self.arrived = 0
        self.outcomes: Counter[str] = Counter()
        self.latency = Histogram()
        self.latest_s: float | None = None

    def show(self, outcome: str, latency_s: float) -> None:
        """Count a frame that was shown."""
        self.outcomes[outcome] += 1
        self.latency.add(latency_s)
        self.latest_s = latency_s

    def add(self, other: LiveStats) -> None:
        """Count those of another too."""
        self.arrived += other.arrived
        self.outcomes.update(other.outcomes)
        self.latency.merge(other.latency.bins)

    def report(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "frames_in": self.arrived,
            **{outcome: self.outcomes[outcome] for outcome in self.OUTCOMES},
            "latency_ms": {
                f"p{percent}": _rounded(self.latency.percentile_ms(percent))
                for percent in PERCENTILES
            },
        }


def prometheus(stats: Mapping[str, Any]) -> str:
    """The server's `/stats` as metrics, version 0.0.4 of the text format."""
    live, engine, sessions, jobs = (stats[part] for part in ("live", "engine", "sessions", "jobs"))
    lines: list[str] = []

    def metric(name: str, kind: str, text: str, samples: Mapping[str, Any]) -> None:
        lines.extend((f"# HELP deblur_{name} {text}", f"# TYPE deblur_{name} {kind}"))
        lines.extend(
            f"deblur_{name}{labels} {value}"
            for labels, value in samples.items()
            if value is not None
        )

    labels = {key: stats[key] for key in ("model", "device", "precision")}
    metric("info", "gauge", "What computes.", {_labels(**labels): 1})
    metric("uptime_seconds", "gauge", "Since the server started.", {"": stats["uptime_s"]})
    metric("sessions", "gauge", "Cameras connected.", {"": sessions["open"]})
    metric("sessions_total", "counter", "Cameras so far.", {"": sessions["opened"]})
    metric("sessions_refused_total", "counter", "Cameras refused.", {"": sessions["refused"]})
    metric("live_frames_total", "counter", "Frames that cameras sent.", {"": live["frames_in"]})
    metric(
        "live_frames_shown_total",
        "counter",
        "Frames of cameras, by what became of them.",
        {_labels(outcome=outcome): live[outcome] for outcome in LiveStats.OUTCOMES},
    )
    metric(
        "live_latency_milliseconds",
        "gauge",
        "From a frame's arrival to its hand-over to the encoder, since the start.",
        {
            _labels(percentile=str(percent)): live["latency_ms"][f"p{percent}"]
            for percent in PERCENTILES
        },
    )
    metric("batches_total", "counter", "Calls of the engine.", {"": engine["batches"]})
    metric("batched_frames_total", "counter", "Frames in them.", {"": engine["frames"]})
    metric("engine_busy_seconds_total", "counter", "Time in them.", {"": engine["busy_s"]})
    metric(
        "jobs", "gauge", "Uploaded videos.", {_labels(state=name): n for name, n in jobs.items()}
    )
    return "\n".join(lines) + "\n"


def _labels(**values: str) -> str:
    escaped = {
        key: value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
        for key, value in values.items()
    }
    return "{" + ",".join(f'{key}="{value}"' for key, value in escaped.items()) + "}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
