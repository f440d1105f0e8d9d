"""What computes where nobody says, and what goes together where somebody does."""

import importlib.util

import pytest

from stream.errors import DeblurError, ModelError, UsageError
from stream.inference import backends, device
from stream.inference.backends import resolve
from stream.inference.device import Compute

ALL = {"MNN", "onnxruntime", "openvino", "ai_edge_litert", "tensorflow", "keras"}
GPU_FLOAT16 = "float16 is for GPUs: use --precision float32 or bfloat16 on this CPU"
INT8_ON = "int8 is for the CPU, on --runtime onnx, openvino or litert"


@pytest.fixture
def machine(monkeypatch):
    """Returns what makes this machine one with these units and packages."""

    def make(*, gpu=False, amx=False, without=()):
        monkeypatch.setattr(device, "has_gpu", lambda: gpu and "tensorflow" not in without)
        monkeypatch.setattr(backends, "has_amx", lambda: amx)
        monkeypatch.setattr("models.runtimes.openvino_has_bfloat16", lambda: amx)
        there = ALL - set(without)
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: name in there or None)

    return make


@pytest.mark.parametrize(
    ("here", "asked", "chosen"),
    [
        ({}, {}, "cpu float32 mnn"),
        ({}, {"precision": "int8"}, "cpu int8 onnx"),
        ({}, {"precision": "bfloat16"}, "cpu bfloat16 tensorflow"),
        ({}, {"runtime": "openvino"}, "cpu float32 openvino"),
        ({"without": ["MNN"]}, {}, "cpu float32 onnx"),
        ({"without": ["MNN", "onnxruntime"]}, {}, "cpu float32 tensorflow"),
        ({"without": ALL}, {}, "cpu float32 mnn"),  # which says how to get it
        ({"amx": True}, {}, "cpu bfloat16 openvino"),
        ({"amx": True}, {"precision": "float32"}, "cpu float32 mnn"),
        ({"amx": True}, {"runtime": "openvino"}, "cpu bfloat16 openvino"),
        ({"amx": True}, {"runtime": "onnx"}, "cpu float32 onnx"),
        ({"amx": True}, {"runtime": "tensorflow"}, "cpu bfloat16 tensorflow"),
        ({"amx": True, "without": ["openvino"]}, {}, "cpu bfloat16 tensorflow"),
        ({"amx": True, "without": ["openvino", "tensorflow"]}, {}, "cpu float32 mnn"),
        (
            {"amx": True, "without": ["openvino", "tensorflow"]},
            {"precision": "bfloat16"},
            "cpu bfloat16 tensorflow",
        ),
        ({"gpu": True}, {}, "gpu float16 tensorflow"),
        ({"gpu": True}, {"precision": "bfloat16"}, "gpu bfloat16 tensorflow"),
        ({"gpu": True}, {"precision": "int8"}, "cpu int8 onnx"),
        ({"gpu": True}, {"runtime": "mnn"}, "cpu float32 mnn"),
        ({"gpu": True}, {"device": "cpu"}, "cpu float32 mnn"),
        ({"gpu": True}, {"device": "gpu", "precision": "float32"}, "gpu float32 tensorflow"),
        ({"gpu": True, "without": ["tensorflow"]}, {}, "cpu float32 mnn"),
    ],
)
def test_what_is_left_open_is_what_the_machine_does_best(here, asked, chosen, machine):
    machine(**here)
    given = {"device": "auto", "precision": "auto", "runtime": "auto"} | asked
    assert resolve(**given) == Compute(*chosen.split())


@pytest.mark.parametrize(
    ("asked", "error", "says"),
    [
        ({"device": "gpu"}, ModelError, "TensorFlow finds no GPU here: use --device cpu or auto"),
        ({"precision": "float16"}, ModelError, GPU_FLOAT16),
        ({"precision": "float16", "device": "cpu"}, UsageError, GPU_FLOAT16),
        ({"precision": "int8", "device": "gpu"}, UsageError, INT8_ON),
        ({"precision": "int8", "runtime": "tensorflow"}, UsageError, INT8_ON),
        (
            {"precision": "int8", "runtime": "mnn"},
            UsageError,
            "mnn computes in float32: use --runtime onnx for int8",
        ),
        *(
            (
                asked | {"runtime": "onnx"},
                UsageError,
                "onnx computes in float32 or int8 on the CPU: use --runtime tensorflow for others",
            )
            for asked in ({"precision": "bfloat16"}, {"precision": "float16"}, {"device": "gpu"})
        ),
    ],
)
def test_what_does_not_go_together_is_said(asked, error, says, machine):
    machine()
    given = {"device": "auto", "precision": "auto", "runtime": "auto"} | asked
    with pytest.raises(DeblurError) as failure:
        resolve(**given)
    assert (type(failure.value), str(failure.value)) == (error, says)


def test_a_slower_runtime_is_named_once(machine, caplog):
    machine(without=["MNN"])
    backends._tell_once.cache_clear()
    for _ in range(2):
        resolve("auto", "auto", "auto")
    assert caplog.messages == ["MNN is not installed here: ONNX Runtime computes, more slowly"]
