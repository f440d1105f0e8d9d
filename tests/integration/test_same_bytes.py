"""Every encoder writes the same bytes each time, on every processor: resuming relies on it."""

import dataclasses
import json
import os
import subprocess
import sys

import pytest
import same_bytes

from stream.output import codecs
from stream.output.codecs import KNOWN

RUNS = 500


def written(filling):
    """Digests by encoder from a process whose fresh memory holds anything but zeros, if not 0."""
    tunables = f"glibc.malloc.perturb={filling}"
    done = subprocess.run(
        [sys.executable, same_bytes.__file__],
        env=os.environ | {"MALLOC_PERTURB_": str(filling), "GLIBC_TUNABLES": tunables},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_no_encoder_writes_what_was_in_memory_before():
    """x264 did with AVX-512; where memory isn't glibc's, nothing is shown but that all work."""
    clean, filled = written(0), written(1)
    assert set(clean) == {known.encoder for known in KNOWN}
    assert {name for name, digest in clean.items() if filled[name] != digest} == set()


@pytest.mark.parametrize("encoder", ["libx264", "libx264rgb"])
def test_x264_is_kept_from_avx512(encoder, monkeypatch):
    for has_it, flags in ((True, {"x264-params": "asm=avx2"}), (False, {})):
        monkeypatch.setattr(codecs, "_has_avx512", lambda has_it=has_it: has_it)
        assert codecs.same_bytes(encoder) == flags
        assert codecs.same_bytes("libx265") == {}


@pytest.mark.parametrize("asm", ["ssse3", "sse4.2", "avx"])
def test_x264_writes_the_same_bytes_on_older_processors(asm):
    ((given, _),) = same_bytes.encodings("libx264", ("yuv420p",), same_bytes.SIZES[:1]).values()
    encoding, *rest = given
    older = dataclasses.replace(encoding, flags=encoding.flags | {"x264-params": f"asm={asm}"})
    case = (*rest, same_bytes.SIZES[0], "waves", 6)
    assert same_bytes.digest(older, *case) == same_bytes.digest(encoding, *case)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("encoder", sorted({known.encoder for known in KNOWN}))
def test_an_encoder_has_one_digest(encoder):
    """Two at once, 500 times, over layouts, sizes and contents by turns."""
    digests = same_bytes.repeated(encoder, RUNS)
    assert {case: len(found) for case, found in digests.items() if len(found) != 1} == {}
