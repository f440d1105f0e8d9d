"""Live sources whose frames turn out larger than there is memory for."""

import contextlib
import io
import itertools
from fractions import Fraction

import av
import pytest
from web_camera import MULTIPART, jpeg, part, web_camera  # noqa: F401 - a fixture

from stream.capture.feed import Feed
from stream.capture.network import network_connector, network_place
from stream.errors import AddressError, OpenError, SourceError

SMALL, LARGE = (64, 48), (256, 192)


@pytest.fixture
def limit(monkeypatch):
    for module in ("feed", "web_pictures"):
        monkeypatch.setattr(f"stream.capture.{module}.MAX_PIXELS", 2 * SMALL[0] * SMALL[1])


def transport_stream(*sizes):
    """Ten frames of each size, one stream."""
    file = io.BytesIO()
    with av.open(file, "w", format="mpegts") as container:
        stream = container.add_stream("mpeg2video", rate=25)
        stream.width, stream.height = sizes[0]
        stream.codec_context.time_base = Fraction(1, 25)
        for number, (width, height) in enumerate(sizes):
            encoder = av.CodecContext.create("mpeg2video", "w")
            encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
            encoder.framerate, encoder.time_base = Fraction(25), Fraction(1, 25)
            for index in range(10):
                picture = av.VideoFrame(width, height, "yuv420p")
                picture.pts, picture.time_base = 10 * number + index, Fraction(1, 25)
                for packet in encoder.encode(picture):
                    packet.stream = stream
                    container.mux(packet)
            for packet in encoder.encode(None):
                packet.stream = stream
                container.mux(packet)
    return file.getvalue()


def test_a_stream_that_turns_into_something_huge_gives_no_huge_frame(limit, web_camera):  # noqa: F811
    web_camera.pages["/a.ts"] = ("video/mp2t", lambda: iter([transport_stream(SMALL, LARGE)]))
    feed = Feed(network_place(web_camera.address("/a.ts"), 600))
    try:
        sizes = set()
        with contextlib.suppress(SourceError):  # the server hangs up
            for each in feed.pictures():
                sizes.add((each.planes.width, each.planes.height))
        assert sizes == {SMALL}
        assert feed.decode_failures >= 5
    finally:
        feed.close()


def test_a_stream_that_is_huge_from_the_start_is_refused_by_its_size(limit, web_camera):  # noqa: F811
    web_camera.pages["/a.ts"] = ("video/mp2t", lambda: iter([transport_stream(LARGE)]))
    with pytest.raises(AddressError, match=r"frames are 256x192; .* megapixels are not taken"):
        Feed(network_place(web_camera.address("/a.ts"), 600))


def test_a_camera_whose_jpegs_turn_huge_gives_no_huge_frame(limit, web_camera):  # noqa: F811
    pictures = [jpeg(60), jpeg(90), jpeg(60, *LARGE), jpeg(120)]
    web_camera.pages["/"] = (MULTIPART, lambda: iter([part(each) for each in pictures]))
    connection = network_connector(web_camera.address("/"), 600)()
    try:
        found = [each.planes.arrays[0].mean() for each in connection.pictures()]
        assert found == pytest.approx([60, 90, 120], abs=2)
        assert connection.decode_failures == 1
    finally:
        connection.close()


def test_pictures_that_can_never_be_decoded_are_not_waited_for_without_end(web_camera):  # noqa: F811
    """Each begins and ends as a JPEG does, and holds nothing."""

    def body():
        for number in itertools.count():
            yield part(b"\xff\xd8\xff\xe0\x00\x0a%08d\xff\xd9" % number)

    web_camera.pages["/"] = (MULTIPART, body)
    with pytest.raises(OpenError, match=r"no picture could be decoded for 0\.5 s"):
        network_connector(web_camera.address("/"), 0.5)()
