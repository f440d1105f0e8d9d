"""A model's name, path or file means the same to the command line, the library and the trainer."""

from pathlib import Path

import pytest

from models import registry
from models.errors import WeightsError
from models.registry import find_model
from stream.cli import main
from stream.cli.eval import labels
from stream.cli.serve import _models
from stream.errors import ModelError
from stream.inference.deblurrer import Deblurrer


@pytest.fixture
def here(tmp_path, monkeypatch, random_model):
    """A folder with a model of each kind, and one that is called as a shipped one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.npz").write_bytes(Path(random_model).read_bytes())
    (tmp_path / "THEIRS.ONNX").write_bytes(b"")
    for folder in ("saved", "tiny"):
        (tmp_path / folder).mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("given", "label", "foreign", "moves"),
    [
        ("tiny", "tiny", False, False),
        ("./tiny", "tiny", True, True),
        ("mine.npz", "mine", False, True),
        ("THEIRS.ONNX", "THEIRS", True, True),
        ("saved", "saved", True, True),
    ],
)
def test_a_model_is_a_name_a_weights_file_or_a_foreign_file(here, given, label, foreign, moves):
    found = find_model(given)
    assert (found.label, found.foreign) == (label, foreign)
    assert found.everywhere == (str(here / given) if moves else given)
    assert labels([given]) == [(given, label)]
    assert _models(given)[0] == label


def test_the_page_offers_the_user_s_model_before_the_shipped_ones(here):
    own, names = _models("mine.npz")
    assert own == "mine"
    assert list(names.items()) == [("mine", "mine.npz"), *((n, n) for n in registry.shipped())]
    assert _models(None) == (None, {name: name for name in registry.shipped()})


@pytest.mark.parametrize("given", ["nonesuch", "none.npz", "none.onnx", "./none/"])
def test_what_there_is_none_of_is_refused_alike_by_everybody(here, given, capsys):
    says = f"there is no model {given!r}: give one of tiny, small, base, or a weights file"
    for refused, error in (
        (find_model, WeightsError),
        (lambda name: registry.load(name, to_train=True), WeightsError),
        (lambda name: Deblurrer(name, device="cpu"), ModelError),
    ):
        with pytest.raises(error) as failure:
            refused(given)
        assert str(failure.value) == says
    for argv in (["clean", "in.mp4", "out.mp4"], ["live", "test:"], ["serve"], ["eval"]):
        with pytest.raises(SystemExit) as exit_:
            main([*argv, "--model", given])
        assert exit_.value.code == 2
        assert says in capsys.readouterr().err


@pytest.mark.parametrize("given", ["saved", "THEIRS.ONNX"])
def test_a_foreign_file_is_neither_trained_nor_exported(here, given, capsys):
    with pytest.raises(WeightsError, match=f"^{given} is not a weights file: give one of"):
        registry.load(given, to_train=True)
    assert main(["export", "--model", given, "--format", "onnx", "out.onnx"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"deblur: {given} is not a weights file: give one of tiny")
