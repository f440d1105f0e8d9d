"""Two runs compared by what does not depend on the machine's load: ratios within each run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stream.errors import DeblurError

TOLERANCE = 0.10
"""A ratio that fell by more than this share of the baseline's is a slow-down."""


class BaselineError(DeblurError):
    """A baseline can't be read, or says nothing about this run."""


def ratios(report: Mapping[str, Any]) -> dict[str, float]:
    """What is compared: each the higher the better, each of two things timed in the same run."""
    found: dict[str, float] = {}
    model = report.get("model", {})
    if "share_of_ceiling" in model:
        found["model over ceiling"] = model["share_of_ceiling"]
    for name, run in report.get("pipelines", {}).items():
        found[f"pipeline over model, {name.replace('_', ' + ')}"] = run["share_of_model"]
    streams = report.get("streams", [])
    for row in streams[1:]:
        found[f"{row['streams']} streams over one"] = row["fps"] / streams[0]["fps"]
    return found


def compare(report: Mapping[str, Any], path: Path) -> list[dict[str, Any]]:
    """Rows of `name`, `before`, `now`, `change` and whether it is `slower`.

    BaselineError if the file is no report, or of another model, size, precision, device or runtime.
    """
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        old = ratios(before)
        kinds = ("size", "precision", "device", "runtime")
        same = [kind for kind in kinds if before[kind] != report[kind]]
        same += ["model"] if before["model"]["name"] != report["model"]["name"] else []
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BaselineError(f"{path} is no report of `deblur bench --json`: {error}") from error
    if same:
        raise BaselineError(f"{path} is of another {' and '.join(same)}: nothing to compare")
    return [
        {
            "name": name,
            "before": round(old[name], 3),
            "now": round(now, 3),
            "change": round(now / old[name] - 1, 3),
            "slower": now < (1 - TOLERANCE) * old[name],
        }
        for name, now in ratios(report).items()
        if name in old
    ]
