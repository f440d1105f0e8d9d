"""Streams from another process over loopback: followed, lost, and found again."""

import http.server
import itertools
import threading
import time
from functools import partial
from types import SimpleNamespace
from urllib.parse import quote, unquote

import av
import pytest
from fakes import FakeProcessor, FakeSink, Time
from network import free_port, sender  # noqa: F401 - a fixture
from sender import parser, send
from waiting import HANG_S
from web_camera import MULTIPART, jpeg, part, steadily, web_camera  # noqa: F401 - a fixture

from stream.capture.address import SourceOptions, open_source
from stream.capture.feed import Feed
from stream.capture.network import is_url, network_connector, network_place
from stream.capture.realtime import RealtimeSource
from stream.errors import OpenError
from stream.frame import Discontinuity
from stream.pipeline import Pipeline
from stream.url import credentials, without_password

PATIENT = SourceOptions(timeout_s=1.0)
ENOUGH = 15


def opened(address, options=PATIENT, on_message=lambda message: None):
    """Open as soon as somebody sends; the other process takes its time to start."""
    deadline = time.monotonic() + HANG_S
    while True:
        try:
            return open_source(address, options, on_message=on_message)
        except OpenError:
            if time.monotonic() > deadline:
                raise


@pytest.mark.parametrize("kind", ["udp", "tcp", "http"])
def test_a_sender_that_is_killed_and_started_again(kind, sender):  # noqa: F811
    """Each step waits for the one before: seen, killed, lost, started, seen again."""
    far, said, after = sender(kind), [], []
    far.start()

    def on_message(message):
        said.append(message)
        if "connecting again" in message:
            far.start(*(("--size", 192, 128) if kind == "tcp" else ()))

    def on_progress(stats):
        if stats.frames_out == ENOUGH:
            far.kill()
        if sink.frames[-1].discontinuity is Discontinuity.RECONNECT or after:
            after.append(sink.frames[-1])
        if len(after) == ENOUGH:
            pipeline.stop()

    source = opened(far.address, on_message=on_message)
    assert (source.info.width, source.info.height) == (160, 120)
    sink = FakeSink()
    pipeline = Pipeline(source, FakeProcessor(), sink, on_progress=on_progress, capacity=1)
    stats = pipeline.run()
    assert source.reconnects >= 1  # on a busy machine a pause may pass for a loss
    assert ["there again" in message for message in said].count(True) == source.reconnects
    assert stats.frames_in == stats.frames_out + stats.frames_dropped
    assert {(frame.width, frame.height) for frame in sink.frames} == {(160, 120)}
    pts = [frame.pts for frame in sink.frames]
    assert pts == sorted(set(pts))


def test_nothing_there_is_one_clear_line():
    with pytest.raises(OpenError, match="refused"):
        open_source(f"tcp://127.0.0.1:{free_port()}")
    with pytest.raises(OpenError, match=r"nothing came within 0\.5 s"):
        open_source(f"udp://127.0.0.1:{free_port()}", SourceOptions(timeout_s=0.5))


class Site(http.server.BaseHTTPRequestHandler):
    """Serves the files of a folder, and no log."""

    folder = None

    def do_GET(self):
        content = (self.folder / self.path.strip("/")).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def site(tmp_path):
    """A folder, and its address on the web of this machine."""

    class Here(Site):
        folder = tmp_path

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Here)
    thread = threading.Thread(target=server.serve_forever, name="site")
    thread.start()
    yield tmp_path, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_recorded_video_on_the_web_plays_at_its_own_pace_and_ends(site, clip, monkeypatch):
    from clips import Clip

    time = Time()
    paced = partial(RealtimeSource, clock=time.clock, wait=time.wait)
    monkeypatch.setattr("stream.capture.realtime.RealtimeSource", paced)

    folder, url = site
    (folder / "a.mp4").write_bytes(clip(Clip()).read_bytes())
    source = open_source(f"{url}/a.mp4")
    frames = list(source.frames())
    source.close()
    assert len(frames) == 24
    captured = [frame.captured_at for frame in frames]
    assert captured == pytest.approx([100 + index / 25 for index in range(24)])
    steps = {after.pts - before.pts for before, after in itertools.pairwise(frames)}
    assert steps == {512}


def test_a_playlist_from_the_web_names_no_file_of_this_machine(site, clip):
    from clips import Clip

    folder, url = site
    segment = clip(Clip(suffix=".ts"))
    (folder / "1.ts").write_bytes(segment.read_bytes())
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n"
    (folder / "good.m3u8").write_text(playlist.format(f"{url}/1.ts"))
    (folder / "bad.m3u8").write_text(playlist.format(f"file://{segment}"))
    good = open_source(f"{url}/good.m3u8")
    assert (good.info.width, good.info.height) == (160, 120)
    good.close()
    with pytest.raises(OpenError):
        open_source(f"{url}/bad.m3u8", PATIENT)


def test_each_kind_of_address_opens_its_own_protocols_only():
    for url in ("rtsp://h/x", "rtmps://h/x", "HTTP://h/x", "udp://@:9", "srt://h:9", "tcp://h:9"):
        assert is_url(url)
        assert "file" not in network_place(url, 5).options["protocol_whitelist"]
    assert network_place("udp://@:9", 5).options["protocol_whitelist"] == "udp"
    for address in ("file:///etc/passwd", "concat:a|b", "camera:0", "a.mp4", "http", "http:x"):
        assert not is_url(address)


