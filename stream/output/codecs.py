"""The encoders we know, with the settings that make their loss hard to see. Opens nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache

# FFmpeg takes the quantiser of each frame, which PyAV leaves at 0, and this least one instead
_QSCALE = {"flags": "+qscale", "qmin": "2"}


@dataclass(frozen=True, slots=True)
class Known:
    """One encoder of FFmpeg's and how we run it.

    Attributes:
        encoder: FFmpeg's name.
        codec: What it writes.
        crf: Default quality, or None where the encoder has no such setting.
        preset: Default trade of time for size, or None.
        crf_flag: The encoder's own name for the quality.
        preset_flag: The encoder's own name for the trade.
        flags: What else it is given.
        device: FFmpeg's name of the device that must be opened for it, or "".
        worst_crf: The greatest quality number that it tells from a smaller one, or None.
        presets: What the trade may be; nothing where the encoder is asked.
        halving: By how much greater a quality number makes about half the bytes; None where the
            encoder has no such number, or does not lose by it.
        coarsest: The greatest quality number that is chosen for a coarse source; 0 where none is.
        lossless: Flags that take the place of the quality where nothing may be lost.
        in_order: Flags with which frames are shown as they are decoded.
    """

    encoder: str
    codec: str
    crf: int | None = None
    preset: str | None = None
    crf_flag: str = "crf"
    preset_flag: str = "preset"
    flags: dict[str, str] = field(default_factory=dict)
    device: str = ""
    worst_crf: int | None = None
    presets: tuple[str, ...] = ()
    halving: float | None = None
    coarsest: int = 0
    lossless: dict[str, str] = field(default_factory=dict)
    in_order: dict[str, str] = field(default_factory=dict)


def _numbers(first: int, last: int) -> tuple[str, ...]:
    return tuple(map(str, range(first, last + 1)))


_X26X = (
    *("ultrafast", "superfast", "veryfast", "faster", "fast"),
    *("medium", "slow", "slower", "veryslow", "placebo"),
    *_numbers(0, 9),
)

# Visually lossless: against its input, libx264 measures 42.9 dB on a detailed 480p clip at 45 ms
# of one core a frame; "medium" gains 0.2 dB for 40 % more time, "veryfast" loses 2 dB.
KNOWN = (
    *(
        Known(
            *(encoder, "h264", 17, "fast"),
            worst_crf=51,
            presets=_X26X,
            halving=6,
            coarsest=28,
            lossless={"qp": "0"},
            in_order={"bf": "0"},
        )
        for encoder in ("libx264", "libx264rgb")
    ),
    Known(
        *("libx265", "hevc", 18, "fast"),
        flags={"x265-params": "log-level=none:frame-threads=3"},
        worst_crf=51,
        presets=_X26X,
        halving=6,
        coarsest=29,
        lossless={"x265-params": "lossless=1"},
        in_order={"x265-params": "bframes=0"},
    ),
    Known(
        *("libvpx-vp9", "vp9", 18, "4"),
        preset_flag="cpu-used",
        flags={"b": "0", "row-mt": "1"},
        presets=_numbers(-8, 8),
        halving=12,
        coarsest=42,
        lossless={"lossless": "1"},
    ),
    # VP8 has no quality without a bit rate; this one is never reached
    Known(
        *("libvpx", "vp8", 10, "4"),
        preset_flag="cpu-used",
        flags={"b": "100000000", "auto-alt-ref": "0"},  # with them it refuses transparency
        presets=_numbers(-16, 16),
        halving=12,
        coarsest=36,
    ),
    Known(
        *("libsvtav1", "av1", 20, "8"),
        presets=_numbers(0, 13),
        halving=9,
        coarsest=40,
        lossless={"svtav1-params": "lossless=1"},
    ),
    Known("ffv1", "ffv1", flags={"level": "3", "slicecrc": "1"}),
    Known("prores_ks", "prores"),
    Known("dnxhd", "dnxhd", flags={"profile": "dnxhr_hqx"}),
    Known("dnxhd", "dnxhd", flags={"profile": "dnxhr_hq"}),
    Known("dnxhd", "dnxhd", flags={"profile": "dnxhr_444"}),
    Known("cfhd", "cfhd"),
    *(
        Known(codec, codec, flags=_QSCALE, coarsest=8)
        for codec in ("mpeg4", "mpeg2video", "mpeg1video", "mjpeg")
    ),
    Known("png", "png"),
    Known("tiff", "tiff"),
    # with the default a segment's first picture would be shown in the first segment's colours
    Known("gif", "gif", flags={"global_palette": "0"}),
    Known("qtrle", "qtrle"),
    Known("v210", "v210"),
    Known("magicyuv", "magicyuv"),
)
THREADS = 8
FALLBACKS = ("libx264", "libx264rgb", "libx265", "libvpx-vp9", "libsvtav1", "ffv1")
LOSSLESS = frozenset(
    [
        "apng",
        "ffvhuff",
        "huffyuv",
        "magicyuv",
        "png",
        "qtrle",
        "rawvideo",
        "utvideo",
        "v210",
        "zmbv",
    ]
)
"""Codecs of sources that have lost nothing yet."""

# Quality and default speed of hardware encoders, by the end of their names.
_HARDWARE = {
    "nvenc": Known("", "", 19, "p5", "cq", flags={"rc": "vbr"}, halving=6, coarsest=30),
    "qsv": Known("", "", 19, "medium", "global_quality", halving=6, coarsest=30),
    "amf": Known("", "", 19, None, "qp_p", flags={"rc": "cqp"}, halving=6, coarsest=30),
    "vaapi": Known(
        *("", "", 19, None, "qp"),
        flags={"rc_mode": "CQP"},
        device="vaapi",
        halving=6,
        coarsest=30,
    ),
    "videotoolbox": Known("", "", None, None, flags={"flags": "+qscale", "global_quality": "7670"}),
}
_ON_HARDWARE = ("h264", "hevc", "av1", "vp9", "mpeg2", "mjpeg", "prores")


def of_codec(codec: str) -> list[Known]:
    """Software encoders of a codec, the first one first."""
    return [known for known in KNOWN if known.codec == codec]


def find(name: str, source_codec: str) -> list[Known]:
    """What a user means by ``--codec``: a codec, an encoder, or a maker of hardware.

    Nothing for a name that we don't know, which may still be an encoder of FFmpeg's.

    Args:
        name: ``h264``, ``H.264``, ``libx264``, ``h264_nvenc``, or ``nvenc`` for the source's codec
            there.
        source_codec: FFmpeg's name.
    """
    wanted = _squeezed(name)
    known = [known for known in KNOWN if wanted in map(_squeezed, (known.encoder, known.codec))]
    if known:
        return known
    codec, _, maker = name.lower().replace("-", "_").rpartition("_")
    codec = _squeezed(codec).removesuffix("video")
    if maker in _HARDWARE and (codec in _ON_HARDWARE or not codec):
        codec = codec or (source_codec if source_codec in _ON_HARDWARE else "h264")
        return [replace(_HARDWARE[maker], encoder=f"{codec}_{maker}", codec=codec)]
    return []


def of_encoder(encoder: str) -> Known | None:
    """What is known of an encoder by FFmpeg's name."""
    return next(iter(find(encoder, "")), None)


