"""Recorded videos from file to file: cleaned in segments, joined, and put in place when whole."""

from stream.jobs.batch import Outcome, Task, clean_all, is_batch, tasks_of
from stream.jobs.clean import CleanOptions, CleanResult, check, clean_file
from stream.jobs.cluster import Cluster, Made
from stream.jobs.comparison import View
from stream.jobs.excerpt import Excerpt, middle_of
from stream.jobs.forecast import Forecast, forecast
from stream.jobs.worker_pool import WorkerPool

__all__ = [
    "CleanOptions",
    "CleanResult",
    "Cluster",
    "Excerpt",
    "Forecast",
    "Made",
    "Outcome",
    "Task",
    "View",
    "WorkerPool",
    "check",
    "clean_all",
    "clean_file",
    "forecast",
    "is_batch",
    "middle_of",
    "tasks_of",
]
