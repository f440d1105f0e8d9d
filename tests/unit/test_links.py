"""What trainers and exporters write where a name is a link: the link stays, its file is written."""

import numpy as np
import pytest

from models import registry
from models.errors import ExportError
from models.export.files import export
from models.training.logs import RunLog


def link(folder, name):
    """A link of this name in ``folder`` to a file on what could be another disk."""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    path = folder / name
    path.symlink_to(elsewhere / name)
    return path, elsewhere / name


def test_weights_are_written_through_a_link(random_model, tmp_path):
    path, place = link(tmp_path, "model.npz")
    weights = registry.load(random_model)
    registry.write_weights(path, weights.config, weights.arrays)
    assert path.is_symlink()
    assert [file.name for file in place.parent.iterdir()] == ["model.npz"]
    for name, array in registry.load(str(path)).arrays.items():
        np.testing.assert_allclose(array, weights.arrays[name], rtol=1e-3, atol=1e-6)


def test_models_are_exported_through_a_link_and_a_circle_is_refused(random_model, tmp_path):
    path, place = link(tmp_path, "model.onnx")
    weights = registry.load(random_model)
    export(weights, "onnx", path, size=(48, 64))
    assert path.is_symlink()
    assert place.stat().st_size > 1000
    path.unlink()
    path.symlink_to(path)
    with pytest.raises(ExportError, match="is a link that leads to itself; remove it"):
        export(weights, "onnx", path)


def test_a_run_s_log_is_written_through_a_link(tmp_path):
    path, place = link(tmp_path, "log.jsonl")
    RunLog(tmp_path, first_step=0).close()
    assert path.is_symlink()
    assert place.is_file()
