"""Neighbours where they are alike, and none where they are not."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from models.alignment import aligned, reduced_luma
from models.color import rgb_to_planes
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
