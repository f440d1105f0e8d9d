"""Which encoder writes a stream, and with what settings.

The encoder follows the source's codec. Whether it can take the stream is not looked up in tables
but asked: every candidate is opened on the real size, pixel format, time base and container. What
keeps every sample comes first; where something must go, it is said.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from av.codec import Codec

from stream.containers import MKV, MOV, MP4, STILLS, of_muxer, reordered_s
from stream.errors import SinkError, UsageError
from stream.frame import StreamInfo
from stream.output.codecs import (
    FALLBACKS,
    KNOWN,
    LOSSLESS,
    Known,
    find,
    is_hardware,
    names,
    of_codec,
    profile_flags,
)
from stream.output.encoding import Encoding, joined, loses_range, refusal
from stream.output.layout import (
    Layout,
    as_palette,
    as_rgb,
    as_yuv,
    exact,
    opaque,
    rounded,
    then,
    widened,
)
from stream.pixel_format import has_alpha, is_yuv
from stream.stills import Stills

_DELAYED = 8  # frames: more than x264 and x265 decode ahead of a frame that is shown


@dataclass(frozen=True, slots=True)
class EncoderOptions:
    """What a user may choose; None leaves the choice to us.

    Attributes:
        codec: A codec (h264), an encoder of FFmpeg's (libx264, h264_nvenc) or a maker of hardware
            (nvenc); None follows the source.
        crf: Constant quality, smaller is better; the default is visually lossless.
        preset: The encoder's trade of time for size.
        in_order: Whether frames are to be decoded as they are shown, for the container's sake.
    """

    codec: str | None = None
    crf: int | None = None
    preset: str | None = None
    in_order: bool = False

    def __post_init__(self) -> None:
        if self.crf is not None and not 0 <= self.crf <= 63:
            raise UsageError(f"--crf is 0 (best) to 63 (smallest), not {self.crf}")


def choose_encoding(
    info: StreamInfo, options: EncoderOptions, format_name: str
) -> tuple[Encoding, list[str]]:
    """The first encoder that takes this stream with the least loss, and warnings of surprises.

    Raises:
        UsageError: The encoder has no such setting, or there is none of the name asked for.
        SinkError: None does, or not the one the user asked for.
    """
    refused: dict[str, str] = {}
    for known, layout in _attempts(info, options, format_name):
        _require_known([known], options)
        encoding = _encoding(known, layout, options, info, format_name)
        reason = refusal(info, encoding, format_name)
        if reason is None:
            surprises = _surprises(info, options, known, layout, refused, format_name)
            if loses_range(info, encoding, format_name):
                encoding = replace(encoding, limited=True)
                surprises.append(
                    f"{info.name}: full range becomes limited, all that {known.codec} in "
                    f"{format_name} can tell; --codec {of_muxer(format_name).ranged_codec} keeps it"
                )
            return encoding, surprises
        _require_settings(known, encoding, options, info, format_name)
        least_telling = "does not take"
        if least_telling in refused.get(known.codec, "") and least_telling not in reason:
            del refused[known.codec]
        refused.setdefault(known.codec, f"{known.encoder} {reason}")
    picture = f"{info.width}x{info.height} {info.pixel_format}"
    advice = " or ".join(_advice(info, options, format_name)) or "convert it first"
    raise SinkError(
        f"no encoder for {picture} in {format_name}: {'; '.join(refused.values())}; {advice}"
    )


def _advice(info: StreamInfo, options: EncoderOptions, format_name: str) -> Iterator[str]:
    """What would do instead, each of it tried."""
    other = MOV if of_muxer(format_name) is MKV else MKV
    for words, codec, muxer in (
        (f"try another container ({other.suffixes[0]})", options.codec, other.muxer),
        ("try --codec ffv1", "ffv1", format_name),
        ("leave out --codec", None, format_name),
    ):
        plain = EncoderOptions(codec)
        attempts = _attempts(info, plain, muxer)
        if (codec, muxer) != (options.codec, format_name) and any(
            refusal(info, _encoding(known, layout, plain, info, muxer), muxer) is None
            for known, layout in attempts
        ):
            yield words


def _encoding(
    known: Known, layout: Layout, options: EncoderOptions, info: StreamInfo, format_name: str
) -> Encoding:
    flags = _flags(known, options, info, format_name)
    if known.codec == info.codec:
        flags |= profile_flags(known.encoder, info.profile, layout.name)
    return Encoding(known.encoder, layout.name, flags, known.device)


def for_stills(options: EncoderOptions, target: Path, info: StreamInfo) -> EncoderOptions:
    """The options with the codec that numbered pictures ask for, in the target or the source.

    In MP4 hardly any player shows codecs of still pictures: those become H.264, and HEVC where they
    have more than 8 bits.

    Raises:
        UsageError: Another codec was asked for.
        SinkError: These pictures would look wrong in it.
    """
    codec = STILLS.get(target.suffix.lower())
    if codec is None:
        film = target.suffix.lower() in MP4.suffixes and Stills.at(Path(info.name)) is not None
        if options.codec is None and film:
            deep = info.pixel_format.endswith("le")
            return replace(options, codec="hevc" if deep else "h264")
        return options
    if options.codec and codec not in [known.codec for known in _wanted(options.codec, info.codec)]:
        raise UsageError(f"{target.name} holds {codec}, not {options.codec}; leave --codec out")
    if codec == "mjpeg" and not (info.color.full_range and not info.color.rgb):
        raise SinkError(f"{target.name}: JPEG is for full-range YUV, as from JPEG; name it .png")
    return replace(options, codec=codec)


def _wanted(name: str, source_codec: str) -> list[Known]:
    """What a user means by ``--codec``, any encoder of FFmpeg's included.

    Raises:
        UsageError: There is no such encoder of video.
    """
    known = find(name, source_codec)
    if known:
        return known
    with contextlib.suppress(ValueError):
        codec = Codec(name.lower(), "w")
        if codec.type == "video":
            return [Known(codec.name, codec.canonical_name)]
    raise UsageError(f"there is no codec {name!r}; --codec is one of {', '.join(names())}")


def _attempts(
    info: StreamInfo, options: EncoderOptions, format_name: str
) -> Iterator[tuple[Known, Layout]]:
    """Encoders and what they could be given, the most faithful first."""
    flowing = info.pixel_format

    def finer(layouts: list[Layout]) -> list[Layout]:
        """Only for a codec that was asked for: another one holds the samples as they are."""
        return widened(layouts) if options.codec is not None else []

    if options.codec is not None:
        wanted = _wanted(options.codec, info.codec)
        missing = [one.codec for one in wanted if is_hardware(one.encoder)]
        own = others = wanted + [known for codec in missing for known in of_codec(codec)]
    else:
        own = of_codec("gif" if format_name == "gif" else info.codec)
        lossless = info.codec in LOSSLESS and of_muxer(format_name).holds_ffv1
        names = (*(("ffv1",) if lossless else ()), *FALLBACKS)
        others = own + [_named(name) for name in names if _named(name) not in own]
    keeping = others
    if has_alpha(flowing) and options.codec is None:
        keeping = own + [_named(name) for name in of_muxer(format_name).transparent]
    for candidates, layouts in (
        (own, exact(flowing)),
        (own, rounded(flowing)),
        (keeping, exact(flowing)),
        (own, finer([Layout(flowing)])),
        (own, finer(rounded(flowing))),
        (own, then(rounded(flowing), as_yuv)),
        (others, opaque(flowing)),
        (others, finer(opaque(flowing))),
        (others, as_yuv(flowing)),
        (others, finer(as_yuv(flowing))),
        (own if options.codec is not None else [], as_rgb(flowing)),
        (others, rounded(flowing)),
        (others, then(rounded(flowing), opaque)),
        (others, then(rounded(flowing), as_yuv)),
        ([known for known in own if known.codec == "gif"], as_palette(flowing)),
    ):
        for known, layout in itertools.product(candidates, layouts):
            # TIFF would hold luma and chroma, but not by which formula
            if known.codec != "tiff" or info.codec == "tiff" or not is_yuv(layout.name):
                yield known, layout


def _named(encoder: str) -> Known:
    return next(known for known in KNOWN if known.encoder == encoder)


def _flags(
    known: Known, options: EncoderOptions, info: StreamInfo, format_name: str
) -> dict[str, str]:
    flags = dict(known.flags)
    for flag, default, chosen in (
        (known.crf_flag, known.crf, options.crf),
        (known.preset_flag, known.preset, options.preset),
    ):
        if default is None and options.codec is None:
            continue  # a setting meant for another encoder does not turn the source's codec down
        if default is not None or chosen is not None:
            flags[flag] = str(default if chosen is None else chosen)
    if options.in_order or of_muxer(format_name).steady or _are_rare(info):
        flags = joined(flags, known.in_order)
    return joined(flags, (info.hdr and info.hdr.encoder_flags(known.encoder)) or {})


def _are_rare(info: StreamInfo) -> bool:
    """Whether frames are so far apart that MP4, in which segments lie, can't tell their order."""
    rate = info.frame_rate or 0
    return bool(rate) and rate * reordered_s(info.time_base) < _DELAYED


