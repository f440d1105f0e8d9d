"""Clips made from sharp footage: repeatable, continuous, and a mean of light."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.evaluation.metrics import IDENTICAL_DB, psnr
from models.training.degrade import compress_video
from models.training.layers import draw_layer, draw_mask
from models.training.light import SRGB_GAMMA, CameraCurve
from models.training.motion import draw_path, still
from models.training.preview import draw_sheet, spectrum_slope, statistics
from models.training.procedural import draw_scene
from models.training.scenes import SceneLibrary
from models.training.settings import BlurSettings
from models.training.synthesis import render_clip, subframe_times
from models.training.views import place_view

PLAIN = BlurSettings(
    sharp_share=0, noise_share=0, compression_share=0, procedural_share=0, layer_share=0
)


@pytest.fixture(scope="module")
def stills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stills")
    for seed in range(6):
        scene = draw_scene(np.random.default_rng(seed), 200, 280)
        cv2.imwrite(str(folder / f"scene{seed}.png"), scene[..., ::-1])
    return folder


@pytest.fixture(scope="module")
def library(stills: Path) -> SceneLibrary:
    return SceneLibrary([stills], split="train")


def _bytes(library: SceneLibrary, seed: int) -> bytes:
    clip = render_clip(library, seed, height=48, width=64, frames=2)
    return clip.blurry.tobytes() + clip.sharp.tobytes()


def test_clip_has_the_shape_asked_for(library: SceneLibrary) -> None:
    clip = render_clip(library, 1, height=48, width=80, frames=3)
    assert clip.blurry.shape == clip.sharp.shape == (3, 48, 80, 3)
    assert clip.blurry.dtype == clip.sharp.dtype == np.uint8


def test_same_seed_same_bytes_in_another_process(library: SceneLibrary) -> None:
    seeds = range(4)
    here = [_bytes(library, seed) for seed in seeds]
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        there = list(pool.map(_bytes, [library] * len(seeds), seeds))
    assert here == there
    assert len(set(here)) == len(seeds)


@pytest.mark.parametrize("seed", range(3))
def test_no_strength_leaves_frames_as_they_are(library: SceneLibrary, seed: int) -> None:
    settings = BlurSettings(length_median_px=0, noise_share=0, compression_share=0)
    clip = render_clip(library, seed, height=48, width=64, frames=3, settings=settings)
    assert np.array_equal(clip.blurry, clip.sharp)
    assert np.array_equal(clip.sharp[0], clip.sharp[2])


def test_sharp_moving_clips_move_without_blur(library: SceneLibrary) -> None:
    settings = BlurSettings(sharp_share=1, clean_share=1)
    clips = [
        render_clip(library, seed, height=48, width=64, frames=3, settings=settings)
        for seed in range(6)
    ]
    assert all(np.array_equal(clip.blurry, clip.sharp) for clip in clips)
    assert any(not np.array_equal(clip.sharp[0], clip.sharp[1]) for clip in clips)


def test_blur_lowers_quality_with_its_length(library: SceneLibrary) -> None:
    def quality(median: float) -> float:
        settings = BlurSettings(**{**PLAIN.__dict__, "length_median_px": median})
        clips = [
            render_clip(library, seed, height=64, width=64, frames=2, settings=settings)
            for seed in range(6)
        ]
        return float(np.mean([psnr(clip.blurry, clip.sharp) for clip in clips]))

    assert quality(2) > quality(8) > quality(20)


def test_a_lens_softens_both_sides_alike(library: SceneLibrary) -> None:
    def clip(**lens: float | tuple[float, float]) -> list[np.ndarray]:
        settings = BlurSettings(
            noise_share=0,
            compression_share=0,
            highlight_share=0,
            sharp_share=0,
            **lens,
        )
        made = render_clip(library, 5, height=64, width=64, frames=2, settings=settings)
        return [made.blurry, made.sharp]

    bare = clip(lens_share=0.0, lens_px=(1.0, 1.0))
    for before, after in zip(bare, clip(lens_share=1.0, lens_px=(1.0, 1.0)), strict=True):
        expected = np.stack([cv2.GaussianBlur(frame, (0, 0), 1.0) for frame in before])
        assert psnr(before, after) < 35
        # not exactly, for the camera's curve: light is softened
        assert psnr(expected, after) > psnr(before, after) + 8


def test_a_video_codec_wears_more_at_a_higher_rate_factor() -> None:
    scene = draw_scene(np.random.default_rng(3), 48, 64)
    frames = np.stack([np.roll(scene, 2 * shift, axis=1) for shift in range(4)])
    fine, coarse = compress_video(frames, 16), compress_video(frames, 30)
    assert fine.shape == frames.shape
    assert psnr(fine, frames) > psnr(coarse, frames) + 3
    assert np.array_equal(compress_video(frames, 30), coarse)


def test_exposure_conserves_light() -> None:
    """A white square on black sheds the same light however it moves."""
    picture = np.zeros((400, 400, 3), np.uint8)
    picture[190:210, 190:210] = 255
    rng = np.random.default_rng(0)
    path = draw_path(rng, length_px=6, frames=1, exposure=1, tremor=0.3, turn=0.0)
    view = place_view(
        rng,
        picture,
        path,
        CameraCurve(),
        size=(360, 360),
        duration=1,
        scale=(1.0, 1.0),
        oversampling=1.5,
        parallax=0.0,
    )
    moments = list(view.moments(subframe_times(0, 1, view.reach_px(0, 1), 49)))
    mean = np.mean(moments, axis=0)
    middle = moments[len(moments) // 2]
    assert len(moments) >= 7
    assert mean.sum() == pytest.approx(middle.sum(), rel=0.01)  # 1 %: bilinear sampling of edges
    assert mean.max() <= middle.max() + 1e-6
    assert np.count_nonzero(mean > 0.01) > np.count_nonzero(middle > 0.01)


def test_full_exposures_follow_each_other_without_gap() -> None:
    first, second = (subframe_times(frame, frame + 1, 20.0, 49) for frame in (0, 1))
    assert second[0] - first[-1] == pytest.approx(first[1] - first[0])
    path = draw_path(
        np.random.default_rng(3), length_px=20, frames=2, exposure=1, tremor=0.2, turn=0.2
    )
    steps = np.linalg.norm(np.diff(path.pose(np.concatenate([first, second])), axis=0), axis=1)
    boundary = steps[len(first) - 1]
    assert boundary == pytest.approx(np.median(steps), rel=1.0)  # no jump
    assert path.extent(2, 1.0) == pytest.approx(20)


def test_subframes_are_odd_about_a_pixel_apart_and_bounded() -> None:
    assert subframe_times(2, 2.5, 0.0, 49).tolist() == [2.25]
    for reach, count in ((0.5, 7), (10.2, 11), (30.0, 31), (500.0, 49)):
        times = subframe_times(2, 2.5, reach, 49)
        assert len(times) == count
        assert times[count // 2] == pytest.approx(2.25)
        assert times[0] > 2
        assert times[-1] < 2.5


def test_path_never_leaves_the_picture() -> None:
    """Sides of the picture are marked; no clip may show the mark."""
    picture = np.full((300, 400, 3), 128, np.uint8)
    picture[0], picture[-1], picture[:, 0], picture[:, -1] = 255, 255, 255, 255
    for seed in range(20):
        rng = np.random.default_rng(seed)
        path = draw_path(rng, length_px=30, frames=3, exposure=0.6, tremor=0.3, turn=0.5)
        view = place_view(
            rng,
            picture,
            path,
            CameraCurve(),
            size=(96, 96),
            duration=3,
            scale=(0.5, 1.0),
            oversampling=1.5,
            parallax=0.4,
        )
        seen = np.stack(list(view.moments(np.linspace(0, 3, 13))))
        assert np.ptp(seen) < 1e-3


def test_layer_hides_what_lies_behind_and_has_its_own_motion() -> None:
    rng = np.random.default_rng(5)
    picture = np.full((120, 120, 3), 255, np.uint8)
    path = draw_path(rng, length_px=8, frames=1, exposure=1, tremor=0.0, turn=0.0)
    layer = draw_layer(
        rng, picture, path, CameraCurve(), size=(64, 64), duration=1, oversampling=1.5
    )
    assert layer.reach_px(0, 1) == pytest.approx(8, rel=0.05)
    light = float(layer.light[..., :3].max())
    seen = []
    for matrix in layer.camera.matrices(np.array([0.0, 1.0])):
        behind = np.zeros((64, 64, 3), np.float32)
        layer.cover(behind, matrix)
        seen.append(behind)
        assert 0 < behind.max() <= light + 1e-5
    assert not np.array_equal(seen[0], seen[1])


def test_masks_have_an_empty_rim() -> None:
    for seed in range(20):
        mask = draw_mask(np.random.default_rng(seed), 40)
        assert max(mask.shape) == 40
        assert mask.max() == 1
        assert mask[0].max() == mask[-1].max() == mask[:, 0].max() == mask[:, -1].max() == 0


@pytest.mark.parametrize("gamma", [1.8, 2.2, SRGB_GAMMA])
def test_curve_returns_what_was_stored(gamma: float) -> None:
    stored = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    curve = CameraCurve(gamma=gamma)
    # Below 4 the 65536 steps of light are coarser than stored values at a power of 2.2.
    assert (
        np.abs(curve.to_stored(curve.to_light(stored)).astype(int) - stored)[stored > 3].max() == 0
    )


def test_highlights_are_brighter_than_white_before_they_clip() -> None:
    curve = CameraCurve(highlight=3.0)
    white = np.full((2, 2, 3), 255, np.uint8)
    assert curve.to_light(white).max() == pytest.approx(3.0)
    assert curve.to_stored(curve.to_light(white)).min() == 255


def test_still_path_stays() -> None:
    assert not still().pose(np.linspace(0, 5, 4)).any()


@pytest.mark.parametrize(
    "wrong",
    [
        {"sharp_share": 1.5},
        {"exposure": (0.0, 1.0)},
        {"exposure": (0.5, 1.2)},
        {"scale": (1.0, 0.5)},
        {"subframes": 0},
        {"length_median_px": -1},
    ],
)
def test_settings_are_validated(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong)).split("_")[0]):
        BlurSettings(**wrong)  # type: ignore[arg-type]


def test_too_small_a_clip_is_refused(library: SceneLibrary) -> None:
    with pytest.raises(ValueError, match="too small"):
        render_clip(library, 0, height=8, width=64, frames=2)


def test_preview_and_statistics(library: SceneLibrary, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    clips = [
        render_clip(library, seed, height=48, width=48, frames=3, settings=PLAIN)
        for seed in range(2)
    ]
    draw_sheet(sheet, dict(zip("ab", clips, strict=True)))
    written = cv2.imread(str(sheet))
    assert written is not None
    assert written.shape == (2 * (96 + 22), 6 * 96, 3)
    clip = render_clip(library, 0, height=64, width=64, frames=2, settings=PLAIN)
    measured = statistics(zip(clip.blurry, clip.sharp, strict=True))
    assert measured.psnr_db.shape == (2,)
    assert measured.slope_blurry < measured.slope_sharp < 0
    assert "dB" in measured.describe()
    with pytest.raises(ValueError, match="no pair"):
        statistics([])


def test_statistics_count_equal_frames_apart() -> None:
    frame = draw_scene(np.random.default_rng(0), 48, 64)
    measured = statistics([(frame, frame), (frame ^ 1, frame)])
    assert measured.psnr_db[0] == IDENTICAL_DB
    assert "PSNR mean 48.13 dB" in measured.describe()  # of one code value of 255
    assert "over 1 frames, 1 equal" in measured.describe()
    assert "all equal" in statistics([(frame, frame)]).describe()


def test_spectrum_slope_finds_a_known_slope() -> None:
    rng = np.random.default_rng(0)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256)))
    frequency[0, 0] = 1
    field = np.fft.ifft2(np.fft.fft2(rng.normal(size=(256, 256))) / frequency**1.5).real
    frame = np.clip(128 + 40 * field / field.std(), 0, 255).astype(np.uint8)
    # 0.15: the window smears the lowest ring.
    assert spectrum_slope(frame[..., None].repeat(3, axis=2)) == pytest.approx(-1.5, abs=0.15)