def test_passwords_are_not_shown():
    assert without_password("rtsp://me:secret@host:554/x") == "rtsp://me:***@host:554/x"
    assert without_password("http://host/x?token=secret") == "http://host/x?***"
    assert without_password("udp://@:1234") == "udp://@:1234"
    for password in ("se/cret", "se#cret", "se@cret", "8/se@c#ret", "/", "#", "@"):
        assert without_password(f"rtsp://me:{password}@host:554/x") == "rtsp://me:***@host:554/x"
    assert without_password("rtsp://me:se?cret@host/x") == "rtsp://me:***"
    assert without_password("http://me:secret@host/x?mail=a@b&token=c") == "http://me:***"
    assert without_password("http://host/a:b@c?token=secret#part") == "http://host/a:b@c?***"
    assert without_password("rtmp://me@home:secret@host/x") == "rtmp://me@home:***@host/x"
    assert without_password("rtsp://[::1]:554/x") == "rtsp://[::1]:554/x"
    assert without_password("what?.mp4") == "what?.mp4"
    with pytest.raises(OpenError, match=r"^ftp://me:\*\*\*@host/x is no source"):
        open_source("ftp://me:secret@host/x")
    with pytest.raises(OpenError, match=r"^rtsp://\[bad"):
        open_source("rtsp://[bad")


def test_passwords_with_any_character_reach_the_server_escaped():
    for password in ("se/cret", "se#cret", "se?cret", "s#e/c?r", "se%23cret"):
        url = network_place(f"rtsp://me:{password}@host:554/x", 5).url
        assert url == f"rtsp://me:{quote(unquote(password), safe='')}@host:554/x"
    for url in (
        "http://host/x?mail=a@b",
        "http://host:80/a:b@c",
        "http://me:secret@host/a@b?c@d",
        "rtsp://[::1]:554/x",
        "udp://@:1234",
        "rtmp://host/app/key",
    ):
        assert network_place(url, 5).url == url
    assert credentials("http://me:se%2Fcret@host/x") == ("http://host/x", "me", "se/cret")


@pytest.mark.parametrize("scheme", ["Basic", "Digest"])
def test_pictures_behind_a_password_are_fetched(scheme, web_camera):  # noqa: F811
    web_camera.challenge = f'{scheme} realm="cam", nonce="7", qop="auth"'
    web_camera.pages["/"] = (MULTIPART, lambda: steadily(20, lambda i: part(jpeg(i % 200))))
    address = web_camera.address("/").replace("http://", "http://me:se/cr#et@")
    source = open_source(address, PATIENT)
    next(source.frames())
    source.close()
    assert web_camera.asked == ["/", "/"]


def test_a_reader_that_pauses_is_not_taken_for_a_silent_source():
    picture = av.VideoFrame(64, 48, "yuv420p")
    feed = Feed.__new__(Feed)
    feed._place = network_place("udp://@:9", 0.1)
    feed._packets = lambda: iter([("picture", 7.0), ("nothing", 7.05), ("picture", 7.08)])
    feed._stream = SimpleNamespace(
        decode=lambda packet: [picture] if packet == "picture" else [],
    )
    feed._deinterlacer = SimpleNamespace(push=lambda picture: [picture], flush=list)
    feed._heard = None
    pictures = feed._decoded()
    next(pictures)
    time.sleep(0.2)
    assert len(list(pictures)) == 1


def test_a_protocol_that_this_build_lacks_is_named():
    import av

    try:
        av.open("srt://127.0.0.1:1", timeout=1)
    except av.error.ProtocolNotFoundError:
        with pytest.raises(OpenError, match="no such protocol"):
            open_source("srt://127.0.0.1:1")
    except av.FFmpegError:
        pytest.skip("this build of FFmpeg has SRT")


def test_the_sound_is_that_of_the_quality_that_is_shown(web_camera, tmp_path):  # noqa: F811
    """A playlist of two, of which the one that is not shown sounds better."""
    master = "#EXTM3U\n"
    for name, codec in (("small", "ac3"), ("large", "mp2")):
        path = tmp_path / f"{name}.ts"
        send(str(path), parser().parse_args([str(path), "--sound", codec, "--restart", "30"]))
        body = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.5,\n{path.name}\n#EXT-X-ENDLIST\n"
        for page, kind, content in (
            (f"/{name}.m3u8", "application/vnd.apple.mpegurl", body.encode()),
            (f"/{path.name}", "video/mp2t", path.read_bytes()),
        ):
            web_camera.pages[page] = (kind, lambda content=content: iter([content]))
        master += f"#EXT-X-STREAM-INF:BANDWIDTH={len(body)}00\n{name}.m3u8\n"
    web_camera.pages["/all.m3u8"] = (
        "application/vnd.apple.mpegurl",
        lambda: iter([master.encode()]),
    )
    address = web_camera.address("/all.m3u8")
    connection = network_connector(address, 600, sound=True)()
    connection.close()
    assert connection.sound.codec == "ac3"
