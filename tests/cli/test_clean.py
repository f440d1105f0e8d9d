"""`deblur clean` as a user meets it: real files, good and bad."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from clips import Clip

import stream.cli.cleaner
from models.registry import shipped
from stream.cli import _parser, main
from stream.cli.cleaner import Cleaner

SMALL = Clip(width=64, height=48, frames=8)
FAST_VP9 = (("cpu-used", "8"), ("deadline", "realtime"))
ODD = Clip(".mkv", "libvpx-vp9", 853, 479, frames=2, options=FAST_VP9)


def pts_of(path):
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def luma_of(path):
    with av.open(str(path)) as container:
        return np.stack([f.to_ndarray(format="gray") for f in container.decode(video=0)])


def sound_of(path):
    with av.open(str(path)) as container:
        return [bytes(p) for p in container.demux(audio=0) if p.size]


@pytest.mark.parametrize(
    "spec",
    [
        Clip(frames=12, audio="aac"),
        Clip(frames=12, suffix=".mkv", gaps=(512, 700, 300), start=1000, audio="aac"),
        ODD,
        Clip(width=2, height=2, frames=3),
        Clip(frames=1),
        Clip(pixel_format="yuv444p10le", frames=4),
    ],
    ids=["plain", "variable rate", "odd size", "2x2", "one frame", "10-bit 4:4:4"],
)
def test_a_clip_comes_back_changed_only_in_its_pixels(spec, clip, random_model, tmp_path, capsys):
    source, out, report = clip(spec), tmp_path / f"out{spec.suffix}", tmp_path / "r.json"
    code = main(["clean", str(source), str(out), "--model", random_model, "--report", str(report)])
    assert code == 0, capsys.readouterr().err
    assert pts_of(out) == pts_of(source)
    if spec.width > 2:
        assert np.abs(luma_of(out).astype(int) - luma_of(source)).mean() > 0.3
    if spec.audio:
        assert sound_of(out) == sound_of(source)
    values = json.loads(report.read_text())
    assert values["frames_in"] == values["frames_out"] == spec.frames
    assert values["frames_dropped"] == values["decode_failures"] == 0
    assert (values["model"], values["device"]) == ("random", "cpu")
    for key in ("duration_s", "fps", "precision", "stages", "latency_ms"):
        assert key in values
    assert set(values["stages"]) == {"capture", "inference", "output"}
    assert set(values["stages"]["inference"]) == {"busy_s", "p50_ms", "p95_ms"}
    assert set(values["latency_ms"]) == {"p50", "p95", "p99"}
    assert {entry.name for entry in tmp_path.iterdir()} == {out.name, "r.json"}


def test_a_video_alone_is_cleaned_beside_itself_once(clip, random_model, tmp_path, capsys):
    source = tmp_path / "my.walk.mkv"
    source.write_bytes(clip(SMALL).read_bytes())
    line = ["clean", str(source), "--model", random_model]
    assert main(line) == 0
    made = tmp_path / "my.walk.deblurred.mkv"
    assert pts_of(made) == pts_of(source)
    assert main(line) == 1
    assert f"{made} exists" in capsys.readouterr().err


def test_options_may_stand_between_paths(clip, random_model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.mp4", "-b.mp4"):
        (tmp_path / name).write_bytes(clip(SMALL).read_bytes())
    assert main(["clean", "a.mp4", "--model", random_model, "--", "-b.mp4", "out/"]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a.mp4", "-b.mp4"}


def audio_only(path):
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=48_000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate = 48_000
        container.mux(stream.encode(silence))
        container.mux(stream.encode())


BAD = {
    "directory": lambda path: path.mkdir(),
    "text": lambda path: path.write_text("not a video\n" * 99),
    "empty": lambda path: path.write_bytes(b""),
    "audio only": audio_only,
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_video_is_refused_in_one_line(kind, random_model, tmp_path, capsys):
    source = tmp_path / "in.mp4"
    BAD[kind](source)
    assert main(["clean", str(source), str(tmp_path / "out.mp4"), "--model", random_model]) == 1
    error = capsys.readouterr().err
    assert error.startswith("deblur: ")
    assert "in.mp4" in error
    assert error.count("\n") == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["in.mp4"]


def test_a_file_cut_short_gives_what_is_there_or_one_line(clip, random_model, tmp_path, capsys):
    whole = clip(Clip(frames=24, suffix=".mkv")).read_bytes()
    source, out = tmp_path / "in.mkv", tmp_path / "out.mkv"
    source.write_bytes(whole[: len(whole) // 2])
    assert main(["clean", str(source), str(out), "--model", random_model]) == 1
    assert pts_of(out) == pts_of(source)
    assert 1 < len(pts_of(out)) < 24
    capsys.readouterr()
    headless = tmp_path / "in.mp4"
    headless.write_bytes(clip(Clip(frames=24)).read_bytes()[:2000])
    assert main(["clean", str(headless), str(tmp_path / "out.mp4"), "--model", random_model]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out.mp4").exists()


def test_an_existing_output_is_kept_unless_told(clip, random_model, tmp_path, capsys):
    out = tmp_path / "out.mp4"
    out.write_text("mine")
    argv = ["clean", str(clip(SMALL)), str(out), "--model", random_model]
    assert main(argv) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert main([*argv, "--overwrite"]) == 0
    assert len(pts_of(out)) == SMALL.frames


def test_a_folder_is_cleaned_with_one_model(clip, random_model, tmp_path, capsys, monkeypatch):
    """Done, failed, skipped and done; the bytes are those of a run for one video alone."""
    from stream.inference import deblurrer

    videos, out, report = tmp_path / "in", tmp_path / "out", tmp_path / "r.json"
    (videos / "deep").mkdir(parents=True)
    other = Clip(".mkv", frames=10, width=80, height=48)
    for name, content in {
        "a.mp4": clip(SMALL).read_bytes(),
        "b.mp4": b"no video",
        "c.mp4": clip(SMALL).read_bytes(),
        "deep/d.mkv": clip(other).read_bytes(),
        "notes.txt": b"no video either",
    }.items():
        (videos / name).write_bytes(content)
    out.mkdir()
    (out / "c.mp4").write_text("mine")
    loads = []

    class Counted(deblurrer.Deblurrer):
        def __init__(self, *args, **kwargs):
            loads.append(args)
            super().__init__(*args, **kwargs)

    monkeypatch.setattr(deblurrer, "Deblurrer", Counted)
    monkeypatch.setattr("stream.cli.cleaner.available_cores", lambda: 3)
    argv = ["clean", str(videos), str(out), "--model", random_model]
    assert main([*argv, "--report", str(report)]) == 1
    said = capsys.readouterr()
    passed, failed = said.err.splitlines()
    assert passed.endswith("passed over what holds no video: 1 .txt")
    assert "b.mp4 cannot be read as video" in failed
    lines = said.out.splitlines()
    assert lines[-1] == "4 videos: 2 done, 1 skipped, 1 failed"
    assert [line.split()[0] for line in lines[-5:-1]] == ["done", "failed", "skipped", "done"]
    assert len(loads) == 3  # one for each core, and none for each video
    assert pts_of(out / "a.mp4") == pts_of(clip(SMALL))
    assert pts_of(out / "deep/d.mkv") == pts_of(clip(other))
    assert (out / "c.mp4").read_text() == "mine"
    assert not (out / "b.mp4").exists()
    rows = json.loads(report.read_text())["videos"]
    assert [row["result"] for row in rows] == ["done", "failed", "skipped", "done"]
    assert [row.get("frames_out") for row in rows] == [8, None, None, 10]
    assert [row["resets"]["start"] for row in rows if "resets" in row] == [1, 1]

    alone = tmp_path / "alone.mkv"
    assert main(["clean", str(clip(other)), str(alone), "--model", random_model]) == 0
    assert alone.read_bytes() == (out / "deep/d.mkv").read_bytes()
    (videos / "b.mp4").unlink()
    loads.clear()
    assert main(argv) == 0, "all that is left to do is done"
    assert not loads
    assert "3 videos: 3 skipped" in capsys.readouterr().out


def test_a_batch_that_is_interrupted_tells_what_it_has_done(
    clip, random_model, tmp_path, capsys, monkeypatch
):
    from stream.cli import cleaner

    report, videos = tmp_path / "r.json", [tmp_path / name for name in ("a.mp4", "b.mp4", "c.mp4")]
    for video in videos:
        video.write_bytes(clip(SMALL).read_bytes())

    class Interrupting(cleaner.ProgressLine):
        def __call__(self, stats):
            if self._name == "2/3 b.mp4":
                raise KeyboardInterrupt

    monkeypatch.setattr(cleaner, "ProgressLine", Interrupting)
    argv = ["clean", *map(str, videos), str(tmp_path / "out"), "--model", random_model]
    assert main([*argv, "--report", str(report)]) == 130
    said = capsys.readouterr()
    assert said.err == "deblur: interrupted\n"
    assert said.out.endswith("a.mp4\n3 videos: 1 done, 2 not begun\n")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.mp4"]
    rows = json.loads(report.read_text())["videos"]
    assert [row["result"] for row in rows] == ["done", "not begun", "not begun"]
    assert [row.get("frames_out") for row in rows] == [8, None, None]


def test_an_output_that_ends_in_a_slash_is_a_folder(clip, random_model, tmp_path, capsys):
    source, folder = clip(SMALL), tmp_path / "new" / "folder"
    argv = ["clean", str(source), f"{folder}/", "--model", random_model]
    assert main([*argv, "--dry-run"]) == 0
    assert main(["clean", str(tmp_path / "none.mp4"), *argv[2:]]) == 1
    assert not list(tmp_path.iterdir())
    assert main(argv) == 0
    assert pts_of(folder / source.name) == pts_of(source)
    capsys.readouterr()
    assert main(argv) == 1
    assert "--overwrite" in capsys.readouterr().err


def test_a_dry_run_tells_and_writes_nothing(clip, random_model, tmp_path, capsys):
    videos, out, report = tmp_path / "in", tmp_path / "out", tmp_path / "r.json"
    videos.mkdir()
    (videos / "a.mp4").write_bytes(clip(SMALL).read_bytes())
    (videos / "b.mp4").write_text("no video")
    argv = ["clean", "--dry-run", "--model", random_model, "--report", str(report)]
    assert main([*argv, str(videos), str(out)]) == 1
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert "8 frames, 0:00, 64x48 yuv420p h264" in said.out
    assert "becomes  64x48 yuv420p by libx264 (crf 17, preset fast)" in said.out
    assert said.out.endswith("; nothing was written\n")
    assert {path.name for path in tmp_path.rglob("*")} == {"in", "a.mp4", "b.mp4", "r.json"}
    planned, failed = json.loads(report.read_text())["videos"]
    assert (planned["result"], failed["result"]) == ("planned", "failed")
    assert (planned["frames"], planned["segments"], planned["encoder"]) == (8, 1, "libx264")

    assert main([*argv, str(videos / "a.mp4"), str(videos / "b.mp4")]) == 1
    assert "--overwrite" in capsys.readouterr().err


def test_numbered_pictures_are_tried_cleaned_and_weighed(clip, random_model, tmp_path, capsys):
    with av.open(str(clip(SMALL))) as container:
        for number, frame in enumerate(container.decode(video=0), start=1):
            bgr = frame.to_ndarray(format="bgr24")
            cv2.imwrite(str(tmp_path / f"in{number}.png"), bgr)
    argv = ["clean", str(tmp_path / "in%d.png"), str(tmp_path / "out%d.png")]
    argv += ["--model", random_model]
    assert main([*argv, "--dry-run"]) == 0
    assert "8 frames, 0:00, 64x48 gbrp png" in capsys.readouterr().out
    assert len(list(tmp_path.iterdir())) == SMALL.frames
    assert main(argv) == 0
    assert "out%d.png: 8 frames in " in capsys.readouterr().out
    assert len(list(tmp_path.glob("out*.png"))) == SMALL.frames


def test_a_preview_is_short_and_shows_both(clip, random_model, tmp_path, capsys):
    spec = Clip(frames=80, width=64, height=48, gaps=(1024,))
    source, out = clip(spec), tmp_path / "look.mp4"
    assert main(["clean", "--preview", str(source), str(out), "--model", random_model]) == 0
    assert f"{out}: 63 frames in " in capsys.readouterr().out
    before, both = luma_of(source), luma_of(out)
    assert both.shape == (63, 48, 128)
    assert np.abs(both[:, :, :64].astype(int) - before[9:72]).mean() < 2
    assert np.abs(both[:, :, 64:].astype(int) - both[:, :, :64]).mean() > 0.3


@pytest.mark.parametrize("more", [[], ["--no-resume"], ["--strength", "0.5"]])
def test_an_interrupted_run_goes_on_unless_told(
    more, clip, random_model, tmp_path, capsys, monkeypatch
):
    from stream.jobs import clean

    source, out = clip(Clip(frames=20, width=64, height=48, gaps=(12800,))), tmp_path / "out.mp4"
    whole = tmp_path / "whole.mp4"
    argv = ["clean", str(source), str(out), "--model", random_model]
    assert main([*argv[:2], str(whole), *argv[3:]]) == 0

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(clean, "_join", interrupt)
        assert main(argv) == 130
    assert not out.exists()
    kept = "20 frames are kept; the same command goes on behind them\n"
    assert capsys.readouterr().err == f"deblur: {out}: {kept}deblur: interrupted\n"
    assert main([*argv, *more]) == 0
    assert ("going on behind 20 frames" in capsys.readouterr().err) is not bool(more)
    assert (out.read_bytes() == whole.read_bytes()) is ("--strength" not in more)
    assert {path.name for path in tmp_path.iterdir()} == {"out.mp4", "whole.mp4"}


@pytest.mark.parametrize(
    ("more", "megapixel_s", "model"),
    [
        ((), 0.1, "small"),
        ((), 1e4, "tiny"),
        (("--quality", "balanced"), 1e4, "tiny"),
        (("--quality", "fast"), 0.1, "tiny"),
        (("--quality", "best"), 1e4, "base"),
        (("--model", "tiny"), 0.1, "tiny"),
    ],
)
def test_the_model_is_the_one_that_the_quality_means_here(
    more, megapixel_s, model, clip, tmp_path, monkeypatch
):
    monkeypatch.setattr(
        "stream.inference.speed.seconds_per_megapixel", lambda deblurrer, **_: megapixel_s
    )
    source, out, report = clip(SMALL), tmp_path / "out.mp4", tmp_path / "r.json"
    assert main(["clean", str(source), str(out), "--report", str(report), *more]) == 0
    assert json.loads(report.read_text())["model"] == model


def test_a_model_and_a_quality_exclude_each_other(tmp_path, capsys):
    argv = ["clean", "in.mp4", "out.mp4", "--model", "tiny", "--quality", "best"]
    with pytest.raises(SystemExit, match="2"):
        main(argv)
    assert "--quality: not allowed with argument --model" in capsys.readouterr().err


@pytest.mark.parametrize(("strength", "warned"), [("1.2", 0), ("1.21", 1)])
def test_a_strength_that_exaggerates_is_named(
    strength, warned, clip, random_model, tmp_path, capsys
):
    argv = ["clean", str(clip(SMALL)), str(tmp_path / "out.mp4"), "--model", random_model]
    assert main([*argv, "--strength", strength]) == 0
    assert capsys.readouterr().err.count("seldom a better picture") == warned


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_an_error_that_nobody_foresaw_in_one_of_several_is_one_line_and_the_others_go_on(
    more, clip, random_model, tmp_path, capsys, monkeypatch
):
    name = "forecast" if more else "clean_file"
    work = getattr(stream.cli.cleaner, name)

    def failing(source, *rest, **named):
        if source.name == "a.mp4":
            raise ValueError("strange\nthings")
        return work(source, *rest, **named)

    monkeypatch.setattr(stream.cli.cleaner, name, failing)
    videos, out = tmp_path / "in", tmp_path / "out"
    videos.mkdir()
    for each in "ab":
        (videos / f"{each}.mp4").write_bytes(clip(SMALL).read_bytes())
    argv = ["clean", str(videos), str(out), "--model", random_model, *more]
    assert main(argv) == 1
    said = capsys.readouterr()
    (line,) = [line for line in said.err.splitlines() if "strange" in line]
    assert line.startswith(f"deblur: {videos / 'a.mp4'}: ValueError: strange (test_clean.py, line ")
    if more:
        assert f"{videos / 'b.mp4'} -> {out / 'b.mp4'}" in said.out
    else:
        assert (out / "b.mp4").exists()
        assert said.out.endswith("2 videos: 1 done, 1 failed\n")
    with pytest.raises(ValueError, match="strange"):
        main([*argv, "--debug", "--overwrite"])


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="a signal of POSIX")
def test_the_installed_command_survives_sigkill(clip, tmp_path):
    """The shipped model, killed four times on the way, against a run in one go."""
    source = clip(Clip(frames=100, width=96, height=64, gaps=(12800,), audio="aac"))
    argv = [sys.executable, "-m", "stream", "clean", str(source)]
    whole, out = tmp_path / "whole.mp4", tmp_path / "out.mp4"
    began = time.monotonic()
    subprocess.run([*argv, str(whole)], check=True)
    length_s = time.monotonic() - began
    for wait_s in np.random.default_rng(9).uniform(0.6, 1, 4) * length_s:
        with subprocess.Popen([*argv, str(out)]) as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(wait_s)
            process.kill()
    if not out.exists():
        subprocess.run([*argv, str(out)], check=True)
    assert out.read_bytes() == whole.read_bytes()


def test_strength_scales_the_correction_and_belongs_to_the_job(clip, random_model, tmp_path):
    source, changes = clip(Clip(frames=4)), {}
    for strength in ("0", "0.5", "1"):
        target = tmp_path / f"{strength}.mkv"
        line = ["clean", str(source), str(target), "--model", random_model, "--codec", "ffv1"]
        assert main([*line, "--strength", strength]) == 0
        changes[strength] = luma_of(target).astype(int) - luma_of(source)
    assert not changes["0"].any()
    assert 0.4 < np.abs(changes["0.5"]).mean() / np.abs(changes["1"]).mean() < 0.6


def test_strength_0_changes_no_sample_of_any_layout(clip, random_model, tmp_path):
    """The whole program once; `test_identity` has every pixel format without the network."""
    layouts = ("yuv420p", "yuv422p10le", "yuv444p12le", "gray", "bgr0", "gbrp10le", "yuva420p")
    videos, out = tmp_path / "in", tmp_path / "out"
    videos.mkdir()
    for layout in layouts:
        spec = Clip(".mkv", "ffv1", 66, 50, layout, frames=3, options=())
        (videos / f"{layout}.mkv").write_bytes(clip(spec).read_bytes())
    assert main(["clean", str(videos), str(out), "--model", random_model, "--strength", "0"]) == 0
    for layout in layouts:
        shown = []
        for folder in (videos, out):
            with av.open(str(folder / f"{layout}.mkv")) as container:
                pictures = list(container.decode(video=0))
            assert [picture.format.name for picture in pictures] == [layout] * 3
            shown.append([bytes(plane) for picture in pictures for plane in picture.planes])
        assert shown[0] == shown[1], layout


@pytest.mark.parametrize("strength", ["-0.1", "1.6", "nan", "much"])
def test_a_strength_that_makes_no_sense_is_a_usage_error(strength, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["clean", "in.mp4", "out.mp4", "--strength", strength])
    assert "--strength" in capsys.readouterr().err


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_exits_with_130_and_leaves_nothing(kind, clip, random_model, tmp_path):
    source = clip(Clip(frames=60, width=160, height=120))
    out = tmp_path / "out.mp4"
    # the child interrupts itself at a known frame: no sleeping and guessing
    code = f"""
