"""Scores: what single metrics are worth, which clips are found, and what `deblur eval` says."""

import json
import sys

import av
import cv2
import keras
import numpy as np
import pytest
from footage import HEIGHT, WIDTH, blurred, pictures, write_frames, write_video

from models.errors import ClipError
from models.evaluation.clips import Clip, find_clips, pair_clips
from models.evaluation.evaluate import Scores, mean_scores, restore, restorer, score_clip
from models.evaluation.metrics import flicker, psnr, ssim, ssimulacra2
from models.evaluation.sheet import draw_sheet, worst_crop, worst_crops
from models.keras_network import build, load, save_weights
from models.network import NetworkConfig
from stream.cli import main
from stream.inference.deblurrer import Deblurrer

TINY = NetworkConfig(widths=(8, 8, 8), encoder=(1, 1, 1), decoder=(0, 1), hidden=8, filters=8)


@pytest.fixture(scope="module")
def network():
    """A fresh network: it changes nothing."""
    return build(TINY)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Weights files of one network that changes nothing and one that changes something."""
    folder = tmp_path_factory.mktemp("weights")
    keras.utils.set_random_seed(4)
    network = build(TINY)
    save_weights(folder / "idle.npz", TINY, network)
    rng = np.random.default_rng(4)
    for variable in network.weights:
        variable.assign(rng.normal(size=variable.shape) * 0.15)
    save_weights(folder / "busy.npz", TINY, network)
    return folder


# --- metrics ------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [1, 5, 50])
def test_psnr_of_a_known_error(error):
    frame = np.full((8, 8, 3), 100, np.uint8)
    assert psnr(frame, frame + np.uint8(error)) == pytest.approx(20 * np.log10(255 / error))
    assert psnr(frame + np.uint8(error), frame) == pytest.approx(20 * np.log10(255 / error))


def test_psnr_of_one_wrong_sample():
    frame = np.zeros((10, 10, 3), np.uint8)
    wrong = frame.copy()
    wrong[3, 4, 1] = 255
    assert psnr(frame, wrong) == pytest.approx(10 * np.log10(300))


def test_identical_frames_score_the_most():
    frame = pictures(1)[0]
    assert psnr(frame, frame) == 100
    assert ssim(frame, frame) == pytest.approx(1, abs=1e-6)
    assert flicker((frame, frame), (frame, frame)) == 0


@pytest.mark.parametrize(("one", "two"), [(100, 110), (0, 255), (30, 31)])
def test_ssim_of_flat_frames_is_its_luminance_term(one, two):
    """Without variance, Wang's formula is (2ab + C1) / (a^2 + b^2 + C1)."""
    a, b = (np.full((32, 32, 3), value, np.uint8) for value in (one, two))
    c1 = (0.01 * 255) ** 2
    expected = (2 * one * two + c1) / (one**2 + two**2 + c1)
    # float32 moments of 65,025 leave an error of some 0.004 beside C2 = 58.5
    assert ssim(a, b) == pytest.approx(expected, abs=2e-4)


def test_ssim_of_an_inverted_pattern_is_negative():
    """Equal means and variances v, covariance -v: SSIM is (C2 - 2v) / (C2 + 2v).

    A checkerboard's mean is the same in every window to some 1e-5.
    """
    rows, columns = np.indices((64, 64))
    board = np.repeat(((rows + columns) % 2)[..., None], 3, axis=2)
    one, two = ((values * 100 + 78).astype(np.uint8) for values in (board, 1 - board))
    c2, variance = (0.03 * 255) ** 2, 50**2
    assert ssim(one, two) == pytest.approx((c2 - 2 * variance) / (c2 + 2 * variance), abs=1e-4)


def test_flicker_is_the_change_that_the_reference_lacks():
    frame = np.full((8, 8, 3), 100, np.uint8)
    reference = (frame, frame + np.uint8(2))
    assert flicker(reference, (frame, frame + np.uint8(7))) == 5
    assert flicker(reference, (frame, frame - np.uint8(7))) == 9
    assert flicker(reference, (frame + np.uint8(40), frame + np.uint8(42))) == 0