def coarser(known: Known, flags: dict[str, str], halvings: float) -> dict[str, str]:
    """Return flags with which an encoder makes fewer bytes than by default.

    Args:
        known: The encoder.
        flags: Its own by default.
        halvings: How often to halve them; less is done where its ``coarsest`` comes first.
    """
    if known.crf is not None and known.halving is not None:
        number = min(known.coarsest, round(known.crf + known.halving * halvings))
        return flags | {known.crf_flag: str(number)}
    if known.coarsest:
        return flags | {"qmin": str(int(min(known.coarsest, 2 * 2**halvings)))}
    return flags


def profile_flags(encoder: str, profile: str, pixel_format: str) -> dict[str, str]:
    """Return flags that write the profile of the source, where that says how fine it is.

    Args:
        encoder: FFmpeg's name.
        profile: FFmpeg's name of that of the source, in the codec that the encoder writes.
        pixel_format: What the encoder is given.
    """
    sampling, flag = _PROFILES.get((encoder, profile), ("none", ""))
    return {"profile": flag} if sampling in pixel_format else {}


# What other codecs call a profile limits the decoder, and follows from what is written. DNxHR's
# others are told apart by their pixels alone.
_PROFILES = {
    ("prores_ks", "Proxy"): ("422", "proxy"),
    ("prores_ks", "LT"): ("422", "lt"),
    ("prores_ks", "Standard"): ("422", "standard"),
    ("prores_ks", "HQ"): ("422", "hq"),
    ("prores_ks", "4444"): ("444", "4444"),
    ("prores_ks", "XQ"): ("444", "4444xq"),
    ("dnxhd", "DNXHR LB"): ("yuv422p", "dnxhr_lb"),
    ("dnxhd", "DNXHR SQ"): ("yuv422p", "dnxhr_sq"),
}


