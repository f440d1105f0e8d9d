"""`deblur live` with sources whose clocks, pauses and sizes are those of the field."""

import itertools
import time

import av
import numpy as np
import pytest
from late_video import flv, withheld
from network import sender  # noqa: F401 - a fixture
from web_camera import MULTIPART, jpeg, part, steadily, web_camera  # noqa: F401 - a fixture

PATIENT = ("--timeout", "600")


def recorded(path):
    """Seconds and luma of every picture."""
    with av.open(str(path)) as container:
        return [(f.time, f.to_ndarray(format="gray")) for f in container.decode(video=0)]


def seconds_each(pictures):
    return (pictures[-1][0] - pictures[0][0]) / (len(pictures) - 1)


@pytest.mark.slow
def test_a_camera_without_a_clock_is_recorded_at_the_times_of_arrival(web_camera, live, tmp_path):  # noqa: F811
    web_camera.pages["/"] = (MULTIPART, lambda: steadily(5, lambda i: part(jpeg(i % 200))))
    path = tmp_path / "a.mkv"
    code, report, _ = live(web_camera.address("/"), "--out", str(path), "--duration", "4")
    assert code == 0
    pictures = recorded(path)
    assert len(pictures) == report["frames_out"] == report["frames_in"]
    assert seconds_each(pictures) == pytest.approx(1 / 5, rel=0.2)  # FFmpeg invents 1/25


