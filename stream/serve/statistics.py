"""What the server counts, as JSON and in Prometheus' text format. Lives on the event loop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

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


class _Metrics(Collector):
    """The server's `/stats` as metrics of Prometheus."""

    def __init__(self, stats: Mapping[str, Any]) -> None:
        self._stats = stats

    def collect(self) -> Iterator[Metric]:
        """Give each metric once."""
        stats = self._stats
        live, engine, sessions = (stats[part] for part in ("live", "engine", "sessions"))
        labels = {key: stats[key] for key in ("model", "device", "precision")}
        yield InfoMetricFamily("deblur", "What computes.", value=labels)
        yield _gauge("uptime_seconds", "Since the server started.", stats["uptime_s"])
        yield _gauge("sessions", "Cameras connected.", sessions["open"])
        yield _counter("sessions", "Cameras so far.", sessions["opened"])
        yield _counter("sessions_refused", "Cameras refused.", sessions["refused"])
        yield _counter("live_frames", "Frames that cameras sent.", live["frames_in"])
        shown = CounterMetricFamily(
            "deblur_live_frames_shown",
            "Frames of cameras, by what became of them.",
            labels=["outcome"],
        )
        for outcome in LiveStats.OUTCOMES:
            shown.add_metric([outcome], live[outcome])
        yield shown
        latency = GaugeMetricFamily(
            "deblur_live_latency_milliseconds",
            "From a frame's arrival to its hand-over to the encoder, since the start.",
            labels=["percentile"],
        )
        for percent in PERCENTILES:
            if (value := live["latency_ms"][f"p{percent}"]) is not None:
                latency.add_metric([str(percent)], value)
        yield latency
        yield _counter("batches", "Calls of the engine.", engine["batches"])
        yield _counter("batched_frames", "Frames in them.", engine["frames"])
        yield _counter("engine_busy_seconds", "Time in them.", engine["busy_s"])
        jobs = GaugeMetricFamily("deblur_jobs", "Uploaded videos.", labels=["state"])
        for state, count in stats["jobs"].items():
            jobs.add_metric([state], count)
        yield jobs


def prometheus(stats: Mapping[str, Any]) -> bytes:
    """The server's `/stats` in Prometheus' text format."""
    return generate_latest(_Metrics(stats))


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"deblur_{name}", text, value=value)


def _counter(name: str, text: str, value: float) -> CounterMetricFamily:
    """Its name gets the suffix `_total`."""
    return CounterMetricFamily(f"deblur_{name}", text, value=value)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
