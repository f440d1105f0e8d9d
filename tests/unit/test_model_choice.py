"""What a quality means on a machine, and how its speed is measured."""

from fractions import Fraction
from itertools import count

import pytest

from models.registry import card, shipped
from stream.cli import main
from stream.cli.quality import AUTO, PATIENCE, QUALITIES, choose
from stream.frame import StreamInfo
from stream.inference.deblurrer import Deblurrer
from stream.inference.speed import seconds_per_megapixel

SPEEDS = {"tiny": 0.05, "small": 0.2, "base": 0.6}  # two cores of a notebook


def video(width=1920, height=1080, **facts):
    known = {"frame_rate": Fraction(30), "frames_estimate": 1800} | facts
    return StreamInfo(
        name="v",
        width=width,
        height=height,
        pixel_format="yuv420p",
        source_pixel_format="yuv420p",
        time_base=Fraction(1, 30),
        **known,
    )


@pytest.mark.parametrize(
    ("quality", "size", "model"),
    [
        (AUTO, (1920, 1080), "small"),
        (AUTO, (3840, 2160), "tiny"),
        (AUTO, (15360, 8640), "tiny"),
        ("balanced", (1280, 720), "small"),
        ("balanced", (3840, 2160), "tiny"),
        ("fast", (320, 240), "tiny"),
        ("best", (3840, 2160), "base"),
    ],
)
def test_a_quality_is_the_best_model_that_one_would_wait_for(quality, size, model):
    assert choose(quality, video(*size), SPEEDS.__getitem__).model == model


def test_no_model_is_tried_that_will_not_be_needed():
    asked = []
    choose(AUTO, video(), lambda model: asked.append(model) or SPEEDS[model])
    assert asked == ["small"]


def test_the_time_is_that_of_all_frames():
    info = video(1000, 1000, frames_estimate=900)
    choice = choose("best", info, SPEEDS.__getitem__)
    assert (choice.time_s, choice.minute_s) == pytest.approx((540, 1080))
    words = "by base: a minute of 1000x1000 at 30 takes about 18 minutes here, "
    assert choice.words(info) == words + "this video about 9 minutes"


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (Fraction(25), "a minute of 1920x1080 at 25 takes about 3 minutes here"),
        (Fraction(30000, 1001), "a minute of 1920x1080 at 30 takes about 3 minutes here"),
        (None, "a minute of 1920x1080 at 30 takes about 3 minutes here"),
    ],
)
def test_a_video_of_unknown_length_has_no_time(rate, words):
    info = video(frame_rate=rate, frames_estimate=None)
    choice = choose("fast", info, SPEEDS.__getitem__)
    assert choice.time_s is None
    assert choice.words(info) == f"by tiny: {words}"


def test_every_quality_is_a_shipped_model():
    from models.registry import CONFIGS

    assert all(model in CONFIGS for models in QUALITIES.values() for model in models)
    assert PATIENCE > 1


def test_a_speed_is_measured_once_and_leaves_no_trace(random_model, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    deblurrer = Deblurrer(random_model, runtime="mnn", look_ahead=True)
    ticks = count()
    found = seconds_per_megapixel(deblurrer, cores=1, clock=lambda: float(next(ticks)))
    assert found == pytest.approx(1 / 0.2304, rel=1e-5)  # each look at this clock takes a second
    assert not deblurrer.resets
    assert not deblurrer.flush()
    again = Deblurrer(random_model, runtime="mnn", look_ahead=True)
    assert seconds_per_megapixel(again, cores=1, clock=pytest.fail) == found
    assert seconds_per_megapixel(again, cores=4) == found / 4
    (record,) = (tmp_path / "deblur" / "speed").iterdir()
    record.write_text("no number")
    assert seconds_per_megapixel(again, cores=1, clock=lambda: float(next(ticks))) == found
    live = Deblurrer(random_model, runtime="mnn")
    seconds_per_megapixel(live, clock=lambda: float(next(ticks)))
    assert len(list((tmp_path / "deblur" / "speed").iterdir())) == 2


def test_a_place_that_cannot_be_written_is_no_obstacle(random_model, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    ticks = count()
    assert seconds_per_megapixel(
        Deblurrer(random_model, runtime="mnn"), clock=lambda: float(next(ticks))
    )


def test_models_are_listed_with_the_pictures_that_their_gains_rest_on(capsys):
    assert main(["models"]) == 0
    said = capsys.readouterr().out
    for name in shipped():
        scores = card(name)["scores"]
        clips, stills = scores["validation"], scores["gopro_720p"]
        gains = [f"{s['psnr_out'] - s['psnr_in']:+.2f} dB ({s['frames']})" for s in (clips, stills)]
        (line,) = (line for line in said.splitlines() if line.startswith(f"{name} "))
        assert all(gain in line for gain in gains)
    assert "--quality best" in said
