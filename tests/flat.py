"""Whether a figure that is read again and again stays as it is: a rule, for the endurance runs."""

import numpy as np


def rise(samples):
    """How much the second half of some figures rises from its beginning to its end.

    By the line that fits it best, so that neither its first nor its last value decides.
    """
    half = np.asarray(samples[len(samples) // 2 :], float)
    if len(half) < 2:
        return 0.0
    places = np.arange(len(half))
    return float(np.polyfit(places, half, 1)[0] * places[-1])


def is_flat(samples, absolute, share):
    """Whether that is no more than a number of units, or a share of the half's mean."""
    half = samples[len(samples) // 2 :] or [0.0]
    return rise(samples) <= max(absolute, share * float(np.mean(half)))


def memory_is_flat(mebibytes):
    """Flat: the second half rises by at most 8 MiB or 5 % of its mean."""
    return is_flat(mebibytes, 8, 0.05)


def latency_is_flat(milliseconds):
    """Flat: the second half rises by at most 50 ms or 25 % of its mean."""
    return is_flat(milliseconds, 50, 0.25)
