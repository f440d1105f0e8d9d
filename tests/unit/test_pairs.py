"""Real pairs: the layouts that are found, the split, and the clips that are cut from them."""

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from footage import HEIGHT, WIDTH, pictures, write_frames, write_video

from models.errors import ClipError
from models.packing import unpack_420
from models.training import pair_library
from models.training.frame_cache import RUN_FRAMES
from models.training.material import Material
from models.training.pair_library import PairLibrary
from models.training.pair_video import open_pair_video
from models.training.pairs import find_pairs, side_of
from models.training.pool import ClipPool, PoolSettings, record_parts
from models.training.settings import BlurSettings
from models.training.validation import ValidationShape, render_validation

LAYOUTS = {
    "plain": (["blur", "sharp"], [("{root}", "train")]),
    "gopro": (
        [
            *("train/G_07_00/blur", "train/G_07_00/blur_gamma", "train/G_07_00/sharp"),
            *("test/G_11_00/blur", "test/G_11_00/sharp"),
        ],
        [("test/G_11_00", "test"), ("train/G_07_00", "train")],
    ),
    "reds": (
        [
            *("train_blur/000", "train_blur/001", "train_sharp/000", "train_sharp/001"),
            *("train_blur_comp/000", "val/val_blur/000", "val/val_sharp/000"),
        ],
        [("000", "train"), ("001", "train"), ("val", "validation")],
    ),
    "dvd": (["720p_240fps_1/GT", "720p_240fps_1/input"], [("720p_240fps_1", "train")]),
    "bsd": (["train/001/Blur/RGB", "train/001/Sharp/RGB"], [("train/001", "train")]),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_the_field_are_read_as_they_come(layout, tmp_path):
    folders, expected = LAYOUTS[layout]
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
        for name in ("0001.png", "0002.png"):
            (tmp_path / folder / name).touch()
    scenes = find_pairs(tmp_path)
    found = [(scene.name, scene.part) for scene in scenes]
    assert found == [(name.format(root=tmp_path.name), part) for name, part in expected]
    for scene in scenes:
        assert len(scene.blurry.files) == len(scene.sharp.files) == 2
        assert "gamma" not in str(scene.blurry.files[0])
        assert "comp" not in str(scene.blurry.files[0])


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["blur.mp4", "sharp.mp4"], ["{root}"]),
        (["walk/Blur.MOV", "walk/Sharp.mp4", "run/blur.mkv", "run/sharp.mkv"], ["run", "walk"]),
        (["blur/a.mp4", "blur/b.mkv", "sharp/a.mp4", "sharp/b.mp4"], ["a", "b"]),
        (["footage/one.mp4", "footage/two.png"], []),
    ],
)
def test_pairs_of_videos_are_found(files, names, tmp_path):
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [scene.name for scene in find_pairs(tmp_path)] == [
        name.format(root=tmp_path.name) for name in names
    ]


def test_sides_that_do_not_match_are_refused(tmp_path):
    write_frames(tmp_path / "blur", pictures(3))
    sharp = write_frames(tmp_path / "sharp", pictures(2))
    with pytest.raises(ClipError, match="has 3 blurry and 2 sharp files"):
        find_pairs(tmp_path)
    for path in sharp.iterdir():
        path.unlink()
    with pytest.raises(ClipError, match="sharp holds no images"):
        find_pairs(tmp_path)


def scenes(tmp_path, names, frames=8):
    """Pair scenes whose blurry frames are the sharp ones with their lowest bit flipped."""
    for index, name in enumerate(names):
        sharp = pictures(frames, seed=index)
        write_frames(tmp_path / name / "blur", [frame ^ 1 for frame in sharp])
        write_frames(tmp_path / name / "sharp", sharp)
    return find_pairs(tmp_path)


def library(found, split="train", cache=Path("unused")):
    return PairLibrary(found, split=split, cache=cache)


def test_whole_shots_are_held_out(tmp_path):
    found = scenes(tmp_path, [f"G{shot}_07_0{part}" for shot in range(6) for part in (0, 1)], 1)
    train, held = side_of(found, "train"), side_of(found, "validation")
    assert len(train) + len(held) == len(found)
    assert held
    assert not {scene.shot for scene in train} & {scene.shot for scene in held}