def require_known(options: EncoderOptions) -> None:
    """Check what can be checked without a source.

    Raises:
        UsageError: Whatever the source, no encoder has what the options ask for.
    """
    if options.codec is not None:
        _require_known(_wanted(options.codec, ""), options)
    else:
        _require_known([known for known in KNOWN if known.presets], options)


def _require_known(candidates: Sequence[Known], options: EncoderOptions) -> None:
    """Raise UsageError for settings that none has, of which some would be silent, or talk."""
    mistakes = [_mistake(known, options) for known in candidates]
    if all(mistakes):
        raise UsageError(mistakes[0])


def _mistake(known: Known, options: EncoderOptions) -> str:
    worst, presets = known.worst_crf, known.presets
    if worst is not None and options.crf is not None and options.crf > worst:
        return f"{known.encoder} has --crf 0 to {worst}, not {options.crf}"
    if presets and options.preset not in (None, *presets):
        return f"{known.encoder} has no --preset {options.preset}; it has {', '.join(presets)}"
    return ""


def _require_settings(
    known: Known, refused: Encoding, options: EncoderOptions, info: StreamInfo, format_name: str
) -> None:
    """Raise UsageError where the encoder would take the stream, but for the user's own settings."""
    for name, flag, others in (
        ("preset", known.preset_flag, replace(options, preset=None)),
        ("crf", known.crf_flag, replace(options, crf=None)),
    ):
        value = getattr(options, name)
        if value is None or flag not in refused.flags:
            continue
        flags = _flags(known, others, info, format_name)
        if refusal(info, replace(refused, flags=flags), format_name) is None:
            what = name if getattr(known, name) is None else f"{name} {value}"
            raise UsageError(f"{known.encoder} has no --{what}")


def _surprises(
    info: StreamInfo,
    options: EncoderOptions,
    chosen: Known,
    layout: Layout,
    refused: dict[str, str],
    format_name: str,
) -> list[str]:
    surprises = []
    if options.codec is None and info.codec not in (chosen.codec, "") and format_name != "gif":
        reason = refused.get(info.codec, f"{info.codec} is not a codec we write")
        surprises.append(f"{reason}; {chosen.codec} is used instead")
    elif options.codec is not None and chosen not in _wanted(options.codec, info.codec):
        surprises.append(f"{refused[chosen.codec]}; {chosen.encoder} is used instead")
    if options.crf is not None and chosen.crf is None:
        surprises.append(f"{chosen.encoder} has no --crf; it is not used")
    if options.preset is not None and chosen.preset is None:
        surprises.append(f"{chosen.encoder} has no --preset; it is not used")
    if layout.change:
        surprises.append(f"{info.name}: {layout.change} ({chosen.encoder} in {format_name})")
    if info.hdr and info.hdr.encoder_flags(chosen.encoder) is None:
        surprises.append(f"{chosen.encoder} cannot keep the HDR metadata of {info.name}")
    return surprises
