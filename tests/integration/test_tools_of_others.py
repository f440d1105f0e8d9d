"""Odd files of ffmpeg and mkvmerge are cleaned, and the outcome is judged by those tools."""

import math

import pytest
from fakes import FakeProcessor
from odd_files import MISSING, complaints, recipes, shown, sounds

from stream.errors import DeblurError
from stream.jobs import clean_file

PRIMING = 2  # packets at the start of a sound that edit lists hide, and Matroska leaves out


def faults(recipe, folder):
    """What is wrong with what becomes of one file, each in a line."""
    source = recipe.make(folder)
    own = (recipe.suffix,) if recipe.suffix in (".mp4", ".mov", ".ts", ".webm") else ()
    for suffix in (".mkv", *own):
        target = folder / f"out{suffix}"
        try:
            result = clean_file(source, target, FakeProcessor())
        except DeblurError as error:
            yield f"refused: {error}"
            continue
        before, after = shown(source), shown(target)
        if len(before) != len(after):
            yield f"{len(before)} frames became {len(after)} in {suffix}"
            continue
        moved = [two - one for one, two in zip(before, after, strict=True)]
        known = [one for one in moved if not math.isnan(one)]
        apart = max(known) - min(known)
        if apart > 0.002:
            yield f"times moved by {apart:.4f} s in {suffix}"
        lost = sounds(source) - sounds(target)
        if lost > PRIMING and not result.warnings:
            yield f"{lost} packets of sound are missing in {suffix}, without a word"
        if said := complaints(target):
            yield f"{suffix}: {said.splitlines()[0]}"


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
def test_odd_files_of_other_tools_come_out_whole_as_those_tools_see_it(tmp_path):
    found, count = [], 0
    for count, recipe in enumerate(recipes(), 1):
        folder = tmp_path / str(count)
        folder.mkdir()
        found += [f"{recipe.name}: {fault}" for fault in faults(recipe, folder)]
    assert not found, "\n".join(found)
    assert count >= 100
