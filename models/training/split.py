"""Which material trains and which validates: whole scenes, by a hash of their names.

So adding material moves little of it to the other side.
"""

import hashlib
from collections.abc import Iterable
from typing import Literal

Split = Literal["train", "validation"]

FEWEST = 4
"""Names of which some can be held out; of fewer scenes each gives its end away, if it has one."""

_SHARE = 0.07


def held_out(names: Iterable[str]) -> frozenset[str]:
    """The names that validate: about 7 %, at least one; none of fewer than `FEWEST`."""
    ranked = sorted(set(names), key=_fraction)
    if len(ranked) < FEWEST:
        return frozenset()
    return frozenset(ranked[: max(1, sum(_fraction(name) < _SHARE for name in ranked))])


def _fraction(name: str) -> float:
    """A stable number in 0 to 1 for a name."""
    digest = hashlib.sha256(f"split:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
