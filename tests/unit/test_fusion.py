"""What a sharper neighbour mends, and what it must leave alone."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from models.evaluation.metrics import psnr
from models.fusion import Restored
from models.training.procedural import draw_scene
from stream.frame import Discontinuity, Frame, Planes
from stream.inference.deblurrer import Deblurrer

HEIGHT, WIDTH = 144, 192


def scene(seed=0):
    drawn = draw_scene(np.random.default_rng(seed), HEIGHT, WIDTH + 400)
    return cv2.cvtColor(drawn, cv2.COLOR_RGB2GRAY)


def shown(picture, at, blur=0):
    """A piece of a picture that a pan has come to, blurred along it."""
    piece = picture[:, at : at + WIDTH]
    return np.ascontiguousarray(cv2.blur(piece, (blur, 1)) if blur else piece)


def restored(luma, bit_depth=8):
    codes = luma.astype(np.uint8 if bit_depth == 8 else np.uint16) << np.uint8(bit_depth - 8)
    chroma = np.full((HEIGHT // 2, WIDTH // 2), 1 << (bit_depth - 1), codes.dtype)
    return Restored.of([codes, chroma, chroma], bit_depth)


@pytest.mark.parametrize("bit_depth", [8, 10, 16])
@pytest.mark.parametrize("step", [0, 3, -7])
def test_a_blurred_frame_is_mended_by_the_sharp_one_beside_it(step, bit_depth):
    picture = scene()
    blurred, truth = shown(picture, 100, blur=13), shown(picture, 100)
    sharp = restored(shown(picture, 100 + step), bit_depth)
    mended = restored(blurred, bit_depth).mended_by(sharp)
    found = (mended.planes[0] >> (bit_depth - 8)).astype(np.uint8)
    assert psnr(truth, found) > psnr(truth, blurred) + 1.5
    assert mended.planes[0].dtype == sharp.planes[0].dtype
    assert all(map(np.array_equal, mended.planes[1:], sharp.planes[1:]))


def test_a_sharp_frame_takes_nothing_from_a_blurred_one():
    picture = scene()
    sharp = restored(shown(picture, 100))
    assert sharp.mended_by(restored(shown(picture, 103, blur=13))) is sharp


@pytest.mark.parametrize("blur", [0, 13])
def test_what_shows_something_else_takes_no_part(blur):
    frame, truth = restored(shown(scene(), 100, blur)), shown(scene(), 100)
    others = [shown(scene(5), 100), np.full((HEIGHT, WIDTH), 250, np.uint8)]
    others.append(np.zeros((HEIGHT, WIDTH), np.uint8))
    for other in others:  # a cut that nobody saw, a flash, a covered lens
        mended = frame.mended_by(restored(other))
        assert psnr(truth, mended.planes[0]) > psnr(truth, frame.planes[0]) - 0.3


def test_a_thing_that_was_not_there_leaves_no_ghost():
    picture = scene()
    frame = restored(shown(picture, 100, blur=9))
    beside = shown(picture, 104)
    beside[40:100, 60:120] = shown(scene(7), 0)[40:100, 60:120]
    mended = frame.mended_by(restored(beside))
    truth, hidden = shown(picture, 100), np.s_[50:90, 70:106]
    assert psnr(truth, mended.planes[0]) > psnr(truth, frame.planes[0]) + 1
    assert (
        psnr(truth[hidden], mended.planes[0][hidden])
        > psnr(truth[hidden], frame.planes[0][hidden]) - 0.5
    )


@pytest.mark.parametrize("step", [0, 1, 4])
def test_a_long_pan_does_not_run_away(step):
    """Each frame is mended by one that was mended: errors must die out, not grow."""
    picture, last, gains = scene(3), None, []
    for index in range(90):
        truth = shown(picture, step * index)
        frame = restored(shown(picture, step * index, blur=7))
        now = frame.mended_by(last) if last else frame
        gains.append(psnr(truth, now.planes[0]) - psnr(truth, frame.planes[0]))
        last = now
    assert min(gains) > -0.15
    assert np.mean(gains[-20:]) > np.mean(gains[1:21]) - 0.1


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 2), (10, 200), (30, 40)])
def test_small_frames_are_left_or_mended_without_a_word(shape):
    luma = np.arange(shape[0] * shape[1], dtype=np.uint8).reshape(shape)
    frame = Restored.of([luma], 8)
    assert frame.mended_by(Restored.of([luma[:, ::-1].copy()], 8)).planes[0].shape == shape


def clip(*blurs, breaks=()):
    """Frames of a pan, each blurred so much; those of these indices do not continue it."""
    picture, chroma = scene(), np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8)
    return [
        Frame(
            planes=Planes((shown(picture, 100 + 3 * index, blur), chroma, chroma)),
            pts=index,
            time_base=Fraction(1, 30),
            index=index,
            discontinuity=Discontinuity.SEEK if index in breaks else None,
        )
        for index, blur in enumerate(blurs)
    ]


def lumas(frames, model="tiny", **choices):
    deblurrer = Deblurrer(model, runtime="mnn", look_ahead=True, **choices)
    made = [out for frame in frames for out in deblurrer.process(frame)] + deblurrer.flush()
    assert [out.pts for out in made] == [frame.pts for frame in frames]
    return [out.planes.arrays[0] for out in made]


@pytest.mark.parametrize("model", ["tiny", "small"])
@pytest.mark.parametrize("blurs", [(0, 13), (13, 0), (0, 13, 13, 0)])
def test_recorded_video_is_mended_from_before_and_behind(model, blurs):
    frames = clip(*blurs)
    truths = [shown(scene(), 100 + 3 * index) for index in range(len(blurs))]
    with_it, without = (lumas(frames, model, mend=mend) for mend in (True, False))
    for blur, truth, one, other in zip(blurs, truths, with_it, without, strict=True):
        assert psnr(truth, one) > (psnr(truth, other) + 1 if blur else 40)


def test_nothing_is_mended_across_a_break():
    frames = clip(0, 13, 0, breaks=[1, 2])
    assert all(map(np.array_equal, lumas(frames), lumas(frames, mend=False)))
    whole = clip(0, 13, 0)
    assert not all(map(np.array_equal, lumas(whole), lumas(whole, mend=False)))


def test_strength_scales_what_was_mended_too():
    frames = clip(0, 13, 0)
    assert all(map(np.array_equal, lumas(frames, strength=0), [f.planes.arrays[0] for f in frames]))


def test_live_video_waits_for_nothing():
    deblurrer = Deblurrer("small", runtime="mnn")
    assert [len(deblurrer.process(frame)) for frame in clip(0, 13)] == [1, 1]
