import os
from fractions import Fraction
from pathlib import Path

import av
import pytest

from stream import containers
from stream.containers import MKV, container_of
from stream.errors import SinkError, UsageError
from stream.output.encoding import set_decode_times
from stream.output.partial import PartialFile, hidden_beside, require_free


def test_a_partial_file_appears_only_when_committed(tmp_path):
    file = PartialFile(tmp_path / "out.mp4")
    file.path.write_text("whole")
    assert not file.target.exists()
    assert file.path.parent == tmp_path
    file.commit()
    file.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_a_name_taken_meanwhile_is_left_alone(tmp_path):
    file = PartialFile(tmp_path / "out.mp4")
    file.path.write_text("ours")
    file.target.write_text("theirs")
    with pytest.raises(SinkError, match="exists"):
        file.commit()
    file.discard()
    assert file.target.read_text() == "theirs"
    assert len(list(tmp_path.iterdir())) == 1


def test_overwriting_replaces(tmp_path):
    (tmp_path / "out.mp4").write_text("before")
    file = PartialFile(tmp_path / "out.mp4", overwrite=True)
    file.path.write_text("after")
    file.commit()
    assert file.target.read_text() == "after"


def test_the_target_of_a_link_is_written_and_the_link_stays(tmp_path):
    far = tmp_path / "far"
    far.mkdir()
    link = tmp_path / "out.mp4"
    link.symlink_to(far / "real.mp4")
    for text in ("first", "second"):
        file = PartialFile(link, overwrite=text == "second")
        assert file.path.parent == far
        file.path.write_text(text)
        file.commit()
        file.discard()
        assert link.is_symlink()
        assert [(path.name, path.read_text()) for path in far.iterdir()] == [("real.mp4", text)]
    with pytest.raises(SinkError, match="exists"):
        PartialFile(link)


def test_a_link_that_leads_nowhere_is_refused(tmp_path):
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "missing" / "real.mp4")
    with pytest.raises(SinkError, match=r"the folder .*missing does not exist"):
        PartialFile(tmp_path / "gone.mp4", overwrite=True)
    (tmp_path / "round.mp4").symlink_to(tmp_path / "round.mp4")
    with pytest.raises(SinkError, match="leads to itself"):
        PartialFile(tmp_path / "round.mp4", overwrite=True)


@pytest.mark.parametrize("letter", ["n", "ä", "\udcff"], ids=["ASCII", "UTF-8", "bytes"])
@pytest.mark.parametrize("size", [1, 60, 140, 200, 247, 251])
def test_hidden_names_are_no_longer_than_file_systems_allow(letter, size, tmp_path):
    name = letter * (size // len(os.fsencode(letter))) + ".mkv"
    target = tmp_path / name
    hidden = hidden_beside(target, ".partial")
    assert len(os.fsencode(hidden.name)) <= max(143, len(os.fsencode(name)))
    assert hidden == hidden_beside(target, ".partial")
    assert hidden != hidden_beside(target.with_suffix(".mp4"), ".partial")
    assert hidden.name[0] == "."
    assert hidden.name.endswith(".partial")
    file = PartialFile(target)
    file.path.write_text("whole")
    file.commit()
    assert target.read_text() == "whole"


def test_a_name_that_is_too_long_is_one_line(tmp_path):
    with pytest.raises(SinkError, match=r"cannot be written \(File name too long\)"):
        require_free(tmp_path / ("n" * 260 + ".mkv"), overwrite=False)


def test_the_suffix_names_the_container(tmp_path):
    assert container_of(tmp_path / "A.MKV") is MKV
    with pytest.raises(UsageError, match=r"no container is known by '.flv'; use one of .*\.mkv"):
        container_of(tmp_path / "a.flv")


@pytest.mark.parametrize(
    ("pts", "dts"),
    [
        ([0], [0]),
        ([0, 40], [0, 40]),
        ([0, 120, 40, 80], [-40, 0, 40, 80]),
        ([500, 900, 700], [300, 500, 700]),
        ([], []),
    ],
)
def test_decode_times_increase_and_never_pass_the_pts(pts, dts):
    packets = []
    for time in pts:
        packet = av.Packet(b"x")
        packet.time_base = Fraction(1, 1000)
        packet.pts, packet.dts = time, 5714873960346588823
        packets.append(packet)
    set_decode_times(packets)
    assert [packet.dts for packet in packets] == dts


def test_the_documents_show_the_table_of_containers():
    text = Path("docs/files.md").read_text()
    assert containers.table() in text, "paste what python -m stream.containers prints"


@pytest.mark.parametrize("container", containers.CONTAINERS, ids=lambda one: one.name)
def test_ffmpeg_has_what_the_table_names(container):
    assert av.ContainerFormat(container.muxer, "w").is_output
    assert all(av.Codec(encoder, "w").is_encoder for encoder in container.transparent)
    assert all(containers.container_of(Path(f"a{end}")) is container for end in container.suffixes)
    read = container.demuxers & {name for each in av.formats_available for name in each.split(",")}
    assert read == container.demuxers
