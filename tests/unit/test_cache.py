"""What is kept on disk is given back whole, or made again."""

import os

import pytest

from models import cache
from models.cache import cache_folder, cached
from models.networks import mnn
from stream.inference.engines import open_engine


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return cache_folder("things")


class Maker:
    """Gives some bytes, and counts how often it was asked."""

    def __init__(self, content=b"content"):
        self.content = content
        self.asked = 0

    def __call__(self):
        self.asked += 1
        return self.content


def test_what_is_kept_is_made_once_for_each_key():
    one, other = Maker(), Maker(b"")
    for _ in range(2):
        assert cached("things", "one", one) == b"content"
        assert cached("things", "other", other) == b""
    assert (one.asked, other.asked) == (1, 1)


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b"", lambda b: b[:-1] + b"?"])
def test_what_is_damaged_is_made_again(folder, damage):
    made = Maker()
    cached("things", "one", made)
    (path,) = folder.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    for _ in range(2):
        assert cached("things", "one", made) == b"content"
    assert made.asked == 2


def test_without_a_place_it_is_made_each_time(folder):
    folder.parent.parent.mkdir(exist_ok=True)
    folder.parent.touch()
    made = Maker()
    for _ in range(2):
        assert cached("things", "one", made) == b"content"
    assert made.asked == 2


def test_what_was_used_last_stays(folder, monkeypatch):
    monkeypatch.setattr(cache, "KEPT", 2)
    made = Maker()
    for age, key in enumerate(("first", "second")):
        cached("things", key, made)
        newest = max(folder.iterdir(), key=lambda path: path.stat().st_ctime_ns)
        os.utime(newest, (age, age))
    cached("things", "first", made)  # used again
    cached("things", "third", made)  # the second one makes room
    assert made.asked == 3
    cached("things", "first", made)
    assert made.asked == 3
    cached("things", "second", made)
    assert made.asked == 4
    assert len(list(folder.iterdir())) == 2


def test_a_network_is_converted_for_mnn_once_for_all_sizes(random_model, monkeypatch):
    converted, convert = [], mnn.mnn_model

    def counted(model):
        converted.append(model)
        return convert(model)

    monkeypatch.setattr(mnn, "mnn_model", counted)
    for _ in range(2):
        engine = open_engine(random_model, device="cpu", runtime="mnn").engine
        for size in ((32, 48), (34, 44)):
            engine._network(*size)
    assert len(converted) == 1
    open_engine(random_model, device="cpu", runtime="mnn", look_ahead=True).engine._network(32, 48)
    assert len(converted) == 2
