"""Too little memory is said in one line, whatever library met it."""

import numpy as np
import pytest

from models.errors import is_out_of_memory
from stream.errors import ModelError
from stream.frame import ColorTags, Planes
from stream.inference.device import Compute
from stream.inference.engine import geometry_of
from stream.inference.tiles import TiledEngine


class Failing:
    name = "hungry"
    neighbours = 0
    aligned = True

    def __init__(self, device, error):
        self.compute = Compute(device, "float32")
        self._error = error

    def run(self, pictures, states, geometry, neighbours=()):
        raise self._error


def run(device, error):
    planes = Planes((np.zeros((48, 64), np.uint8),))
    TiledEngine(Failing(device, error)).run([planes], [None], geometry_of(planes, ColorTags()))


class ResourceExhaustedError(Exception):
    """TensorFlow's has this name."""


@pytest.mark.parametrize(
    "error",
    [
        ResourceExhaustedError("{{function_node}} failed to allocate memory [Op:Mul]"),
        ResourceExhaustedError("the pool is empty"),
        RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9 bytes."),
        RuntimeError("bad allocation: std::bad_alloc"),
        MemoryError(),
    ],
)
@pytest.mark.parametrize(("device", "advice"), [("gpu", "--device cpu$"), ("cpu", "--model$")])
def test_too_little_memory_is_a_model_error_that_says_what_to_do(error, device, advice):
    assert is_out_of_memory(error)
    says = rf"^hungry has too little memory for 1 x 64x48 on the {device.upper()}: .*{advice}"
    with pytest.raises(ModelError, match=says) as failed:
        run(device, error)
    assert failed.value.__cause__ is error


def test_another_error_of_an_engine_is_left_as_it_is():
    with pytest.raises(ZeroDivisionError):
        run("cpu", ZeroDivisionError())
