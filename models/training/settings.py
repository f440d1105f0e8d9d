"""The distributions that synthetic clips are drawn from."""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True)
class BlurSettings:
    """How clips vary. Lengths are pixels of the clip, which stands for a crop of a 720p frame.

    A `..._share` is a probability of 0 to 1; a `Range` is uniform between its ends.
    """

    sharp_share: float = 0.09  # clips without blur: half of them move between frames
    clean_share: float = 0.5  # of those, without noise and compression too
    length_median_px: float = 14.0  # of the way during one exposure, log-normal
    length_spread: float = 0.75  # standard deviation of its logarithm
    length_limit_px: float = 60.0
    full_exposure_share: float = 0.35  # exposure lasts the whole frame interval, as in GoPro data
    exposure: Range = (0.25, 1.0)  # share of the frame interval, otherwise
    burst_share: float = 0.5  # clips whose blur comes and goes, some frames of them sharp
    burst_slow: Range = (0.0, 0.25)  # speed between two bursts, as a share of the clip's
    burst_fast: Range = (1.4, 2.2)  # speed at the height of a burst
    stored_share: float = 0.15  # clips that average stored values, as GoPro's data, not light
    tremor: Range = (0.0, 1.0)  # share of the motion that is trembling
    turn: Range = (0.0, 0.5)  # share of the motion that is rotation and zoom
    scale: Range = (0.35, 1.0)  # of a still's size
    oversampling: float = 1.5  # of the warped picture over the clip, where the source allows
    subframes: int = 49  # at most, for one exposure
    video_share: float = 0.2  # clips whose motion is that of a video
    video_shake_share: float = 0.6  # of those, with a camera path over it
    video_still_share: float = 0.1  # of the others, with a video's frame as the still
    procedural_share: float = 0.04  # of the others, with a drawn still
    parallax_share: float = 0.4  # stills with depth
    parallax: float = 0.4  # largest extra motion of near parts, as a share
    lens_share: float = 0.7  # clips seen through a softer lens, in the target too
    lens_px: Range = (0.3, 1.0)  # deviation; a camera's frame is softer than a shrunk photograph
    layer_share: float = 0.55  # clips with objects of their own motion
    layers: int = 3  # at most
    noise_share: float = 0.6
    noise: float = 1.2 / 255  # scale of the half-normal deviation of noise, at full light
    compression_share: float = 0.6
    codec_share: float = 0.5  # of the compressed ones: by a video codec, not as pictures
    crf: tuple[int, int] = (16, 30)  # H.264
    quality: tuple[int, int] = (60, 98)  # JPEG
    highlight_share: float = 0.5
    highlight: Range = (1.0, 4.0)  # how many times brighter clipped light really was

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if name.endswith("_share") and not 0 <= value <= 1:
                raise ValueError(f"{name} must be within 0 to 1, not {value}")
            if isinstance(value, tuple) and not 0 <= value[0] <= value[1]:
                raise ValueError(f"{name} must be (low, high), not {value}")
        if self.exposure[0] <= 0 or self.exposure[1] > 1 or self.scale[0] <= 0:
            raise ValueError("exposure must be within 0 to 1 and scale above 0")
        if self.length_median_px < 0 or self.length_limit_px < 0 or self.layers < 0:
            raise ValueError("lengths and layers must not be negative")
        if self.subframes < 1 or self.oversampling < 1 or self.highlight[0] < 1:
            raise ValueError("subframes, oversampling and highlight must be at least 1")