def test_a_validation_part_validates_and_a_test_part_is_left_alone(tmp_path):
    found = scenes(tmp_path, ["train/a", "val/b", "test/c", "train/d"], 2)
    assert [scene.name for scene in side_of(found, "train")] == ["train/a", "train/d"]
    assert [scene.name for scene in side_of(found, "validation")] == ["val/b"]
    with pytest.raises(ClipError, match="too few"):
        library([scene for scene in found if scene.part == "test"])


def test_few_scenes_hold_out_their_last_frames(tmp_path):
    found = scenes(tmp_path, ["a", "b"], frames=10)
    assert [list(s.frames) for s in library(found).stretches] == [[0, 1, 2, 3]] * 2
    held = library(found, "validation").stretches
    assert [list(s.frames) for s in held] == [[4, 5, 6, 7, 8, 9]] * 2
    with pytest.raises(ClipError, match="too few or too short"):
        library(scenes(tmp_path / "short", ["a"], frames=5))


def test_a_cut_is_a_square_of_consecutive_frames(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (12, HEIGHT, WIDTH, 3), np.uint8)
    write_frames(tmp_path / "blur", noise ^ 1)
    write_frames(tmp_path / "sharp", noise)
    found = find_pairs(tmp_path)
    cutter = pickle.loads(pickle.dumps(library(found)))
    sharp = np.stack(list(found[0].sharp.frames()))
    places = set()
    for seed in range(12):
        clip = cutter.cut(np.random.default_rng(seed), size=32, frames=3)
        assert clip.sharp.shape == (3, 32, 32, 3)
        assert np.array_equal(clip.blurry, clip.sharp ^ 1)
        again = cutter.cut(np.random.default_rng(seed), size=32, frames=3)
        assert np.array_equal(again.sharp, clip.sharp)
        (place,) = (
            (first, top, left)
            for first in range(4)
            for top in range(HEIGHT - 31)
            for left in range(WIDTH - 31)
            if np.array_equal(sharp[first, top : top + 32, left : left + 32], clip.sharp[0])
        )
        first, top, left = place
        window = sharp[first : first + 3, top : top + 32, left : left + 32]
        assert np.array_equal(window, clip.sharp)
        places.add(place)
    assert len(places) > 6
    with pytest.raises(ClipError, match="has 6 frames and clips have 7"):
        cutter.cut(np.random.default_rng(0), size=32, frames=7)
    with pytest.raises(ClipError, match="smaller than clips of 48 px"):
        cutter.cut(np.random.default_rng(0), size=48, frames=3)


def test_validation_sees_whole_frames_of_every_stretch(tmp_path, monkeypatch):
    held = library(scenes(tmp_path, ["a", "b", "c"], frames=20), "validation")
    clips = list(held.full_clips(3, frames=4))
    assert [clip.sharp.shape for clip in clips] == [(4, HEIGHT, WIDTH, 3)] * 3
    assert len({clip.sharp.tobytes() for clip in clips}) == 3
    assert len(list(held.full_clips(99, frames=3))) == 6  # all there is, nothing twice
    monkeypatch.setattr(pair_library, "FULL_SIZE", (16, 24))
    (clip,) = held.full_clips(1, frames=2)
    assert clip.sharp.shape == (2, 16, 24, 3)


def test_pairs_of_videos_are_decoded_once_frame_by_frame(tmp_path):
    sharp = pictures(14)
    blurry = [frame ^ 1 for frame in sharp]
    write_video(tmp_path / "data" / "blur.mkv", blurry)
    write_video(tmp_path / "data" / "sharp.mkv", sharp)
    cache = tmp_path / "cache"
    found = find_pairs(tmp_path / "data")
    cutter = library(found, cache=cache)
    assert [list(s.frames) for s in cutter.stretches] == [list(range(8))]
    made = {path.name: path.stat().st_mtime_ns for path in cache.iterdir()}
    assert len(made) == 2
    clip = library(found, cache=cache).cut(np.random.default_rng(3), size=32, frames=4)
    assert np.array_equal(clip.blurry, clip.sharp ^ 1)
    assert {path.name: path.stat().st_mtime_ns for path in cache.iterdir()} == made


