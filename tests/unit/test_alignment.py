"""Neighbours where they are alike, and none where they are not."""

from fractions import Fraction
from functools import cache

import cv2
import numpy as np
import pytest

from models.alignment import aligned, reduced_luma
from models.color import rgb_to_planes
from models.evaluation.metrics import psnr
from models.planes import Levels
from models.training.procedural import draw_scene
from stream.frame import Discontinuity, Frame, Planes
from stream.inference.deblurrer import Deblurrer


def blurred(seed, columns=slice(0, 320)):
    """The planes of a drawn scene seen through a shaken camera."""
    scene = draw_scene(np.random.default_rng(seed), 180, 360)
    picture = np.ascontiguousarray(cv2.blur(scene, (9, 1))[:, columns])
    return list(rgb_to_planes(picture, Levels()))


def of_one_code(luma):
    return [np.full((180, 320), luma, np.uint8)] + 2 * [np.full((90, 160), 128, np.uint8)]


UNRELATED = {"a cut": blurred(50), "a flash": of_one_code(235), "a covered lens": of_one_code(16)}


def frames(clip):
    return [
        Frame(planes=Planes(tuple(planes)), pts=index, time_base=Fraction(1, 30), index=index)
        for index, planes in enumerate(clip)
    ]


def deblurred(clip, *, look_ahead):
    deblurrer = Deblurrer("tiny", device="cpu", runtime="mnn", look_ahead=look_ahead)
    made = [each for frame in frames(clip) for each in deblurrer.process(frame)]
    return [*made, *deblurrer.flush()], deblurrer.resets


def test_a_neighbour_is_moved_to_where_the_frame_shows_the_same():
    frame, neighbour = (blurred(3, slice(left, left + 320)) for left in (0, 12))
    small = [reduced_luma(planes[0], 8) for planes in (frame, neighbour)]
    found = aligned(*small, neighbour)
    for moved, wanted, unmoved in zip(found, frame, neighbour, strict=True):
        inside = np.s_[:, 16:-16]  # what comes in at a side is nowhere in the other
        errors = [np.abs(p[inside].astype(int) - wanted[inside]).mean() for p in (moved, unmoved)]
        assert errors[0] < 0.4 * errors[1]


@pytest.mark.parametrize("look_ahead", [False, True])
@pytest.mark.parametrize("kind", UNRELATED)
def test_an_unrelated_neighbour_changes_nothing(kind, look_ahead, monkeypatch):
    """Also where nobody notices that the scene has changed."""
    monkeypatch.setattr("stream.inference.cuts.CutDetector.is_cut", lambda self, planes: False)
    other = UNRELATED[kind]
    (_, found, *_), resets = deblurred([other, blurred(3), other], look_ahead=look_ahead)
    (fresh,), _ = deblurred([blurred(3)], look_ahead=False)
    for ours, theirs in zip(found.planes.arrays, fresh.planes.arrays, strict=True):
        assert np.abs(ours.astype(int) - theirs).max() <= 1  # the two networks round differently
    assert resets[Discontinuity.SCENE_CUT] >= 1


@pytest.mark.parametrize("look_ahead", [False, True])
def test_a_related_neighbour_counts(look_ahead):
    clip = [blurred(3, slice(left, left + 320)) for left in (0, 12, 24)]
    found, resets = deblurred(clip, look_ahead=look_ahead)
    (fresh,), _ = deblurred(clip[1:2], look_ahead=False)
    assert not resets[Discontinuity.SCENE_CUT]
    difference = found[1].planes.arrays[0].astype(int) - fresh.planes.arrays[0]
    assert np.abs(difference).mean() > 0.5


@cache
def panorama():
    """A scene without a seam, to be panned around."""
    scene = draw_scene(np.random.default_rng(8), 180, 360)
    return np.concatenate([scene, scene[:, ::-1]], axis=1)


def seen(kind, index, period=60):
    """Frame `index` of a clip that shows the same again every `period`, blurred and sharp."""
    scene = panorama()
    turned = np.roll(scene, 12 * index if kind == "a pan" else 0, axis=1)
    noise = np.random.default_rng(index % period).normal(0, 1.5, turned.shape)
    blurry = np.clip(cv2.blur(turned, (9, 1)) + noise, 0, 255).astype(np.uint8)
    return [list(rgb_to_planes(each[:, :320].copy(), Levels())) for each in (blurry, turned)]


@pytest.mark.slow
@pytest.mark.parametrize("look_ahead", [False, True])
@pytest.mark.parametrize("kind", ["a pan", "a still camera"])
def test_the_gain_does_not_fall_with_the_frame_number(kind, look_ahead):
    """What is carried from frame to frame neither adds up nor fades, over 300 frames."""
    blurry, sharp = zip(*(seen(kind, index) for index in range(300)), strict=True)
    made, resets = deblurred(blurry, look_ahead=look_ahead)
    assert resets == {Discontinuity.START: 1}
    gains = [
        psnr(clean[0], frame.planes.arrays[0]) - psnr(clean[0], dull[0])
        for clean, frame, dull in zip(sharp, made, blurry, strict=True)
    ]
    periods = np.reshape(gains, (5, 60)).mean(axis=1)
    assert periods[1] > 0.5
    assert np.all(periods[2:] > periods[1] - 0.01)
    assert periods[0] < periods[1] + 0.5
