"""Damaged files end in a whole output or in one line: no hang, crash, traceback or half a file."""

from collections import Counter
from itertools import product

import av
import pytest
from mutations import KINDS, ORIGINALS, Cleaner, Mutation

LIMIT_S = 60
"""For one file, which takes a fraction of a second: a hang and not a busy machine."""


@pytest.fixture(scope="module")
def originals(clip):
    return {name: clip(spec).read_bytes() for name, spec in ORIGINALS.items()}


def check_all(mutations, originals, folder):
    """Clean every one; returns how many had which outcome, by kind, and what went wrong."""
    counts, faults = Counter(), []
    with Cleaner(LIMIT_S) as cleaner:
        for number, mutation in enumerate(mutations):
            here = folder / str(number)
            here.mkdir()
            source, target = (here / name for name in mutation.names)
            source.write_bytes(mutation.made_from(originals))
            verdict = cleaner.clean(source, target)
            counts[mutation.kind, verdict.word] += 1
            if verdict.word not in ("cleaned", "mended", "refused"):
                faults.append(f"{mutation}: {verdict.word}: {verdict.details}")
            elif found := untidy(verdict, target):
                faults.append(f"{mutation}: {verdict}: {found}")
    return counts, faults


def untidy(verdict, target):
    """What is wrong with the files that a job left, or None."""
    if verdict.word == "refused":
        return "an output" if target.exists() else None
    if [*target.parent.glob(".*")]:
        return "leftovers"
    try:
        with av.open(str(target)) as container:
            frames = sum(1 for _ in container.decode(video=0))
    except (av.FFmpegError, IndexError) as error:
        return f"no video: {error}"
    return None if frames == verdict.frames else f"{frames} frames"


@pytest.mark.timeout(300)
def test_fifty_damaged_files(originals, tmp_path):
    mutations = [Mutation(name, kind, 0) for name, kind in product(ORIGINALS, KINDS)]
    counts, faults = check_all(mutations, originals, tmp_path)
    assert not faults, "\n".join(faults)
    assert counts.total() == 50


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_thousand_damaged_files(originals, tmp_path):
    """Prints the counts for `docs/reliability.md`."""
    mutations = [
        Mutation(name, kind, seed) for name, kind, seed in product(ORIGINALS, KINDS, range(20))
    ]
    counts, faults = check_all(mutations, originals, tmp_path)
    words = ("cleaned", "mended", "refused", "traceback", "crash", "hang")
    for kind in KINDS:
        print(f"{kind:18}", *(f"{counts[kind, word]:4} {word}" for word in words))
    assert not faults, "\n".join(faults)
    assert counts.total() == 1000
