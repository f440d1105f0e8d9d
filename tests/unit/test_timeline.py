from hypothesis import given
from hypothesis import strategies as st

from stream.capture.timeline import Timeline


def run(timeline, *steps):
    """Feed ("in", pts), ("lost",) and ("out", pts) steps; returns (pts, repeated) pairs."""
    shown = []
    for kind, *value in steps:
        if kind == "in":
            timeline.expect(*value)
        elif kind == "lost":
            timeline.miss()
        else:
            place = timeline.place(*value)
            shown += [(pts, True) for pts in place.lost] + [(place.pts, False)]
    return shown + [(pts, True) for pts in timeline.rest()]


def test_a_lost_picture_is_repeated_at_its_own_time():
    shown = run(
        Timeline(40),
        ("in", 0),
        ("out", 0),
        ("in", 40),
        ("lost",),
        ("in", 95),
        ("out", 95),
    )
    assert shown == [(0, False), (40, True), (95, False)]


def test_reordered_pictures_tell_which_one_was_lost():
    """Decode order 0, 120, 40, 80; the packet of 40 fails."""
    shown = run(
        Timeline(40),
        *[("in", 0), ("in", 120), ("out", 0), ("in", 40), ("lost",), ("in", 80)],
        *[("out", 80), ("out", 120)],
    )
    assert shown == [(0, False), (40, True), (80, False), (120, False)]


def test_a_packet_that_shows_nothing_is_not_repeated():
    """Hidden reference pictures are packets that never come out, and no failure."""
    shown = run(Timeline(40), ("in", 0), ("out", 0), ("in", 40), ("in", 80), ("out", 80))
    assert shown == [(0, False), (80, False)]


def test_pictures_lost_at_the_start_and_at_the_end_keep_their_times():
    shown = run(
        Timeline(40),
        *[("in", 10), ("lost",), ("in", 50), ("out", 50), ("in", 90), ("lost",)],
    )
    assert shown == [(10, True), (50, False), (90, True)]


def test_missing_pts_follow_at_the_nominal_step():
    assert [pts for pts, _ in run(Timeline(40), *[("out", None)] * 3)] == [0, 40, 80]


def test_repeated_and_backward_pts_are_moved_by_the_least():
    timeline = Timeline(40)
    places = [timeline.place(pts) for pts in (0, 0, 40, 20, 41)]
    assert [place.pts for place in places] == [0, 1, 40, 41, 42]
    assert [place.backwards for place in places] == [False, False, False, True, False]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("in"), st.integers(-50, 50)),
            st.tuples(st.just("lost")),
            st.tuples(st.just("out"), st.one_of(st.none(), st.integers(-50, 50))),
        ),
        max_size=60,
    )
)
def test_pts_always_increase_and_no_picture_is_dropped(steps):
    shown = run(Timeline(3), *steps)
    pts = [pts for pts, _ in shown]
    assert pts == sorted(set(pts))
    assert sum(not repeated for _, repeated in shown) == sum(kind == "out" for kind, *_ in steps)
