"""How long to go on trying what may be there later, and how often. Knows only time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """How to wait for a source or a receiver that is not there.

    Attributes:
        first_s: Before the first further attempt; each wait after that is twice as long,
        longest_s: up to this.
        give_up_s: One that was there counts as lost after so long.
        wait_s: One that was never there counts as absent after so long; 0 allows one attempt.
    """

    first_s: float = 0.5
    longest_s: float = 8.0
    give_up_s: float = 300.0
    wait_s: float = 0.0

    def delays(self) -> Iterator[float]:
        """Seconds before each further attempt, without end."""
        delay_s = self.first_s
        while True:
            yield delay_s
            delay_s = min(2 * delay_s, self.longest_s)
