"""What pictures bring along: each kind is read on its own, and nothing that PyAV can't hold."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import pytest
from clips import packet
from fakes import FakeProcessor
from odd_stills import still

from stream.capture.file import FileSource
from stream.jobs import clean_file


def make(folder, name: str, *chunks: str):
    if "%" in name:
        for index in range(3):
            (folder / (name % index)).write_bytes(still(*chunks, index=index))
    elif name.endswith(".png"):
        (folder / name).write_bytes(still(*chunks))
    else:
        with av.open(str(folder / name), "w") as container:
            video = container.add_mux_stream("png", rate=25, width=34, height=22)
            for index in range(3):
                container.mux(packet(video, still(*chunks, index=index), 40 * index, 40))
    return folder / name


@pytest.mark.parametrize("name", ["in.png", "in_%02d.png", "in.mov"])
def test_a_picture_with_a_colour_profile_is_cleaned(name, tmp_path):
    """PyAV frees the profile's tags, and so does FFmpeg, which ended the whole process."""
    source, target = make(tmp_path, name, "ICC profile"), tmp_path / "out.mkv"
    program = (
        "import sys; from fakes import FakeProcessor; from stream.jobs import clean_file\n"
        "print(clean_file(*sys.argv[1:], FakeProcessor()).warnings)"
    )
    command = [sys.executable, "-c", program, str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert done.returncode == 0, done.stderr
    assert "its ICC profile cannot be kept" in done.stdout


def test_one_kind_does_not_hide_the_others(tmp_path):
    """EXIF is a kind that PyAV 18 doesn't know; the display was not read beside it."""
    source = make(tmp_path, "in.mov", "EXIF", "ICC profile", "display", "light")
    opened = FileSource(source)
    info = opened.info
    opened.close()
    assert info.display_matrix is not None
    assert info.rotation == 90
    assert info.hdr is not None
    assert info.hdr.content_light == (1000, 400)
    assert info.hdr.luminance == (Fraction(1, 10000), Fraction(1000))
    assert info.not_carried == ("ICC profile",)
    result = clean_file(source, tmp_path / "out.mov", FakeProcessor())
    assert f"png cannot keep the HDR metadata of {source}" in result.warnings