def test_of_a_long_pair_of_videos_spread_runs_are_kept(tmp_path):
    frames = pictures(4 * RUN_FRAMES + 5)
    paths = [write_video(tmp_path / name, frames) for name in ("blur.mkv", "sharp.mkv")]
    limit = 3 * RUN_FRAMES * 2 * frames[0].nbytes
    kept = open_pair_video(*paths, tmp_path / "cache", limit_bytes=limit)
    assert kept.runs == (range(48), range(48, 96), range(96, 101))
    for place, number in [(0, 0), (47, 47), (48, 96), (96, 192), (100, 196)]:
        assert np.array_equal(kept.frames[place, 1], frames[number])


def test_videos_that_do_not_match_are_refused_and_leave_nothing(tmp_path):
    frames = pictures(4)
    long, short = (
        write_video(tmp_path / "a.mkv", frames),
        write_video(tmp_path / "b.mkv", frames[1:]),
    )
    broken = tmp_path / "c.mkv"
    broken.write_bytes(b"no video")
    for pair, reason in [((long, short), "number of frames"), ((broken, short), "decoded")]:
        with pytest.raises(ClipError, match=reason):
            open_pair_video(*pair, tmp_path / "cache", limit_bytes=1 << 30)
    assert not list((tmp_path / "cache").iterdir())


def test_a_pool_mixes_pairs_with_synthesised_clips(tmp_path):
    scenes(tmp_path / "pairs", ["a"], frames=12)
    stills = tmp_path / "stills"
    write_frames(stills, pictures(4))
    data = (str(tmp_path / "pairs"), str(stills))
    # strong, to be told from cuts, which have next to none
    blur = BlurSettings(length_median_px=30, length_spread=0.1, sharp_share=0)
    settings = PoolSettings(data, size=32, frames=2, first=12, capacity=12, blur=blur)
    with ClipPool(tmp_path / "pool", settings) as pool:
        pool.advance(0, ahead=0)
        cut = [_is_cut(pool.clip(number)) for number in range(12)]
    assert 0 < sum(cut) < 12
    material = Material(data, split="train")
    again = [material.clip(n, size=32, frames=3, blur=blur, pair_share=0.5) for n in range(12)]
    assert [np.array_equal(clip.blurry, clip.sharp ^ 1) for clip in again] == cut


def _is_cut(records):
    """Whether blurry and sharp luma are as close as flipped lowest bits leave them."""
    features, _ = record_parts(np.asarray(records))
    luma = [unpack_420(side, np)[0].astype(int) for side in np.split(features, 3, axis=-1)[:2]]
    return 0 < np.abs(luma[0] - luma[1]).max() <= 2


def test_pairs_alone_train_and_validate(tmp_path):
    scenes(tmp_path / "pairs", ["a"], frames=12)
    data = [str(tmp_path / "pairs")]
    assert Material(data, split="train").footage is None
    render_validation(tmp_path / "out", data, BlurSettings(), ValidationShape(4, 3))
    written = sorted(path.name for path in (tmp_path / "out" / "sharp").iterdir())
    assert written == ["pairs_00", "pairs_01"]
    blurry, sharp = (
        cv2.imread(str(tmp_path / "out" / side / "pairs_01" / "002.png"))
        for side in ("blur", "sharp")
    )
    assert np.array_equal(blurry, sharp ^ 1)


def test_a_share_of_the_pairs_is_sharp_on_both_sides(tmp_path):
    scenes(tmp_path, ["a"], frames=12)
    material = Material([str(tmp_path)], split="train")

    def clips(sharp_share):
        blur = BlurSettings(sharp_share=sharp_share)
        return [material.clip(n, size=32, frames=2, blur=blur, pair_share=1) for n in range(20)]

    assert all(np.array_equal(clip.blurry, clip.sharp ^ 1) for clip in clips(0.0))
    assert all(np.array_equal(clip.blurry, clip.sharp) for clip in clips(1.0))
    assert 0 < sum(np.array_equal(clip.blurry, clip.sharp) for clip in clips(0.5)) < 20