@pytest.mark.slow
def test_a_sender_whose_clock_is_slow_is_recorded_in_the_time_that_passed(
    sender,  # noqa: F811
    live,
    tmp_path,
):
    """The first two seconds are what the measuring takes."""
    far, path = sender("udp"), tmp_path / "a.mkv"
    far.start("--stamps", 0.5)
    code, report, _ = live(far.address, "--out", str(path), "--duration", "8", *PATIENT)
    assert code == 0
    pictures = recorded(path)
    assert len(pictures) == report["frames_in"] - report["frames_dropped"]
    assert seconds_each(pictures[len(pictures) // 2 :]) == pytest.approx(1 / 20, rel=0.1)


def test_a_picture_that_turns_is_shown_whole_between_bars(sender, live, tmp_path):  # noqa: F811
    far, path = sender("http"), tmp_path / "a.mkv"
    far.start("--turn", 60)
    far.wait()
    code, report, said = live(far.address, "--out", str(path), *PATIENT, frames=90)
    assert code == 0
    assert report["size_changes"] == 1
    assert "pictures are 120x160 now, shown with bars in 160x120" in said.err
    last = recorded(path)[-1][1]
    assert last.shape == (120, 160)
    left, middle, right = last[:, :30], last[:, 40:120], last[:, -30:]
    assert max(left.mean(), right.mean()) < 24 < 60 < middle.mean()


def test_interlaced_pictures_are_recorded_whole(sender, live, tmp_path):  # noqa: F811
    far, path = sender("udp"), tmp_path / "a.mkv"
    far.start("--interlaced")
    code, _, _ = live(far.address, *("--out", str(path), "--strength", "0", *PATIENT), frames=40)
    assert code == 0
    inside = recorded(path)[-1][1].astype(int).reshape(15, 8, 160)[:, 2:6]
    combs = np.abs(np.diff(inside, axis=1)).mean()
    assert combs < 3, combs  # each square is flat; with combs it was 9


@pytest.mark.slow
def test_a_recording_keeps_every_picture_of_a_stream_that_stalls(sender, live, tmp_path):  # noqa: F811
    """Twelve at once, as over Wi-Fi; where nobody watches, none is late."""
    far, path = sender("udp"), tmp_path / "a.mkv"
    far.start("--stall", 0.6)
    code, report, _ = live(far.address, "--out", str(path), "--duration", "6", *PATIENT)
    assert code == 0
    assert report["frames_dropped"] == report["outputs"][0]["frames_dropped"] == 0
    pictures = recorded(path)
    assert len(pictures) == report["frames_in"] > 60
    steps = [after - before for (before, _), (after, _) in itertools.pairwise(pictures)]
    assert steps == pytest.approx([1 / 20] * len(steps), abs=2e-3)


def test_a_stream_whose_picture_comes_long_after_its_sound_is_waited_for(web_camera, live):  # noqa: F811
    """As of OBS by way of a server: nothing but sound until the next keyframe."""
    raw = flv(12)
    web_camera.pages["/a.flv"] = ("video/x-flv", lambda: withheld(raw, 4))
    code, report, said = live(web_camera.address("/a.flv"), "--null", frames=2)
    assert code == 0, said.err
    assert report["frames_in"] > 1


def playlist_of(camera, folder, seconds):
    """Two seconds a segment; the last six, of which a new one comes every two seconds."""
    path = folder / "all.m3u8"
    options = {"hls_time": "2", "hls_list_size": "0"}
    with av.open(str(path), "w", format="hls", options=options) as container:
        video = container.add_stream("libx264", rate=15, options={"preset": "ultrafast", "g": "30"})
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        for index in range(15 * seconds):
            picture = av.VideoFrame(160, 120, "yuv420p")
            for plane in picture.planes:
                np.frombuffer(plane, np.uint8)[:] = index % 200
            picture.pts = index
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
    segments = sorted(folder.glob("*.ts"), key=lambda path: int(path.stem.removeprefix("all")))
    began = []

    def playlist():
        began.append(time.monotonic())
        last = min(len(segments), 6 + int((began[-1] - began[0]) / 2))
        yield f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{last - 6}\n".encode()
        for segment in segments[last - 6 : last]:
            yield f"#EXTINF:2,\n{segment.name}\n".encode()

    camera.pages["/live.m3u8"] = ("application/vnd.apple.mpegurl", playlist)
    for each in segments:
        camera.pages[f"/{each.name}"] = ("video/mp2t", lambda each=each: iter([each.read_bytes()]))


@pytest.mark.slow
def test_segments_are_shown_at_the_pace_of_their_pictures(web_camera, live, tmp_path):  # noqa: F811
    """Thirty pictures come at once; taken for late, all but the last two were dropped."""
    playlist_of(web_camera, tmp_path, 60)
    code, report, _ = live(web_camera.address("/live.m3u8"), "--null", "--duration", "8")
    assert code == 0
    assert report["reconnects"] == 0
    assert report["frames_out"] >= 2 / 3 * report["frames_in"] >= 60


def bare(picture):
    return picture


def behind(picture):
    """As Tasmota and ESP32-CAM send it: the boundary comes after each part."""
    header = f"Content-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
    return header.encode() + picture + b"\r\n--frame\r\n"


def unmeasured(picture):
    return b"--other\r\nContent-Type: image/jpeg\r\n\r\n" + picture + b"\r\n"


@pytest.mark.parametrize(
    ("kind", "wrap"),
    [
        (MULTIPART, part),
        (MULTIPART, behind),
        ('multipart/x-mixed-replace;boundary="--frame"', unmeasured),
        ("image/jpeg", bare),
        ("application/octet-stream", part),
        ("application/octet-stream", bare),
    ],
)
def test_pictures_come_through_however_they_are_wrapped(kind, wrap, web_camera, live):  # noqa: F811
    web_camera.pages["/"] = (kind, lambda: steadily(10, lambda i: wrap(jpeg(i % 200))))
    code, report, said = live(web_camera.address("/"), "--null", frames=6)
    assert code == 0, said.err
    assert (report["reconnects"], report["decode_failures"]) == (0, 0)
    assert report["frames_in"] > 5


@pytest.mark.slow
def test_a_camera_with_a_picture_every_two_seconds_stays_connected(web_camera, live, tmp_path):  # noqa: F811
    web_camera.pages["/"] = (MULTIPART, lambda: steadily(0.5, lambda i: part(jpeg(40 * i % 200))))
    path = tmp_path / "a.mkv"
    code, report, said = live(web_camera.address("/"), "--out", str(path), "--duration", "7")
    assert code == 0, said.err
    assert report["reconnects"] == 0
    assert web_camera.asked == ["/"]
    pictures = recorded(path)
    assert len(pictures) == report["frames_in"] >= 3
    assert seconds_each(pictures) == pytest.approx(2, abs=0.5)


def test_an_address_that_gives_one_picture_each_time_is_asked_again(web_camera, live):  # noqa: F811
    """A new picture with every third answer; the same one again is no other."""
    web_camera.pages["/"] = (
        "image/jpeg",
        lambda: iter([jpeg(20 * ((len(web_camera.asked) + 2) // 3) % 200)]),
    )
    code, report, said = live(web_camera.address("/"), "--null", "--timeout", "600", frames=5)
    assert code == 0, said.err
    assert "connecting" not in said.err
    assert report["frames_in"] == report["frames_out"] + report["frames_dropped"]
    assert len(web_camera.asked) >= 3 * report["frames_in"] - 2
