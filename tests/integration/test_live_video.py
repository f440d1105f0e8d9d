"""What `deblur live` writes: to files that are killed, playlists, and receivers elsewhere."""

import contextlib
import dataclasses
import itertools
import resource
import socket
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from network import free_port
from waiting import HANG_S

from stream.capture.file import FileSource
from stream.capture.scene import SceneSource
from stream.capture.synthetic import SyntheticSource
from stream.errors import SinkError, UsageError
from stream.frame import ColorTags, Planes
from stream.output.live_video import LiveVideo
from stream.output.target import target_of
from stream.output.views import bgr_of
from stream.output.virtual_camera import VirtualCamera
from stream.pixel_format import format_of
from stream.rgb import to_rgb


def record(address, source=None, **options):
    """Send a whole source to an address, as fast as it goes."""
    source = source or SceneSource(160, 120, 40)
    sink = LiveVideo(target_of(str(address)), **options)
    try:
        sink.open(source.info)
        for frame in source.frames():
            sink.write(frame)
        sink.finish()
    except BaseException:
        sink.abort()
        raise


def shown(path, **options):
    with av.open(str(path), **options) as container:
        return [(frame.time, frame.width, frame.height) for frame in container.decode(video=0)]


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov", ".ts"])
def test_a_recording_keeps_every_frame_at_its_time(suffix, tmp_path):
    path = tmp_path / f"a{suffix}"
    record(path)
    times = [time for time, *_ in shown(path)]
    assert len(times) == 40
    steps = [after - before for before, after in itertools.pairwise(times)]
    assert steps == pytest.approx([1 / 30] * 39, abs=1e-3)
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (int(context.color_primaries), int(context.colorspace)) == (1, 1)


@pytest.mark.parametrize("kind", [(63, 47, (1, 1), 8), (64, 48, (1, 0), 10), (64, 48, (0, 0), 8)])
def test_any_picture_is_recorded(kind, tmp_path):
    width, height, subsampling, depth = kind
    source = SyntheticSource(width, height, 9, subsampling=subsampling, bit_depth=depth)
    record(tmp_path / "a.mkv", source)
    pictures = shown(tmp_path / "a.mkv")
    assert len(pictures) == 9
    assert {(w, h) for _, w, h in pictures} == {(width & ~1, height & ~1)}


def flat(values, color, depth=8):
    """Frames of one colour, grey with a single value."""
    dtype = np.uint8 if depth == 8 else np.uint16
    planes = Planes(tuple(np.full((48, 64), v, dtype) for v in values), (0, 0), depth)

    class Flat(SyntheticSource):
        def frames(self):
            for frame in super().frames():
                yield frame.replace(planes=planes, color=color)

    source = Flat(64, 48, 2)
    name = format_of(planes, rgb=color.rgb)
    source.info = dataclasses.replace(source.info, pixel_format=name, color=color)
    return source


COLOURS = [
    ((30, 60, 200), ColorTags(2, matrix=0), 8, (200, 30, 60)),
    ((30 << 8, 60 << 8, 200 << 8), ColorTags(2, matrix=0), 16, (200, 30, 60)),
    ((200,), ColorTags(2), 8, (200, 200, 200)),
    ((200,), ColorTags(1), 8, (214, 214, 214)),
    ((63, 102, 240), ColorTags(1, 1, 1, 1), 8, (255, 0, 0)),
]
"""Samples, tags and depth, and how they look."""


@pytest.mark.parametrize(("values", "color", "depth", "looks"), COLOURS)
def test_colours_stay_in_recordings_windows_and_arrays(values, color, depth, looks, tmp_path):
    source = flat(values, color, depth)
    record(tmp_path / "a.mkv", source)
    with contextlib.closing(FileSource(tmp_path / "a.mkv")) as recorded:
        frames = [*recorded.frames(), *source.frames()]
    for frame in frames:
        for picture in (to_rgb(frame), bgr_of(frame, frame.planes)[..., ::-1]):
            assert np.abs(picture[24, 32].astype(int) - looks).max() <= 4