# --- clips --------------------------------------------------------------------------------------


def test_every_kind_of_material_is_found(tmp_path):
    frames = pictures(3)
    folder = write_frames(tmp_path / "frames", frames)
    video = write_video(tmp_path / "clip.mkv", frames)
    for path in (folder, video):
        (found,) = find_clips(path)
        assert found.name == path.stem
        assert all(map(np.array_equal, found.frames(), frames))
    assert [clip.name for clip in find_clips(tmp_path)] == ["clip", "frames"]
    (picture,) = find_clips(folder / "001.png")
    assert np.array_equal(next(picture.frames()), frames[1])


def test_frames_come_in_the_order_of_their_numbers(tmp_path):
    frames = pictures(12)
    folder = write_frames(tmp_path / "frames", frames, name="frame_{}.png")
    (folder / "._frame_0.png").write_bytes(b"left by another system")
    assert all(map(np.array_equal, find_clips(folder)[0].frames(), frames))


def test_stills_of_equal_names_keep_their_folders(tmp_path):
    for scene in ("one", "two"):
        write_frames(tmp_path / "blur" / scene, pictures(2))
    clips = find_clips(tmp_path / "blur", stills=True)
    assert [clip.name for clip in clips] == ["one/000", "one/001", "two/000", "two/001"]
    assert pair_clips(clips, clips) == list(zip(clips, clips, strict=True))