def names() -> list[str]:
    """What `find` knows, for people."""
    return [*dict.fromkeys(known.codec for known in KNOWN), *_HARDWARE]


_OTHER_NAMES = {
    "x264": "h264",
    "avc": "h264",
    "avc1": "h264",
    "h265": "hevc",
    "x265": "hevc",
    "hvc1": "hevc",
    "hev1": "hevc",
    "av01": "av1",
    "svtav1": "av1",
    "dnxhr": "dnxhd",
    "cineform": "cfhd",
    "mpeg1": "mpeg1video",
    "mpeg2": "mpeg2video",
    "jpeg": "mjpeg",
    "tif": "tiff",
}


def _squeezed(name: str) -> str:
    """A name as if everybody wrote it alike: H.264, mpeg-4, x265."""
    plain = "".join(filter(str.isalnum, name.lower()))
    return _OTHER_NAMES.get(plain, plain)


def same_bytes(encoder: str) -> dict[str, str]:
    """Return what an encoder needs on this machine to write the same bytes as on any other.

    With AVX-512, x264 (core 165) shares out macroblocks beyond the right edge, whose costs it
    has never written: what was in memory before decides how well the picture is kept, wherever
    its width is no multiple of 128. Up to AVX2, its functions equal one another bit for bit. They
    are asked for only where there is AVX-512, since x264 takes our word for what the processor
    has. docs/lab/upstream.md has the whole of it.
    """
    if encoder in ("libx264", "libx264rgb") and _has_avx512():
        return {"x264-params": "asm=avx2"}
    return {}


def within_memory(encoder: str, width: int) -> dict[str, str]:
    """Return what keeps an encoder from writing beyond its own memory.

    x265 (4.2) takes at least four blocks of 16 pixels at a time when it spreads costs over a row,
    and has no memory for what a narrower frame lacks. docs/lab/upstream.md has the whole of it.
    """
    if encoder == "libx265" and width <= _THREE_BLOCKS:
        return {"x265-params": "cutree=0"}
    return {}


_THREE_BLOCKS = 48


@cache
def _has_avx512() -> bool:
    import cv2  # it can tell on every system

    return bool(cv2.checkHardwareSupport(_AVX_512F))


_AVX_512F = 13  # CV_CPU_AVX_512F, which OpenCV does not name in Python


def is_hardware(encoder: str) -> bool:
    """Whether an encoder needs a device that may be missing."""
    return encoder.rpartition("_")[2] in _HARDWARE
