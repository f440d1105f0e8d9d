"""Takes what a live connection sends as it comes, on a thread of its own. Decodes nothing.

So each item is stamped when it arrives, however slowly the pictures before it are decoded or shown,
and the sender is not held up.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

LIMIT_BYTES = 64 << 20
"""What may wait, compressed, before the sender is made to wait."""


@dataclass(frozen=True, slots=True)
class Item(Generic[T]):
    """What came, and when.

    Attributes:
        value: It.
        size: In bytes.
        sent_s: Its place in the sender's own time; None where it has none.
        arrived_s: Of the local clock.
    """

    value: T
    size: int
    sent_s: float | None
    arrived_s: float


class Receiver(Generic[T]):
    """The items of a connection, each with its time of arrival; iterate over it on one thread.

    Args:
        items: Gives the next items with their sizes in bytes and times in seconds; runs on the
            receiver's thread. Its errors are raised where the items are taken.
        limit_s: So many seconds of the sender's time may wait.
        limit_bytes: And so many bytes; one item may always wait.
        clock: Seconds.
    """

    def __init__(
        self,
        items: Iterator[tuple[T, int, float | None]],
        *,
        limit_s: float,
        limit_bytes: int = LIMIT_BYTES,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._items = items
        self._limit_s = limit_s
        self._limit_bytes = limit_bytes
        self._clock = clock
        self._waiting: deque[Item[T]] = deque()
        self._bytes = 0
        self._error: BaseException | None = None
        self._ended = False
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._receive, name="receive")
        self._thread.start()

    def __iter__(self) -> Iterator[Item[T]]:
        """What has come, oldest first, as soon as it is there, until the connection ends."""
        while (item := self._take()) is not None:
            yield item

    def close(self) -> None:
        """End the thread; waits for the read that it is in."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
        self._thread.join()

    def _take(self) -> Item[T] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            if self._waiting:
                item = self._waiting.popleft()
                self._bytes -= item.size
                self._changed.notify_all()
                return item
            error, self._error = self._error, None
        if error is not None:
            raise error
        return None

    def _receive(self) -> None:
        try:
            for value, size, sent_s in self._items:
                if not self._put(Item(value, size, sent_s, self._clock())):
                    break
        except BaseException as error:
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _put(self, item: Item[T]) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._has_room(item))
            if not self._closed:
                self._waiting.append(item)
                self._bytes += item.size
                self._changed.notify_all()
            return not self._closed

    def _has_room(self, item: Item[T]) -> bool:
        if not self._waiting:
            return True
        first_s = self._waiting[0].sent_s
        span_s = 0.0 if item.sent_s is None or first_s is None else item.sent_s - first_s
        return span_s < self._limit_s and self._bytes + item.size <= self._limit_bytes
