"""Damaged files end in a whole output or in one line: no hang, crash, traceback or half a file."""

from collections import Counter
from itertools import product

import av
import pytest
from clips import times
from fakes import FakeProcessor
from mutations import KINDS, NAMES, ORIGINALS, Cleaner, Mutation, original
from waiting import HANG_S

from stream.jobs import clean_file
from stream.pyav import open_input


@pytest.fixture(scope="module")
def originals(clip, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    return {name: original(name, clip, folder) for name in NAMES}


def check_all(mutations, originals, folder):
    """Clean every one; returns how many had which outcome, by kind, and what went wrong."""
    counts, faults = Counter(), []
    with Cleaner(HANG_S / 2) as cleaner:
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
        with open_input(str(target)) as container:  # tags may be of any bytes
            frames = sum(1 for _ in container.decode(video=0))
    except (av.FFmpegError, IndexError) as error:
        return f"no video: {error}"
    return None if frames == verdict.frames else f"{frames} frames"


def test_over_a_hundred_damaged_files(originals, tmp_path):
    mutations = [Mutation(*of) for of in product(NAMES, KINDS, range(2))]
    counts, faults = check_all(mutations, originals, tmp_path)
    assert not faults, "\n".join(faults)
    assert counts.total() == 140


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_over_a_thousand_damaged_files(originals, tmp_path):
    """Prints the counts for `docs/reliability.md`."""
    mutations = [Mutation(*of) for of in product(NAMES, KINDS, range(20))]
    counts, faults = check_all(mutations, originals, tmp_path)
    words = ("cleaned", "mended", "refused", "traceback", "crash", "hang")
    for kind in KINDS:
        print(f"{kind:18}", *(f"{counts[kind, word]:4} {word}" for word in words))
    assert not faults, "\n".join(faults)
    assert counts.total() == 1400


def test_a_stream_of_no_known_codec_is_left_out_and_named(clip, tmp_path):
    source, target = tmp_path / "in.mkv", tmp_path / "out.mp4"
    raw = clip(ORIGINALS["mkv, h264, flac"]).read_bytes()
    source.write_bytes(raw.replace(b"A_FLAC", b"A_FLEX").replace(b"S_TEXT/UTF8", b"S_TEXT/UTF9"))
    left_out = [
        text.split(" cannot")[0] for text in clean_file(source, target, FakeProcessor()).warnings
    ]
    assert left_out == [
        "audio stream 1 (fin)",
        "subtitle stream 2 (isl)",
        "attachment stream 3 (font.ttf)",
    ]


def test_what_mpegts_would_hide_in_private_data_is_not_written_there(clip, tmp_path):
    """FFmpeg takes any codec into MPEG-TS; no player would find the picture."""
    target = tmp_path / "out.ts"
    warnings = clean_file(clip(ORIGINALS["mkv, ffv1"]), target, FakeProcessor()).warnings
    assert warnings == ("ffv1 cannot be shown from mpegts; h264 is used instead",)
    assert len(times(target)) == ORIGINALS["mkv, ffv1"].frames
    source, target = clip(ORIGINALS["mkv, h264, flac"]), tmp_path / "other.ts"
    left_out = [
        line.split(" cannot")[0]
        for line in clean_file(source, target, FakeProcessor()).warnings
        if " cannot" in line
    ]
    assert left_out == [
        "audio stream 1 (flac, fin)",
        "subtitle stream 2 (subrip, isl)",
        "attachment stream 3 (font.ttf)",
    ]


def test_a_damaged_header_of_the_codec_is_no_traceback(originals, tmp_path):
    """FFmpeg's parser refuses it as it is opened, so whether the video is lossless is unknown."""
    mutation = Mutation("mp4, hevc", "bits flipped", 9)
    counts, faults = check_all([mutation], originals, tmp_path)
    assert not faults, "\n".join(faults)
    assert counts.total() == 1