def test_material_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        sound = container.add_stream("aac", rate=48000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate = 48000
        container.mux([*sound.encode(silence), *sound.encode(None)])
    for path, reason in [
        (tmp_path / "missing", "does not exist"),
        (tmp_path / "notes.txt", "neither an image nor a video"),
    ]:
        with pytest.raises(ClipError, match=reason):
            find_clips(path)
    for name, reason in [
        ("broken.png", "as an image: replace or remove it"),
        ("broken.mp4", "as a video: Invalid data found when processing input"),
        ("sound.mp4", "as a video: it holds none"),
    ]:
        with pytest.raises(ClipError, match=rf"/{name} can't be decoded {reason}$"):
            list(find_clips(tmp_path / name)[0].frames())
    (tmp_path / "empty").mkdir()
    with pytest.raises(ClipError, match="holds no images"):
        find_clips(tmp_path / "empty")


def test_a_clip_with_tags_that_are_no_utf_8_is_read_all_the_same(tmp_path):
    """PyAV 18 raises UnicodeDecodeError on opening it unless it is told not to."""
    with av.open(str(tmp_path / "clip.mkv"), "w") as container:
        container.metadata["title"] = "cafe au lait"
        video = container.add_stream("ffv1", rate=25)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        container.mux([*video.encode(av.VideoFrame(32, 32, "yuv420p")), *video.encode(None)])
    raw = (tmp_path / "clip.mkv").read_bytes()
    (tmp_path / "clip.mkv").write_bytes(raw.replace(b"cafe au lait", b"caf\xe9 au lait"))
    (clip,) = find_clips(tmp_path / "clip.mkv")
    assert len(list(clip.frames())) == 1


def test_two_clips_of_one_name_are_refused(tmp_path):
    write_frames(tmp_path / "scene", pictures(1))
    write_video(tmp_path / "scene.mkv", pictures(1))
    with pytest.raises(ClipError, match="'scene' twice"):
        find_clips(tmp_path)


def test_clips_without_a_partner_are_named():
    clips = [Clip(name, ()) for name in "abc"]
    assert pair_clips(clips[:1], clips[1:2]) == [(clips[0], clips[1])]
    with pytest.raises(ClipError, match="don't match by name: a, c"):
        pair_clips(clips[:2], clips[1:])


# --- scores -------------------------------------------------------------------------------------


def clips(tmp_path, frames, name="clip"):
    blurry = write_frames(tmp_path / "blur" / name, blurred(frames))
    sharp = write_frames(tmp_path / "sharp" / name, frames)
    return find_clips(blurry)[0], find_clips(sharp)[0]


def test_a_network_that_changes_nothing_scores_as_the_input(network, tmp_path):
    frames = pictures(3)
    seen = {}
    scores = score_clip(
        restorer(network, TINY), *clips(tmp_path, frames), harm=True, observe=seen.__setitem__
    )
    assert scores.frames == 3
    assert scores.gain == 0
    assert scores.psnr_in == pytest.approx(np.mean(list(map(psnr, frames, blurred(frames)))))
    assert (
        scores.ssim_in
        == scores.ssim_out
        == pytest.approx(np.mean(list(map(ssim, frames, blurred(frames)))))
    )
    assert scores.flicker_in == scores.flicker_out > 0
    assert scores.sharp_psnr == 100
    assert all(map(np.array_equal, [seen[index] for index in range(3)], blurred(frames)))


def test_a_single_frame_has_no_flicker(network, tmp_path):
    scores = score_clip(restorer(network, TINY), *clips(tmp_path, pictures(1)))
    assert scores.flicker_in is scores.flicker_out is scores.sharp_psnr is None


def test_clips_that_differ_are_refused_in_one_line(network, tmp_path):
    blurry, sharp = clips(tmp_path, pictures(3))
    for source, target in [
        (blurry, Clip("short", sharp.files[:2])),
        (Clip("short", blurry.files[:2]), sharp),
    ]:
        with pytest.raises(ClipError, match="differ in number or size") as error:
            score_clip(restorer(network, TINY), source, target)
        assert "\n" not in str(error.value)
    cv2.imwrite(str(sharp.files[1]), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(ClipError, match="differ in number or size"):
        score_clip(restorer(network, TINY), blurry, sharp, harm=True)


def test_a_new_size_begins_a_fresh_state(weights):
    model = load(str(weights / "busy.npz"))
    frames = pictures(3)
    small = frames[2][:24, :24]
    mixed = list(restore(model.network, TINY, [*frames[:2], small, small]))
    assert all(map(np.array_equal, mixed[:2], restore(model.network, TINY, frames[:2])))
    assert all(map(np.array_equal, mixed[2:], restore(model.network, TINY, [small, small])))
    assert not np.array_equal(mixed[2], mixed[3])  # it does remember


def test_means_weigh_clips_by_frames_and_flicker_by_changes():
    long = Scores("long", 3, 20.0, 24.0, 0.5, 0.6, 4.0, 1.0, 50.0)
    short = Scores("short", 1, 40.0, 40.0, 0.9, 1.0, None, None, 90.0)
    middle = Scores("middle", 2, 20.0, 24.0, 0.5, 0.6, 1.0, 4.0, 50.0)
    mean = mean_scores("mean", [long, short, middle])
    assert mean.frames == 6
    assert mean.psnr_in == pytest.approx((5 * 20 + 40) / 6)
    assert mean.ssim_out == pytest.approx((5 * 0.6 + 1) / 6)
    assert mean.flicker_in == pytest.approx((2 * 4 + 1) / 3)
    assert mean.flicker_out == pytest.approx((2 * 1 + 4) / 3)
    assert mean.sharp_psnr == pytest.approx((5 * 50 + 90) / 6)


# --- the sheet ----------------------------------------------------------------------------------


def test_the_worst_crop_is_where_the_error_is(tmp_path):
    frames = pictures(3)
    damaged = [frame.copy() for frame in frames]
    damaged[1][20:28, 40:48] ^= 128
    damaged[2][2:4, 2:4] ^= 128
    blurry = Clip("clip", find_clips(write_frames(tmp_path / "blur", damaged))[0].files)
    sharp = find_clips(write_frames(tmp_path / "sharp", frames))[0]
    crop = worst_crop(blurry, sharp, side=16)
    assert crop.frame == 1
    assert crop.rows.start <= 20 < 28 <= crop.rows.stop
    assert crop.columns.start <= 40 < 48 <= crop.columns.stop
    assert crop.error == pytest.approx(128**2 * 64 / 256)
    assert np.array_equal(crop.sharp, frames[1][crop.rows, crop.columns])
    assert worst_crop(blurry, sharp).blurry.shape == (HEIGHT, WIDTH, 3)
    assert [crop.frame for crop in worst_crops([(sharp, sharp), (blurry, sharp)], 1)] == [1]
    with pytest.raises(ClipError, match="can't be written"):
        draw_sheet(tmp_path / "nowhere" / "sheet.png", [crop])


# --- the command --------------------------------------------------------------------------------

KEYS = {"psnr_in", "psnr_out", "ssim_in", "ssim_out", "flicker_in", "flicker_out", "frames"}


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    folder = tmp_path_factory.mktemp("material")
    for index, name in enumerate(("a", "b")):
        clips(folder, pictures(2 + index, seed=index), name)
    return ["--blur", str(folder / "blur"), "--sharp", str(folder / "sharp")]


def test_eval_of_one_model_writes_flat_keys(material, weights, tmp_path, capsys):
    out = tmp_path / "scores.json"
    assert main(["eval", *material, "--model", str(weights / "idle.npz"), "--json", str(out)]) == 0
    scores = json.loads(out.read_text())
    assert scores.keys() >= KEYS
    assert scores["frames"] == 5
    assert scores["model"] == "idle"
    assert scores["psnr_in"] == scores["psnr_out"] < 100
    assert [clip["name"] for clip in scores["clips"]] == ["a", "b"]
    assert len(scores["by_frame"]) == 5
    *_, mean, spread, strong = capsys.readouterr().out.splitlines()
    assert mean.startswith("mean over frames")
    assert spread.split() == ["lowest,", "highest", "+0.00,", "+0.00"]
    assert scores["ssimulacra2_out"] is None
    low = [pair for pair in scores["by_frame"] if pair[0] < 27]
    assert strong.split()[:5] == ["frames", "under", "27", "dB", str(len(low))]


def test_eval_looks_ahead_where_it_is_asked_to(material, weights, tmp_path, monkeypatch):
    asked = []

    class Noted(Deblurrer):
        def __init__(self, *args, **options):
            asked.append(options["look_ahead"])
            super().__init__(*args, **options)

    monkeypatch.setattr("stream.inference.deblurrer.Deblurrer", Noted)
    argv = ["eval", *material, "--model", str(weights / "busy.npz")]
    for flags in ([], ["--look-ahead"]):
        out = tmp_path / "scores.json"
        assert main([*argv, *flags, "--json", str(out)]) == 0
        assert len(json.loads(out.read_text())["by_frame"]) == 5
    assert asked == [False, True]


def test_eval_scores_what_the_engine_gives_and_says_which(material, weights, tmp_path, capsys):
    """A runtime that is asked for computes, and is named."""
    found = []
    for runtime in ("mnn", "onnx"):
        out = tmp_path / f"{runtime}.json"
        argv = ["eval", *material, "--model", str(weights / "busy.npz"), "--json", str(out)]
        assert main([*argv, "--device", "cpu", "--runtime", runtime]) == 0
        assert capsys.readouterr().out.startswith(f"model busy ({runtime}, cpu, float32)\n")
        found.append(json.loads(out.read_text()))
        assert [found[-1][key] for key in ("runtime", "device", "precision")] == [
            runtime,
            "cpu",
            "float32",
        ]
    assert found[0]["psnr_out"] == pytest.approx(found[1]["psnr_out"], abs=0.01)
    assert found[0]["psnr_out"] != found[0]["psnr_in"]


def test_eval_takes_frames_that_come_a_call_later(material, weights, tmp_path, monkeypatch):
    scores = {}
    process = Deblurrer.process
    held = []

    def late(self, frame):
        held.append(process(self, frame)[0])
        return [held.pop(0)] if len(held) > 1 else []

    def flush(self):
        rest = held.copy()
        held.clear()
        return rest

    for kind in ("at once", "late"):
        if kind == "late":
            monkeypatch.setattr(Deblurrer, "process", late)
            monkeypatch.setattr(Deblurrer, "flush", flush)
        out = tmp_path / f"{kind}.json"
        argv = ["eval", *material, "--model", str(weights / "busy.npz"), "--json", str(out)]
        assert main([*argv, "--device", "cpu", "--precision", "float32"]) == 0
        scores[kind] = json.loads(out.read_text())
    assert scores["late"] == scores["at once"]


def test_people_s_judgement_is_asked_for(material, weights, tmp_path, capsys):
    pytest.importorskip("ssimulacra2")
    out = tmp_path / "scores.json"
    argv = ["eval", *material, "--perceptual", "--model", str(weights / "busy.npz")]
    assert main([*argv, "--json", str(out)]) == 0
    scores = json.loads(out.read_text())
    assert 100 > scores["ssimulacra2_in"] != scores["ssimulacra2_out"]
    told = [f"{scores['ssimulacra2_in']:.1f}", f"{scores['ssimulacra2_out']:.1f}"]
    (mean,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("mean")]
    assert mean.split()[-2:] == told


def test_what_people_judge_by_says_what_it_needs(material, weights, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ssimulacra2", None)
    argv = ["eval", *material, "--perceptual", "--model", str(weights / "busy.npz")]
    assert main(argv) == 1
    assert capsys.readouterr().err == (
        "deblur: --perceptual needs SSIMULACRA 2; install it with: "
        "pip install 'deblurstream[perceptual]'\n"
    )


def test_blur_lowers_what_people_judge_and_equal_frames_have_all():
    pytest.importorskip("ssimulacra2")
    (frame,) = pictures(1)
    soft, softer = (cv2.GaussianBlur(frame, (0, 0), sigma) for sigma in (1, 3))
    assert ssimulacra2(frame, frame) == pytest.approx(100, abs=1e-6)
    assert 100 > ssimulacra2(frame, soft) > ssimulacra2(frame, softer)


def test_eval_of_several_models_lists_and_draws_them(material, weights, tmp_path, capsys):
    out, sheet = tmp_path / "scores.json", tmp_path / "sheet.png"
    names = [str(weights / name) for name in ("idle.npz", "busy.npz")]
    flags = [flag for name in names for flag in ("--model", name)]
    assert main(["eval", *material, *flags, "--json", str(out), "--sheet", str(sheet)]) == 0
    scores = json.loads(out.read_text())["models"]
    assert [model["model"] for model in scores] == ["idle", "busy"]
    assert all(model.keys() >= KEYS for model in scores)
    assert scores[0]["psnr_in"] == scores[1]["psnr_in"] != scores[1]["psnr_out"]
    assert capsys.readouterr().out.count("mean over frames") == 2
    rows, columns = (2, 4)  # clips; blurry, two models, sharp
    drawn = cv2.imread(str(sheet))
    assert drawn.shape[0] > rows * 3 * HEIGHT
    assert drawn.shape[1] == columns * 3 * WIDTH


def test_eval_names_models_of_one_file_name_apart(weights, tmp_path):
    from stream.cli.eval import labels

    twin = tmp_path / "idle.npz"
    twin.write_bytes((weights / "idle.npz").read_bytes())
    names = [str(path) for path in (weights / "idle.npz", twin, weights / "busy.npz")]
    assert labels(names) == [(names[0], names[0]), (names[1], names[1]), (names[2], "busy")]


@pytest.mark.parametrize("missing", ["blur", "sharp"])
def test_eval_fails_in_one_line(material, weights, missing, capsys):
    given = [*material, "--model", str(weights / "idle.npz")]
    given[given.index(f"--{missing}") + 1] = "/nowhere/to/be/found"
    assert main(["eval", *given]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("deblur: ")
    assert "/nowhere/to/be/found" in line


def test_a_video_is_no_still(tmp_path):
    (tmp_path / "a.mp4").touch()
    for path in (tmp_path, tmp_path / "a.mp4"):
        with pytest.raises(ClipError, match="is a video, not a still: leave out --stills"):
            find_clips(path, stills=True)
