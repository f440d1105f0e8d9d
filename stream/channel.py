"""A bounded hand-over between two threads. Knows nothing of what it hands over.

End and failure are states of the channel, never items in it: `Channel.close` lets the consumer
drain what is inside and then ends it, `Channel.abort` wakes both sides at once.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class ChannelClosed(Exception):  # noqa: N818 - an end, not an error
    """The producer has finished and everything was taken: the normal end of `Channel.get`."""


class ChannelAborted(Exception):  # noqa: N818 - a state, not an error
    """The other side, or a third, has given up: nothing more comes in or goes out."""


class Channel(Generic[T]):
    """A queue of at most ``capacity`` items between one producer and one consumer.

    At any time ``put_count == got_count + dropped_count + len(channel)``, until `abort`, which
    forgets what is inside.

    Args:
        capacity: Items it holds, at least 1.
        latest: Where full, drop the oldest item and take the new one, instead of waiting.
    """

    def __init__(self, capacity: int, *, latest: bool = False) -> None:
        if capacity < 1:
            raise ValueError(f"a channel holds at least 1 item, not {capacity}")
        self.put_count = 0
        self.got_count = 0
        self.dropped_count = 0
        self._capacity = capacity
        self._latest = latest
        self._items: deque[T] = deque()
        self._dropped_since_get = 0
        self._closed = False
        self._aborted = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        """Hand over ``item``; waits while full, unless the latest item wins.

        Raises:
            ChannelAborted: Nobody will take it.
            RuntimeError: The channel was closed before: a mistake of the producer.
        """
        with self._changed:
            self._changed.wait_for(self._can_put)
            if self._aborted:
                raise ChannelAborted
            if self._closed:
                raise RuntimeError("put into a closed channel")
            if len(self._items) == self._capacity:
                self._items.popleft()
                self.dropped_count += 1
                self._dropped_since_get += 1
            self._items.append(item)
            self.put_count += 1
            self._changed.notify_all()

    def get(self, timeout_s: float | None = None) -> tuple[T, int]:
        """The oldest item, and how many were dropped just before it; waits while empty.

        Raises:
            ChannelClosed: Everything was taken and nothing more will come.
            ChannelAborted: The run has failed.
            TimeoutError: Nothing came for ``timeout_s``.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed or self._aborted, timeout_s)
            if self._aborted:
                raise ChannelAborted
            if not self._items:
                raise ChannelClosed if self._closed else TimeoutError
            dropped, self._dropped_since_get = self._dropped_since_get, 0
            item = self._items.popleft()
            self.got_count += 1
            self._changed.notify_all()
            return item, dropped

    def __iter__(self) -> Iterator[tuple[T, int]]:
        """`get` until the channel is closed and drained; an abort is still raised."""
        while True:
            try:
                yield self.get()
            except ChannelClosed:
                return

    def close(self) -> None:
        """Say that nothing more will be put; what is inside can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abort(self) -> None:
        """Stop both sides now and let go of what is inside."""
        with self._changed:
            self._aborted = True
            self._items.clear()
            self._changed.notify_all()

    def _can_put(self) -> bool:
        room = self._latest or len(self._items) < self._capacity
        return room or self._closed or self._aborted
