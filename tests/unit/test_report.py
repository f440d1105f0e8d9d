"""What commands write for people, on a terminal and in a log."""

import io
import json
from fractions import Fraction

import pytest

from stream.cli.arguments import time
from stream.cli.report import ProgressLine, duration_text, size_text, write_json
from stream.stats import RunStats


class Terminal(io.StringIO):
    def isatty(self):
        return True


class FakeClock:
    now = 100.0

    def __call__(self):
        return self.now


def stats(done, expected=600):
    return RunStats(frames_out=done, frames_expected=expected, duration_s=done / 24)


def test_a_terminal_shows_name_bar_frame_rate_and_time_left(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    stream, clock = Terminal(), FakeClock()
    line = ProgressLine("a [b] walk.mp4", stream, clock=clock)
    line.say("warming up")
    line(stats(1))
    shown = stream.getvalue()
    for part in ("a [b] walk.mp4", "━", "warming up", "frame   1/600   24.0 fps   0:25 left"):
        assert part in shown
    line(stats(2))
    assert stream.getvalue() == shown, "not drawn more often than one can see"
    clock.now += 1
    line(stats(700))
    assert "frame 700/600   24.0 fps   finishing" in stream.getvalue()
    line.note("something to know")
    line.close()
    assert "something to know\n" in stream.getvalue()
    assert stream.getvalue().endswith("\x1b[2K"), "the line is cleared"


def test_a_log_gets_plain_lines_now_and_then():
    stream, clock = io.StringIO(), FakeClock()
    line = ProgressLine("walk.mp4", stream, every_s=10, clock=clock)
    line.say("warming up")
    for done in range(1, 50):
        clock.now += 1
        line(stats(done, expected=None if done < 30 else 600))
    line.note("x" * 200)
    line.close()
    assert stream.getvalue().splitlines() == [
        "walk.mp4: frame 10   24.0 fps",
        "walk.mp4: frame 20   24.0 fps",
        "walk.mp4: frame  30/600   24.0 fps   0:24 left",
        "walk.mp4: frame  40/600   24.0 fps   0:23 left",
        "x" * 200,
    ]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.00 kB"),
        (12_340, "12.3 kB"),
        (9_999, "10.0 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (41e6, "41.0 MB"),
        (4.2e9, "4.20 GB"),
        (5e12, "5.00 TB"),
    ],
)
def test_sizes_in_words(size, text):
    assert size_text(size) == text


def test_durations_in_words():
    assert [duration_text(s) for s in (0.2, 20, 61, 3723)] == ["0:00", "0:20", "1:01", "1:02:03"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("7.5", "7.5"), ("1:30", 90), ("01:02:03.250", "3723.25"), ("0:90", 90)],
)
def test_times_as_people_write_them(text, seconds):
    assert time(text) == Fraction(seconds)


def test_a_report_behind_a_link_takes_the_place_of_what_the_link_points_to(tmp_path):
    link = tmp_path / "report.json"
    link.symlink_to(tmp_path / "real.json")
    write_json(link, {"frames": 1})
    assert link.is_symlink()
    assert json.loads((tmp_path / "real.json").read_text()) == {"frames": 1}
    long = tmp_path / ("n" * 250 + ".json")
    write_json(long, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        long.name,
        "real.json",
        "report.json",
    ]