import os, sys
from stream.cli import main, report
class Interrupting(report.ProgressLine):
    def __call__(self, stats):
        if stats.frames_out == 5:
            os.kill(os.getpid(), {int(kind)})
report.ProgressLine = Interrupting
sys.exit(main(["clean", {str(source)!r}, {str(out)!r}, "--model", {random_model!r}]))
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 130, result.stderr
    assert result.stderr == "deblur: interrupted\n"
    assert not list(tmp_path.iterdir())


def test_the_installed_command_is_quiet_and_exact(clip, tmp_path):
    """A real process, the shipped model, nothing but the result on either stream."""
    source, out = clip(Clip(frames=12, audio="aac")), tmp_path / "out.mp4"
    result = subprocess.run(
        [sys.executable, "-m", "stream", "clean", str(source), str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(f"{out}: 12 frames in ")
    assert pts_of(out) == pts_of(source)
    assert sound_of(out) == sound_of(source)


def test_a_really_blurred_video_keeps_its_frames_and_gets_sharper(footage, tmp_path):
    source, out, report = footage / "blurry_real/dog.mp4", tmp_path / "out.mp4", tmp_path / "r.json"
    assert main(["clean", str(source), str(out), "--report", str(report)]) == 0
    assert pts_of(out) == pts_of(source)
    values = json.loads(report.read_text())
    assert values["frames_in"] == values["frames_out"] == 60

    def sharpness(path):
        return np.abs(np.diff(luma_of(path).astype(np.float32), axis=2)).mean()

    assert sharpness(out) > 1.02 * sharpness(source)


def test_models_lists_what_is_shipped(capsys):
    assert main(["models", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["tiny"]["gmac_720p"] <= 5.5
    assert [name for name, row in rows.items() if row["trained"]] == shipped()
    assert {"psnr_in", "psnr_out"} <= rows["tiny"]["scores"]["gopro_720p"].keys()
    assert main(["models"]) == 0
    assert "tiny" in capsys.readouterr().out


def test_bench_reports_its_figures(random_model, tmp_path, capsys, monkeypatch):
    target = tmp_path / "b.json"
    prepared = []
    monkeypatch.setattr("stream.inference.device.prepare_tensorflow", prepared.append)
    argv = ["bench", "--size", "64x48", "--frames", "4", "--model", random_model]
    assert main([*argv, "--json", str(target)]) == 0
    values = json.loads(target.read_text())
    assert values["frames_out"] == 4
    assert values["pipeline"]["fps"] > 0
    assert values["model"]["gmac_per_frame"] > 0
    assert values["model"]["ms_per_frame"] > 0
    # or the ceiling of a CPU would be measured on the GPU beside it
    assert [compute.device for compute in prepared] == [values["device"]]
    assert "64x48" in capsys.readouterr().out


def test_real_pairs_gain(footage, tmp_path, capsys):
    pairs, target = footage / "public_test/gopro_crops256", tmp_path / "scores.json"
    argv = ["eval", "--blur", str(pairs / "blur"), "--sharp", str(pairs / "sharp"), "--stills"]
    assert main([*argv, "--json", str(target)]) == 0
    values = json.loads(target.read_text())
    assert values["frames"] == 3
    assert values["psnr_in"] == pytest.approx(24.61, abs=0.02)  # a fact of the pairs
    assert values["psnr_out"] > values["psnr_in"]
    assert values["sharp_psnr"] > 42


def test_a_model_of_this_folder_is_named_so_that_other_machines_find_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("tiny", "other"):
        (tmp_path / name).mkdir()
    found = []
    for model in ("tiny", "other"):
        options = _parser(["clean"]).parse_args(["clean", "in.mp4", "out.mp4", "--model", model])
        found += Cleaner(options, [])._maker(model).args
    assert found == ["tiny", str(tmp_path / "other")]


def test_a_video_that_is_cut_off_is_cleaned_but_is_no_success(clip, tmp_path, capsys):
    """Scripts delete what came out with exit code 0; frames of this one are lost."""
    whole = clip(Clip(".mkv", width=64, height=48, time_base=Fraction(1, 1000), gaps=(40,)))
    tapes, report = tmp_path / "tapes", tmp_path / "report.json"
    tapes.mkdir()
    (tapes / "cut.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size * 3 // 4])
    cut, out = str(tapes / "cut.mkv"), tmp_path / "out.mkv"
    assert main(["clean", cut, str(out), "--strength", "0", "--report", str(report)]) == 1
    assert "cut.mkv is cut off or damaged" in capsys.readouterr().err
    missing = json.loads(report.read_text())["frames_missing"]
    assert len(pts_of(out)) + missing == 24
    assert main(["clean", str(tapes), str(tmp_path / "all"), "--strength", "0"]) == 1
    assert "1 videos: 1 cut off" in capsys.readouterr().out
    assert len(pts_of(tmp_path / "all" / "cut.mkv")) + missing == 24
