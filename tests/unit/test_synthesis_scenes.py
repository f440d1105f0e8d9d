"""Where sharp footage comes from: the library, its split, video footage and drawn scenes."""

import pickle
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from footage import pictures, write_video

from models.errors import ClipError
from models.evaluation.clips import IMAGES, VIDEOS
from models.training.flow import place_flow_view
from models.training.footage import Footage, open_footage
from models.training.light import CameraCurve
from models.training.motion import still
from models.training.procedural import draw_scene, fractal_noise
from models.training.scenes import FRAME_LIMIT, SceneLibrary
from models.training.settings import BlurSettings
from models.training.synthesis import render_clip

SPEED_PX = 3  # of the test video, a frame; a third less once it is shrunk


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn scene that passes by to the left; 24 frames of 420x320."""
    scene = draw_scene(np.random.default_rng(1), 320, 420 + 24 * SPEED_PX)
    path = tmp_path_factory.mktemp("videos") / "street_1.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "14"})
        stream.width, stream.height, stream.pix_fmt = 420, 320, "yuv420p"
        for index in range(24):
            left = index * SPEED_PX
            part = np.ascontiguousarray(scene[:, left : left + 420])
            for packet in stream.encode(av.VideoFrame.from_ndarray(part, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def _fill(folder: Path, stills: int, videos: tuple[str, ...] = ()) -> Path:
    """A folder of empty files: the library reads names only until pixels are asked for."""
    folder.mkdir(exist_ok=True)
    for index in range(stills):
        (folder / f"still{index}.jpg").touch()
    for name in videos:
        (folder / f"{name}.mp4").touch()
    return folder


def test_split_is_whole_disjoint_and_stable(tmp_path: Path) -> None:
    videos = ("alps_1", "alps_2", "river_1", "city_1", "lake_1")
    folder = _fill(tmp_path / "all", 100, videos)
    train = SceneLibrary([folder], split="train")
    validation = SceneLibrary([folder], split="validation")
    sides = [{s.path.name for s in side.stills} for side in (train, validation)]
    assert len(sides[0] | sides[1]) == 100
    assert not sides[0] & sides[1]
    assert 1 <= len(sides[1]) <= 15
    assert train.videos
    assert validation.videos
    again = SceneLibrary([_fill(tmp_path / "all", 101, videos)], split="validation")
    assert {s.path.name for s in again.stills} >= sides[1]


def test_scenes_of_a_group_are_never_split(tmp_path: Path) -> None:
    folder = _fill(tmp_path / "all", 0, ("alps_1", "alps_2", "b_1", "c_1", "d_1"))
    for split in ("train", "validation"):
        library = SceneLibrary([folder], split=split)
        assert len([s for s in library.videos if s.group == "alps"]) in (0, 2)


def test_footage_has_the_suffixes_that_scores_have(tmp_path: Path) -> None:
    for suffix in IMAGES | VIDEOS:
        (tmp_path / f"scene{suffix}").touch()
    library = SceneLibrary([tmp_path], split="train")
    train = {*library.stills, *library.videos}
    held = SceneLibrary([tmp_path], split="validation")
    found = {scene.path.suffix for scene in train | {*held.stills, *held.videos}}
    assert found == IMAGES | VIDEOS


def test_videos_that_all_begin_with_one_word_are_still_told_apart(tmp_path: Path) -> None:
    names = tuple(f"VID_20260{month}01_120000" for month in range(1, 9))
    folder = _fill(tmp_path / "phone", 0, names)
    sides = [SceneLibrary([folder], split=split).videos for split in ("train", "validation")]
    assert all(sides)
    assert {s.path.stem for side in sides for s in side} == set(names)
    assert sum(map(len, sides)) == len(names)


@pytest.mark.parametrize("name", ["a", "b", "c", "d"])
def test_of_few_videos_the_ends_validate(video: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / f"{name}.mp4").symlink_to(video)
    whole = open_footage(video, tmp_path, limit=FRAME_LIMIT).frames
    train, held = (
        library.footage(library.videos[0])
        for split in ("train", "validation")
        for library in [SceneLibrary([tmp_path / "one"], split=split, cache=tmp_path)]
    )
    assert np.array_equal(np.concatenate([train.frames, held.frames]), whole)
    assert (len(train.frames), len(held.frames)) == (12, 12)
    assert (train.runs(), held.runs()) == ([range(12)], [range(12)])
    alone, within = (
        SceneLibrary([place], split="train").videos
        for place in (tmp_path / "one" / f"{name}.mp4", tmp_path / "one")
    )
    assert alone == within


def test_a_video_of_one_frame_is_refused_by_its_name(tmp_path: Path) -> None:
    write_video(tmp_path / "blink.mkv", pictures(1))
    library = SceneLibrary([tmp_path], split="train", cache=tmp_path / "cache")
    with pytest.raises(ValueError, match=r"blink\.mkv: one frame is too short"):
        library.footage(library.videos[0])


def test_a_side_of_a_long_video_keeps_its_runs_apart() -> None:
    frames = np.zeros((400, 2, 2, 3), np.uint8)
    footage = Footage(frames, np.arange(400, dtype=np.float32), tuple(range(0, 400, 48)))
    train, held = footage.side("train"), footage.side("validation")
    assert train.starts == tuple(range(0, 360, 48))
    assert train.runs()[-1] == range(336, 360)
    assert held.runs() == [range(24), range(24, 40)]
    assert held.sharpness[0] == 360


def test_folder_without_footage_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing to see")
    with pytest.raises(ValueError, match="no image or video") as error:
        SceneLibrary([tmp_path], split="train")
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="does not exist"):
        SceneLibrary([tmp_path / "missing"], split="train")
    with pytest.raises(ValueError, match=r"notes\.txt is neither an image nor a video by its name"):
        SceneLibrary([tmp_path / "notes.txt"], split="train")
    with pytest.raises(ValueError, match="split must be"):
        SceneLibrary([tmp_path], split="test")  # type: ignore[arg-type]


def test_one_scene_leaves_nothing_to_validate(tmp_path: Path) -> None:
    folder = _fill(tmp_path / "one", 1)
    assert len(SceneLibrary([folder], split="train").stills) == 1
    with pytest.raises(ValueError, match="too little footage"):
        SceneLibrary([folder], split="validation")


def test_unreadable_picture_names_its_file(tmp_path: Path) -> None:
    library = SceneLibrary([_fill(tmp_path / "bad", 1)], split="train")
    with pytest.raises(ClipError, match=r"still0\.jpg.*remove it"):
        library.picture(library.stills[0])


def test_pickled_library_is_small_and_cache_is_bounded(tmp_path: Path) -> None:
    for seed in range(3):
        noise = np.random.default_rng(seed).integers(0, 255, (64, 64, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f"{seed}.png"), noise)
    library = SceneLibrary([tmp_path], split="train", cache_bytes=64 * 64 * 3 * 2)
    pictures = [library.picture(scene) for scene in library.stills]
    assert library.picture(library.stills[2]) is pictures[2]
    assert library.picture(library.stills[0]) is not pictures[0]
    copy = pickle.loads(pickle.dumps(library))
    assert len(pickle.dumps(library)) < 4000
    assert np.array_equal(copy.picture(copy.stills[1]), pictures[1])


def test_footage_is_decoded_once_and_shrunk(video: Path, tmp_path: Path) -> None:
    footage = open_footage(video, tmp_path, limit=100)
    assert footage.frames.shape == (24, 213, 280, 3)
    assert footage.runs() == [range(24)]
    record = next(tmp_path.glob("*.json"))
    written = record.stat().st_mtime_ns
    assert np.array_equal(open_footage(video, tmp_path, limit=100).frames, footage.frames)
    assert record.stat().st_mtime_ns == written
    assert not list(tmp_path.glob("*.part*"))


def test_broken_video_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(ValueError, match=r"broken\.mp4"):
        open_footage(tmp_path / "broken.mp4", tmp_path / "cache", limit=10)
    assert not list((tmp_path / "cache").iterdir())


def test_flow_finds_the_videos_motion(video: Path, tmp_path: Path) -> None:
    view = place_flow_view(
        np.random.default_rng(0),
        open_footage(video, tmp_path, limit=100),
        still(),
        CameraCurve(),
        size=(64, 64),
        frames=3,
        exposure=1.0,
        length_px=1.0,
        softest=0.0,
    )
    assert view is not None
    assert view.pace == 1
    assert view.flow_px == pytest.approx(SPEED_PX / 1.5 * 0.85, rel=0.25)  # scale 0.7 to 1
    early, middle, late = view.moments(np.array([1.25, 1.5, 1.75]))
    # Half a frame apart: nearer to the middle than the two ends are to each other.
    assert np.abs(early - middle).mean() < np.abs(early - late).mean()


def test_clips_from_video_alone(video: Path, tmp_path: Path) -> None:
    library = SceneLibrary([video.parent], split="train", cache=tmp_path)
    settings = BlurSettings(video_share=1, noise_share=0, compression_share=0, sharp_share=0)
    for seed in range(3):
        clip = render_clip(library, seed, height=64, width=64, frames=2, settings=settings)
        assert not np.array_equal(clip.blurry, clip.sharp)


def test_drawn_scenes_repeat_by_seed_and_differ_between_seeds() -> None:
    first = draw_scene(np.random.default_rng(0), 90, 120)
    assert first.shape == (90, 120, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, draw_scene(np.random.default_rng(0), 90, 120))
    assert not np.array_equal(first, draw_scene(np.random.default_rng(1), 90, 120))
    assert first.std() > 20
    with pytest.raises(ValueError, match="no room"):
        draw_scene(np.random.default_rng(0), 4, 120)


@pytest.mark.parametrize("slope", [0.8, 1.0, 1.8])
def test_noise_falls_with_frequency_as_asked(slope: float) -> None:
    field = fractal_noise(np.random.default_rng(0), 256, 256, slope=slope)
    amplitude = np.abs(np.fft.fft2(field))
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256)))
    low, high = (
        amplitude[(radius > centre / 1.5) & (radius < centre * 1.5)].mean()
        for centre in (0.02, 0.16)
    )
    # 0.4: octaves are interpolated linearly, which steepens them a little.
    assert np.log2(low / high) / 3 == pytest.approx(slope, abs=0.4)
