import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import HANG_S

from stream.channel import Channel, ChannelAborted, ChannelClosed


def in_thread(work):
    """Run ``work`` in a thread; returns a function that waits for its result."""
    results = []

    def run():
        try:
            results.append(work())
        except Exception as error:
            results.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def result():
        thread.join(HANG_S)
        assert not thread.is_alive(), "still waiting"
        return results[0]

    return result


def test_items_come_out_in_order():
    channel = Channel[int](3)
    for item in range(3):
        channel.put(item)
    channel.close()
    assert list(channel) == [(0, 0), (1, 0), (2, 0)]


def test_closed_channel_drains_then_ends():
    channel = Channel[int](2)
    channel.put(1)
    channel.close()
    assert channel.get() == (1, 0)
    with pytest.raises(ChannelClosed):
        channel.get()


def test_put_after_close_is_a_mistake():
    channel = Channel[int](2)
    channel.close()
    with pytest.raises(RuntimeError):
        channel.put(1)


def test_abort_forgets_what_is_inside():
    channel = Channel[int](2)
    channel.put(1)
    channel.abort()
    with pytest.raises(ChannelAborted):
        channel.get()
    with pytest.raises(ChannelAborted):
        channel.put(2)


def test_abort_wakes_a_blocked_put():
    channel = Channel[int](1)
    channel.put(1)
    result = in_thread(lambda: channel.put(2))
    channel.abort()
    assert isinstance(result(), ChannelAborted)


def test_abort_wakes_a_blocked_get():
    channel = Channel[int](1)
    result = in_thread(channel.get)
    channel.abort()
    assert isinstance(result(), ChannelAborted)


def test_close_wakes_a_blocked_get():
    channel = Channel[int](1)
    result = in_thread(channel.get)
    channel.close()
    assert isinstance(result(), ChannelClosed)


def test_put_waits_for_room():
    channel = Channel[int](1)
    channel.put(1)
    result = in_thread(lambda: channel.put(2))
    assert channel.get() == (1, 0)
    assert result() is None
    assert channel.get() == (2, 0)


def test_latest_wins_and_says_what_was_dropped():
    channel = Channel[int](1, latest=True)
    for item in range(4):
        channel.put(item)
    assert channel.get() == (3, 3)
    channel.put(4)
    assert channel.get() == (4, 0)
    assert channel.dropped_count == 3


def test_capacity_must_be_positive():
    with pytest.raises(ValueError, match="at least 1"):
        Channel[int](0)


@settings(max_examples=60)
@given(
    latest=st.booleans(),
    capacity=st.integers(1, 4),
    puts=st.integers(0, 30),
    gets=st.integers(0, 30),
    producer_ends=st.sampled_from(["close", "abort"]),
)
def test_any_schedule_ends_and_every_item_is_accounted_for(
    latest, capacity, puts, gets, producer_ends
):
    """The producer puts and ends; the consumer takes some and gives up, or takes all."""
    channel = Channel[int](capacity, latest=latest)
    put, got, dropped = [], [], []

    def produce():
        try:
            for item in range(puts):
                channel.put(item)
                put.append(item)
        except ChannelAborted:
            return
        getattr(channel, producer_ends)()

    def consume():
        try:
            for item, gap in channel:
                got.append(item)
                dropped.append(gap)
                if len(got) == gets:
                    channel.abort()
        except ChannelAborted:
            pass

    ends = [in_thread(produce), in_thread(consume)]
    for end in ends:
        assert end() is None

    assert got == sorted(set(got))
    assert channel.put_count == len(put)
    assert channel.got_count == len(got)
    assert latest or not channel.dropped_count
    aborted = producer_ends == "abort" or (gets and len(got) == gets)
    if not aborted:
        assert len(put) == puts == len(got) + channel.dropped_count
        assert sum(dropped) == channel.dropped_count


@settings(max_examples=100)
@given(
    capacity=st.integers(1, 4),
    schedule=st.lists(st.sampled_from(["put", "get"]), max_size=60),
)
def test_put_is_got_plus_dropped_plus_inside(capacity, schedule):
    channel = Channel[int](capacity, latest=True)
    for step in schedule:
        if step == "put":
            channel.put(0)
        elif len(channel):
            channel.get()
        assert channel.put_count == channel.got_count + channel.dropped_count + len(channel)
        assert len(channel) <= capacity
