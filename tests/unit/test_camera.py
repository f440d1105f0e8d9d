"""Cameras that are not there: a driver's answers, good and bad, and the list of them."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from stream.capture.address import open_source
from stream.capture.camera import cameras
from stream.capture.camera_mode import CameraMode
from stream.capture.video4linux import Video4Linux
from stream.errors import OpenError, SourceError


def jpeg(value):
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 64, 48, "yuvj422p"
    encoder.time_base = Fraction(1, 30)
    picture = av.VideoFrame(64, 48, "yuvj422p")
    for plane in picture.planes:
        np.frombuffer(plane, np.uint8)[:] = value
    picture.pts = 0
    raw = b"".join(bytes(packet) for packet in encoder.encode(picture))
    return np.frombuffer(raw, np.uint8)[None]


class Driver:
    """Answers as ``cv2.VideoCapture`` does, with these arrays, then with nothing."""

    def __init__(self, *arrays, fourcc="MJPG", there=True):
        self.asked = {}
        self.released = False
        self._arrays = list(arrays)
        self._there = there
        self._fourcc = cv2.VideoWriter.fourcc(*fourcc)

    def __call__(self, path, backend):
        return self

    def isOpened(self):  # noqa: N802
        return self._there

    def set(self, key, value):
        self.asked[key] = value
        return True

    def get(self, key):
        return {cv2.CAP_PROP_FOURCC: self._fourcc, cv2.CAP_PROP_FPS: 30.0}[key]

    def read(self):
        return (True, self._arrays.pop(0)) if self._arrays else (False, None)

    def release(self):
        self.released = True


def camera(driver, mode=None):
    return Video4Linux("/dev/video0", mode or CameraMode(), 2, capture=driver)


def test_compressed_pictures_are_decoded_to_their_own_planes():
    driver = Driver(jpeg(90), jpeg(120))
    here = camera(driver, CameraMode((640, 480), 25))
    pictures = here.pictures()
    luma = [int(next(pictures).planes.arrays[0].mean()) for _ in range(2)]
    assert luma == [90, 120]
    assert here.info.pixel_format == "yuv422p"
    assert here.info.color.full_range
    assert (here.info.codec, here.info.frame_rate, here.info.live) == ("mjpeg", 30, True)
    assert driver.asked[cv2.CAP_PROP_FOURCC] == cv2.VideoWriter.fourcc(*"MJPG")
    assert driver.asked[cv2.CAP_PROP_FRAME_WIDTH] == 640
    assert driver.asked[cv2.CAP_PROP_FPS] == 25
    assert driver.asked[cv2.CAP_PROP_CONVERT_RGB] == 0
    with pytest.raises(SourceError, match="no more pictures"):
        next(pictures)
    here.close()
    assert driver.released


def test_raw_pictures_keep_every_sample():
    rng = np.random.default_rng(2)
    array = rng.integers(0, 255, (48, 64, 2), np.uint8)
    planes = next(camera(Driver(array, fourcc="YUYV")).pictures()).planes
    np.testing.assert_array_equal(planes.arrays[0], array[..., 0])
    np.testing.assert_array_equal(planes.arrays[1], array[:, 0::2, 1])
    np.testing.assert_array_equal(planes.arrays[2], array[:, 1::2, 1])


def test_anything_else_comes_as_colours():
    array = np.full((48, 64, 3), 128, np.uint8)
    planes = next(camera(Driver(array, fourcc="H264")).pictures()).planes
    assert planes.arrays[0].mean() == pytest.approx(126, abs=1)


def test_a_broken_picture_is_counted_and_passed_over():
    here = camera(Driver(jpeg(90), np.zeros((1, 100), np.uint8), jpeg(120)))
    pictures = here.pictures()
    assert [int(next(pictures).planes.arrays[0].mean()) for _ in range(2)] == [90, 120]
    assert here.decode_failures == 1


@pytest.mark.parametrize(
    ("driver", "says"),
    [(Driver(there=False), "does not exist|another program"), (Driver(), "no more pictures")],
)
def test_a_camera_that_gives_nothing_is_given_back(driver, says):
    with pytest.raises(OpenError, match=says):
        camera(driver)
    assert driver.released


def test_the_list_names_cameras_and_leaves_out_their_other_nodes(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    for number, name, index in ((0, "HD Webcam", 0), (1, "HD Webcam", 1), (12, "Loop", 0)):
        node = tmp_path / f"video{number}"
        node.mkdir()
        (node / "name").write_text(f"{name}\n")
        (node / "index").write_text(f"{index}\n")
    assert cameras(tmp_path) == [("camera:0", "HD Webcam"), ("camera:12", "Loop")]
    assert cameras(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("platform", "device", "name", "url", "options"),
    [
        ("darwin", "avfoundation", "FaceTime", "FaceTime:none", [{}]),
        ("win32", "dshow", "Cam", "video=Cam", [{"vcodec": "mjpeg"}, {}]),
        ("linux", "v4l2", "0", "/dev/video0", [{"input_format": "mjpeg"}, {}]),
    ],
)
def test_where_ffmpeg_has_the_system_s_cameras_it_opens_them(
    platform, device, name, url, options, monkeypatch
):
    tried = []

    def refuse(file, **given):
        tried.append((file, given["format"], given["options"]))
        raise OSError("busy")

    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr("av.formats_available", {device})
    monkeypatch.setattr("av.open", refuse)
    with pytest.raises(OpenError, match=f"camera:{name} cannot be opened .busy"):
        open_source(f"camera:{name}")
    assert tried == [(url, device, {"framerate": "30"} | extra) for extra in options]


def test_a_camera_that_is_not_there_is_one_clear_line():
    with pytest.raises(OpenError, match="video63 does not exist"):
        open_source("camera:63")


def test_a_screen_without_a_display_is_one_clear_line(monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(OpenError, match="no display; set DISPLAY"):
        open_source("screen:")
    monkeypatch.setattr("av.formats_available", set())
    with pytest.raises(OpenError, match="no x11grab"):
        open_source("screen:")