def test_times_closer_than_a_millisecond_are_moved_apart(tmp_path):
    class Close(SceneSource):
        def frames(self):
            for frame in super().frames():
                yield frame.replace(pts=10**12 + frame.index, time_base=Fraction(1, 10**6))

    record(tmp_path / "a.mkv", Close(64, 64, 30))
    assert len(shown(tmp_path / "a.mkv")) == 30


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov", ".ts", ".m3u8"])
def test_a_disk_that_fills_up_at_any_moment_is_told(suffix, tmp_path, capfd):
    """At the last fragment too, of which FFmpeg says nothing."""
    path = tmp_path / f"a{suffix}"
    record(path)
    largest = max(piece.stat().st_size for piece in tmp_path.iterdir())
    for share in (0.02, 0.3, 0.6, 0.9, 0.999):
        limit, kept = int(share * largest), resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, kept[1]))
        try:
            with pytest.raises(SinkError, match="no space left"):
                record(path, overwrite=True)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, kept)
        assert max(piece.stat().st_size for piece in tmp_path.iterdir()) <= largest
    assert "Traceback" not in capfd.readouterr().err


def test_a_source_that_gives_nothing_leaves_no_file_and_takes_none(tmp_path):
    path = tmp_path / "a.mp4"
    record(path, SceneSource(160, 120, 0))
    assert not path.exists()
    path.write_bytes(b"an older recording")
    sink = LiveVideo(target_of(str(path)), overwrite=True)
    sink.open(SceneSource(160, 120, 1).info)
    sink.abort()
    assert path.read_bytes() == b"an older recording"


def test_a_file_that_is_there_is_kept(tmp_path):
    path = tmp_path / "a.mkv"
    path.write_text("mine")
    with pytest.raises(SinkError, match="exists"):
        record(path)
    assert path.read_text() == "mine"
    record(path, overwrite=True)
    assert len(shown(path)) == 40


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_a_recording_that_is_killed_plays_up_to_the_last_second(suffix, tmp_path):
    path = tmp_path / f"a{suffix}"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "100\n"
    finally:
        process.kill()
        process.communicate()
    assert 100 - 30 - 1 <= len(shown(path)) <= 100


KILLED = """
import sys, threading
from stream.capture.scene import SceneSource
from stream.output.live_video import LiveVideo
from stream.output.target import target_of

source = SceneSource(160, 120)
sink = LiveVideo(target_of(sys.argv[1]))
sink.open(source.info)
for frame in source.frames():
    if frame.index == 100:
        print(100, flush=True)
        threading.Event().wait()
    sink.write(frame)
"""


def test_a_playlist_and_its_segments(tmp_path):
    playlist = tmp_path / "new" / "live.m3u8"
    record(playlist, SceneSource(160, 120, 150))
    assert len(shown(playlist)) == 150
    assert "#EXT-X-ENDLIST" in playlist.read_text()
    assert sorted(path.suffix for path in playlist.parent.iterdir()) == [
        ".m3u8",
        ".ts",
        ".ts",
        ".ts",
    ]


def test_an_old_playlist_forgets_its_first_segments(tmp_path):
    playlist = tmp_path / "live.m3u8"
    record(playlist, SceneSource(64, 64, 150, frame_rate=Fraction(5)))
    assert len(list(tmp_path.glob("*.ts"))) < 10
    assert playlist.read_text().count("#EXTINF") == 6


def patiently(address, source):
    """The receiver takes a moment until it listens."""
    while True:
        try:
            return record(address, source)
        except SinkError as error:
            if "refused" not in str(error):
                raise
            threading.Event().wait(0.05)


def test_pushed_by_rtmp():
    address = f"rtmp://127.0.0.1:{free_port()}/live/key"
    script = Path(__file__).parents[1] / "receiver.py"
    with subprocess.Popen([sys.executable, script, address], stdout=subprocess.PIPE) as receiver:
        try:
            patiently(address, SceneSource(160, 120, 60))
            counted = receiver.stdout.read()
        finally:
            receiver.kill()
    assert int(counted) == 60


