"""What a finished file lacks is named, whoever lost it: the source, the muxer or the container."""

import io
import re
import struct
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import clips
import numpy as np
import pytest
from clips import Clip, make_clip, opened, packets
from fakes import FakeProcessor

from stream.jobs import CleanOptions, clean_file, join
from stream.output.encoder import EncoderOptions
from stream.output.muxer import open_muxer

FAST = CleanOptions(EncoderOptions(preset="ultrafast"))
MILLISECOND = Fraction(1, 1000)
PLAIN = {"metadata": (), "attachment": False, "chapters": False, "options": (), "gaps": (1,)}
PLAIN |= {"time_base": Fraction(1, 25), "pixel_format": "yuvj420p", "color": (2, 2, 2, 2)}
FULL = Clip(
    *(".mkv", "libx264"),
    time_base=MILLISECOND,
    gaps=(40,),
    audio="flac",
    subtitle="subrip",
    chapters=True,
    attachment=True,
    metadata=(("title", "A walk"), ("com.example.lens", "wide")),
)


class Careless:
    """A muxer that loses one thing."""

    def __init__(self, muxer, thing):
        self._muxer, self._thing = muxer, thing
        self._packets = Counter()
        self._elsewhere = av.open(io.BytesIO(), "w", format="matroska")

    def __getattr__(self, name):
        return getattr(self._muxer, name)

    def add_stream_from_template(self, stream, **options):
        if stream.type == "attachment" and self._thing == "attachment":
            return self._elsewhere.add_stream_from_template(stream, **options)
        return self._muxer.add_stream_from_template(stream, **options)

    def set_chapters(self, chapters):
        if self._thing == "chapters":
            return
        if self._thing == "names of chapters":
            chapters = [{**chapter, "metadata": {}} for chapter in chapters]
        if self._thing == "times of chapters":
            chapters = [{**each, "start": (each["start"] + each["end"]) // 2} for each in chapters]
        self._muxer.set_chapters(chapters)

    def start_encoding(self):
        if self._thing == "tag":
            self._muxer.metadata.pop("com.example.lens", None)
            self._muxer.metadata.pop("COM.EXAMPLE.LENS", None)
        for stream in self._muxer.streams:
            if self._thing == "language":
                stream.metadata.pop("language", None)
            if self._thing == "title of a stream":
                stream.metadata.pop("title", None)
            if self._thing == "mark":
                stream.disposition = 0
        self._muxer.start_encoding()

    def mux(self, packet):
        kind = packet.stream.type
        self._packets[kind] += 1
        if self._thing in (f"all {kind}", f"{kind} packet" if self._packets[kind] == 4 else ""):
            return
        if self._thing == "step" and kind == "audio":
            late = round(Fraction(1, 2) / packet.time_base)
            packet.pts, packet.dts = packet.pts + late, packet.dts + late
        self._muxer.mux(packet)


SOUND = "audio stream 1 (flac, fin)"
THINGS = {
    "nothing": [],
    "tag": ["mkv keeps no tag com.example.lens"],
    "language": [
        f"{SOUND}: mkv keeps no language",
        "subtitle stream 2 (subrip, isl): mkv keeps no language",
    ],
    "title of a stream": [f"{SOUND}: mkv keeps no tag title"],
    "mark": [f"{SOUND}: mkv keeps no marks default, forced"],
    "chapters": ["mkv keeps no chapters"],
    "names of chapters": ["mkv keeps no title of chapters"],
    "times of chapters": ["mkv keeps no times of chapters"],
    "attachment": ["attachment stream 3 (font.ttf) is not in the finished file"],
    "all audio": [f"{SOUND}: 9 of 9 packets are missing"],
    "audio packet": [f"{SOUND}: 1 of 9 packets are missing"],
    "all subtitle": ["subtitle stream 2 (subrip, isl): 2 of 2 packets are missing"],
    "video packet": ["video stream 0 (h264): 1 of 24 packets are missing"],
    "step": [f"{SOUND} begins +0.50 s out of step"],
}


def careless(thing):
    def opened_muxer(target, *given):
        muxer = open_muxer(target, *given)
        return Careless(muxer, thing) if isinstance(target, Path) else muxer  # else a trial

    return opened_muxer


@pytest.mark.parametrize("thing", THINGS)
def test_whatever_the_muxer_loses_is_named(thing, tmp_path, monkeypatch):
    plain, source = tmp_path / "plain.mkv", tmp_path / "in.mkv"
    make_clip(plain, FULL)
    mark(plain, source)
    monkeypatch.setattr(join, "open_muxer", careless(thing))
    warnings = clean_file(source, tmp_path / "out.mkv", FakeProcessor(), FAST).warnings
    assert [text.removeprefix(f"{source}: ") for text in warnings] == THINGS[thing]


def mark(source, target):
    """Copy a file, with a title and a mark for its sound."""
    with av.open(str(source)) as before, av.open(str(target), "w", format="matroska") as after:
        after.metadata.update(before.metadata)
        after.set_chapters(before.chapters())
        copies = {}
        for stream in before.streams:
            copy = copies[stream.index] = after.add_stream_from_template(stream, opaque=True)
            copy.metadata.update(stream.metadata)
            if stream.type == "audio":
                copy.metadata["title"], copy.disposition = "Commentary", 1 | 1 << 6
        after.start_encoding()
        for made in before.demux(*[one for one in before.streams if one.type != "attachment"]):
            if made.size:
                made.stream = copies[made.stream.index]
                after.mux(made)


def tagged(path, tags):
    """A MOV or MP4 with keys of any name, as cameras write them."""
    options = {"movflags": "use_metadata_tags"}
    with av.open(str(path), "w", options=options) as container:
        container.metadata.update(tags)
        add_video(container)


def add_video(container):
    spec = Clip(frames=6)
    video = clips.add_video(container, spec)
    container.start_encoding()
    for index, time in enumerate(spec.pts):
        container.mux(video.encode(clips.picture(spec, index, time)))
    container.mux(video.encode(None))


PHONE = {
    "com.apple.quicktime.make": "Apple",
    "com.apple.quicktime.creationdate": "2023-11-05T12:34:56+0100",
    "com.apple.quicktime.location.ISO6709": "+00.0000+000.0000+000.000/",
    "com.android.version": "14",
    "title": "A walk",
}


@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv"])
def test_what_a_phone_writes_of_itself_stays(suffix, tmp_path):
    source, target = tmp_path / "in.mov", tmp_path / f"out{suffix}"
    tagged(source, PHONE)
    assert clean_file(source, target, FakeProcessor(), FAST).warnings == ()
    with opened(target) as container:
        kept = {key.lower(): text for key, text in container.metadata.items()}
    assert {key: kept.get(key.lower()) for key in PHONE} == PHONE
    # and the title stands where programs that don't know the long keys look for it
    place = {".mov": b"\xa9nam", ".mp4": b"ilst", ".mkv": b"Title"}[suffix]
    if suffix != ".mkv":
        assert place in target.read_bytes()


def test_what_a_container_has_no_room_for_is_named_with_one_that_has(tmp_path):
    source = tmp_path / "in.mov"
    tagged(source, PHONE)
    result = clean_file(source, tmp_path / "out.ts", FakeProcessor(), FAST)
    keys = ", ".join(key.lower() for key in PHONE)
    (said,) = [text for text in result.warnings if "keeps no tag" in text]
    assert said.startswith(f"{source}: ts keeps no tags ")
    assert all(key in said for key in keys.split(", "))
    assert said.endswith("; .mp4 does")


def box(kind, *parts):
    data = b"".join(parts)
    return struct.pack(">I4s", 8 + len(data), kind) + data


def into_film(path, *boxes):
    """Put boxes at the end of the file's `moov`, which is the last box."""
    raw = bytearray(path.read_bytes())
    place = raw.rindex(b"moov") - 4
    size = struct.unpack_from(">I", raw, place)[0]
    assert place + size == len(raw)
    added = b"".join(boxes)
    raw[place : place + 4] = struct.pack(">I", size + len(added))
    path.write_bytes(raw + added)


@pytest.mark.parametrize(("suffix", "kept"), [(".mp4", True), (".mov", True), (".mkv", False)])
def test_a_cameras_own_boxes_stay_or_are_named(suffix, kept, tmp_path):
    """GoPro's ids and lens, which FFmpeg does not show."""
    source, target = tmp_path / "in.mp4", tmp_path / f"out{suffix}"
    make_clip(source, Clip(frames=6))
    into_film(source, box(b"udta", box(b"MUID", b"HD9.01"), box(b"LENS", b"LAJ0000")))
    warnings = clean_file(source, target, FakeProcessor(), FAST).warnings
    named = f"{source}: {suffix[1:]} keeps no camera data MUID, no camera data LENS"
    assert warnings == (() if kept else (named,))
    raw = target.read_bytes()
    assert (box(b"MUID", b"HD9.01") in raw and box(b"LENS", b"LAJ0000") in raw) is kept


@pytest.mark.parametrize("suffix", [".mov", ".mkv"])
def test_a_track_that_can_only_be_written_without_its_description_is_left_out(suffix, tmp_path):
    """As phones' `mebx` is: a MOV with an empty description is invalid."""
    source, target = tmp_path / "in.mp4", tmp_path / f"out{suffix}"
    make_clip(source, Clip(frames=6, subtitle="mov_text"))
    source.write_bytes(source.read_bytes().replace(b"tx3g", b"mebx").replace(b"sbtl", b"meta"))
    result = clean_file(source, target, FakeProcessor(), FAST)
    assert [text for text in result.warnings if "stream" in text] == [
        f"data stream 1 (mebx, isl) cannot be kept in {suffix[1:]}, left out"
    ]
    with opened(target) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def captioned(payload):
    """An SEI message of registered user data, as a NAL unit of MP4."""
    unit = b"\x06\x04" + bytes([len(payload)]) + payload + b"\x80"
    return len(unit).to_bytes(4, "big") + unit


@pytest.mark.parametrize("first", [0, 5])
def test_captions_are_named_wherever_they_begin(first, clip, tmp_path):
    source = tmp_path / "in.mp4"
    captions = captioned(b"\xb5\x00\x31GA94\x03\xc1\xff\xfc\x94\x20\xff")
    with av.open(str(clip(Clip()))) as plain, av.open(str(source), "w") as container:
        video = container.add_stream_from_template(plain.streams.video[0], opaque=True)
        made = [each for each in plain.demux(video=0) if each.size]
        for number, each in enumerate(made):
            new = av.Packet(captions * (number >= first) + bytes(each))
            new.stream, new.pts, new.dts, new.time_base = video, each.pts, each.dts, each.time_base
            new.is_keyframe, new.duration = each.is_keyframe, each.duration
            container.mux(new)
    result = clean_file(source, tmp_path / "out.mp4", FakeProcessor(), FAST)
    assert result.warnings == (f"{source}: its closed captions cannot be kept",)


def test_a_portrait_keeps_its_rotation_whatever_its_canvas(tmp_path):
    """Phones move the turned picture back into view, which Matroska has no numbers for."""
    source = tmp_path / "in.mov"
    spec = Clip(frames=3, rotation=90)
    make_clip(source, spec)
    raw = bytearray(source.read_bytes())
    turned = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    place = raw.index(struct.pack(">2i", 0, -65536), raw.index(b"tkhd"))
    moved = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 120 << 16, 0, 1 << 30)
    raw[place : place + len(turned)] = moved
    source.write_bytes(raw)
    target = tmp_path / "out.mkv"
    assert clean_file(source, target, FakeProcessor(), FAST).warnings == ()
    with opened(target) as container:
        assert next(container.decode(video=0)).rotation == -90


def element(number, *parts):
    data = b"".join(parts)
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return raw + (len(data) | 1 << 56).to_bytes(8, "big") + data


def test_what_matroska_says_and_ffmpeg_hides_is_named(clip, tmp_path):
    source = tmp_path / "in.mkv"
    plain = clip(Clip(".mkv", time_base=MILLISECOND, gaps=(40,), frames=6)).read_bytes()

    def atom(*inner):
        return element(0xB6, element(0x91, b"\0"), *inner)

    names = [element(0x80, element(0x85, text)) for text in (b"One", b"Eins")]
    source.write_bytes(
        plain
        + element(0x1654AE6B, element(0xAE, element(0x22B59D, b"pt-BR")))
        + element(0x1043A770, element(0x45B9, atom(*names, atom(names[0]))))
        + element(
            0x1254C367,
            element(
                0x7373,
                element(0x63C0, element(0x68CA, b"\x46")),
                element(0x67C8, element(0x45A3, b"TITLE"), element(0x4487, b"The Collection")),
            ),
        )
    )
    result = clean_file(source, tmp_path / "out.mkv", FakeProcessor(), FAST)
    words = (
        "full languages of tracks, no sub-chapters, no second names of chapters, no levels of tags"
    )
    assert result.warnings == (f"{source}: mkv keeps no {words}",)


def cropped_matroska(path, clip):
    """A file that crops 8 pixels at the left and at the top, in the place of its colours."""
    spec = Clip(".mkv", time_base=MILLISECOND, gaps=(40,), frames=6, color=(1, 1, 1, 1))
    raw = clip(spec).read_bytes()
    place = raw.index(b"\x55\xb0")
    size = 3 + (raw[place + 2] & 0x7F)
    crop = b"\x54\xcc\x81\x08" + b"\x54\xbb\x81\x08"
    filled = crop + bytes([0xEC, 0x80 | (size - len(crop) - 2)]) + bytes(size - len(crop) - 2)
    path.write_bytes(raw[:place] + filled + raw[place + size :])


def cropped_mp4(path, clip):
    """A file with a clean aperture of 144x112 in its only track; its index comes last."""
    raw = clip(Clip(frames=6)).read_bytes()
    aperture = struct.pack(">I4s8I", 40, b"clap", 144, 1, 112, 1, 0, 1, 0, 1)
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"):
        place = raw.rindex(kind) - 4
        (size,) = struct.unpack_from(">I", raw, place)
        raw = raw[:place] + struct.pack(">I", size + len(aperture)) + raw[place + 4 :]
    path.write_bytes(raw[: place + size] + aperture + raw[place + size :])


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov"])
@pytest.mark.parametrize("make", [cropped_matroska, cropped_mp4])
def test_a_crop_of_the_container_is_named(make, suffix, clip, tmp_path):
    source = tmp_path / "in"
    make(source, clip)
    warnings = clean_file(source, tmp_path / f"out{suffix}", FakeProcessor(), FAST).warnings
    (told,) = [warning for warning in warnings if "crop" in warning]
    assert told.startswith(f"{source}: its crop cannot be kept (")


def test_a_title_that_is_not_utf_8_keeps_its_bytes(tmp_path):
    source, target = tmp_path / "in.avi", tmp_path / "out.mkv"
    make_clip(
        source,
        Clip(
            ".avi",
            "mpeg4",
            frames=4,
            options=(),
            time_base=Fraction(1, 25),
            gaps=(1,),
            metadata=(("title", "Caf# del mar"),),
        ),
    )
    source.write_bytes(source.read_bytes().replace(b"Caf# del", b"Caf\xe9 del"))
    assert clean_file(source, target, FakeProcessor()).warnings == ()
    assert b"Caf\xe9 del mar" in target.read_bytes()


def test_sound_of_a_disc_stays_in_m2ts(tmp_path):
    """FFmpeg takes the mode from a file's name, which the trial in memory had none of."""
    source, target = tmp_path / "in.m2ts", tmp_path / "out.m2ts"
    make_clip(source.with_suffix(".ts"), Clip(".ts", time_base=Fraction(1, 90000), gaps=(3600,)))
    with (
        av.open(str(source.with_suffix(".ts"))) as plain,
        av.open(str(source), "w", format="mpegts", options={"mpegts_m2ts_mode": "1"}) as disc,
    ):
        video = disc.add_stream_from_template(plain.streams.video[0], opaque=True)
        sound = disc.add_stream("pcm_bluray", rate=48_000, layout="stereo")
        disc.start_encoding()
        for made in plain.demux(video=0):
            if made.size:
                made.stream = video
                disc.mux(made)
        for start in range(0, 40_000, 960):
            frame = av.AudioFrame(format="s16", layout="stereo", samples=960)
            frame.planes[0].update(bytes(range(256)) * 15)
            frame.sample_rate, frame.pts, frame.time_base = 48_000, start, Fraction(1, 48_000)
            disc.mux(sound.encode(frame))
        disc.mux(sound.encode(None))
    result = clean_file(source, target, FakeProcessor(), FAST)
    assert result.warnings == ()
    before, after = packets(source, "audio"), packets(target, "audio")
    assert b"".join(raw for _, raw in after) == b"".join(raw for _, raw in before)


def test_the_signature_of_ffmpegs_muxers_is_nothing_that_could_be_lost(clip, tmp_path):
    made = clip(replace(FULL, suffix=".avi", codec="mjpeg", audio="", subtitle="", **PLAIN))
    source = tmp_path / "in.avi"
    raw, found = re.subn(rb"(?<=Lavf)\d\d", b"59", made.read_bytes())  # of another version
    assert found
    source.write_bytes(raw)
    assert clean_file(source, tmp_path / "out.avi", FakeProcessor()).warnings == ()


def seen(path):
    """The first frame's colours as FFmpeg shows them, (H, W, 3) of 0 to 255."""
    with av.open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24").astype(float)


RANGED = [
    (".webm", "vp8", "yuv420p", "vp9"),
    (".mov", "prores", "yuv420p", "h264"),
    (".mov", "dnxhr", "yuv422p10le", ""),
    (".avi", "mpeg4", "yuv420p", "h264"),
    (".mkv", "prores", "gray", "h264"),
    (".avi", "h264", "yuv420p", ""),
    (".webm", "vp9", "yuv420p", ""),
    (".ts", "hevc", "gray", ""),
]


@pytest.mark.parametrize(("suffix", "codec", "layout", "keeps"), RANGED)
def test_a_full_range_that_a_codec_cannot_tell_becomes_limited_and_looks_the_same(
    suffix, codec, layout, keeps, clip, tmp_path
):
    source, target = clip(_in_full_range(layout)), tmp_path / f"o{suffix}"
    options = CleanOptions(EncoderOptions(codec))
    warnings = clean_file(source, target, FakeProcessor(), options).warnings
    told = [warning for warning in warnings if "full range becomes limited" in warning]
    assert [warning.endswith(f"--codec {keeps} keeps it") for warning in told] == [True] * bool(
        keeps
    )
    assert not any("black is 0" in warning for warning in warnings)
    # the encoders take 1 to 3; taken for limited, 40 and 200 would become 28 and 214
    assert np.abs(seen(target) - seen(source)).mean() < 4


def test_what_loses_nothing_keeps_samples_of_a_range_that_it_cannot_tell(clip, tmp_path):
    source, target = clip(_in_full_range("yuv420p")), tmp_path / "o.avi"
    options = CleanOptions(EncoderOptions("ffv1"))
    warnings = clean_file(source, target, FakeProcessor(), options).warnings
    assert [warning for warning in warnings if "black is 0" in warning]
    planes = []
    for path in (source, target):
        with av.open(str(path)) as container:
            planes.append(next(container.decode(video=0)).to_ndarray())
    assert np.array_equal(*planes)


def _in_full_range(layout):
    if layout == "yuv420p":
        return Clip(color=(2, 2, 2, 2))
    color = (0, 2, 2, 2) if layout == "gray" else (2, 2, 2, 2)  # grey is of full range unsaid
    return Clip(".mkv", "ffv1", 256, pixel_format=layout, color=color, options=())