def test_pushed_by_tcp():
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = bytearray()

        def take():
            peer, _ = server.accept()
            with peer:
                while block := peer.recv(65536):
                    taken.extend(block)

        thread = threading.Thread(target=take, name="receiver")
        thread.start()
        record(f"tcp://127.0.0.1:{server.getsockname()[1]}")
        thread.join()
    assert len(taken) % 188 == 0
    assert len(taken) > 10_000


def test_pushed_by_udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(HANG_S)
        record(f"udp://127.0.0.1:{receiver.getsockname()[1]}")
        datagram = receiver.recv(65536)
    assert len(datagram) <= 1316
    assert datagram[0] == 0x47


def test_a_receiver_that_takes_nothing_is_given_up(monkeypatch):
    """Its buffers fill, and then every write would wait for ever."""
    monkeypatch.setattr("stream.output.target.PUSH_TIMEOUT_S", 0.5)
    rng = np.random.default_rng(1)

    class Noise(SceneSource):
        def frames(self):
            for frame in super().frames():
                arrays = (rng.integers(0, 255, a.shape, np.uint8) for a in frame.planes.arrays)
                yield frame.replace(planes=Planes(tuple(arrays)))

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with pytest.raises(SinkError, match=r"hung up|nobody answers"):
            record(f"tcp://127.0.0.1:{server.getsockname()[1]}", Noise(640, 360, 200), crf=1)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("rtmp://127.0.0.1:{port}/x", "refused"),
        ("tcp://127.0.0.1:{port}", "refused"),
        ("gopher://me:secret@host/x", r"^gopher://me:\*\*\*@host/x: nothing is sent by gopher"),
        ("rtmp://[bad", r"^rtmp://\[bad: "),
        ("a.avi", "a live recording ends in one of"),
        ("none/a.mkv", "folder none does not exist"),
    ],
)
def test_a_place_that_is_none_is_one_clear_line(address, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((SinkError, UsageError), match=says) as caught:
        record(address.format(port=free_port()))
    assert "\n" not in str(caught.value)


def test_stream_keys_in_queries_and_passwords_are_not_shown():
    assert target_of("rtmp://me:secret@host/x").name == "rtmp://me:***@host/x"
    assert target_of("srt://host:9?passphrase=secret").name == "srt://host:9?***"


class Driver:
    """Takes the place of pyvirtualcam."""

    class PixelFormat:
        I420 = "I420"

    def __init__(self, error=None):
        self.error = error
        self.sent = []
        self.closed = False

    def Camera(self, width, height, fps, *, fmt):  # noqa: N802
        if self.error:
            raise self.error
        self.mode = (width, height, fps, fmt)
        return self

    def send(self, array):
        self.sent.append(array)

    def close(self):
        self.closed = True


def test_the_virtual_camera_gets_the_planes(monkeypatch):
    driver = Driver()
    monkeypatch.setitem(sys.modules, "pyvirtualcam", driver)
    source = SyntheticSource(64, 48, 2)
    sink = VirtualCamera()
    sink.open(source.info)
    for frame in source.frames():
        sink.write(frame)
        np.testing.assert_array_equal(driver.sent[-1][:48], frame.planes.arrays[0])
    (frame, _) = flat((30, 60, 200), ColorTags(2, matrix=0)).frames()
    sink.write(frame)
    luma = 16 + 219 / 255 * (0.2126 * 200 + 0.7152 * 30 + 0.0722 * 60)  # of BT.709
    assert np.abs(driver.sent[-1][:48] - luma).max() <= 1.5
    sink.finish()
    assert driver.mode == (64, 48, 30.0, "I420")
    assert driver.closed


def test_without_a_driver_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyvirtualcam", Driver(RuntimeError("no device\nfound.")))
    monkeypatch.setattr("sys.platform", "linux")
    with pytest.raises(SinkError, match=r"no virtual camera \(no device found\); load .*modprobe"):
        VirtualCamera().open(SceneSource(64, 64, 1).info)
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(SinkError, match="pip install"):
        VirtualCamera().open(SceneSource(64, 64, 1).info)
