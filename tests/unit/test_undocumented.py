"""Parts of other packages that are used though their makers don't document them.

Where one of these tests fails with a new version of a package, that part has changed: see the
function that uses it, which names the version it was written for.
"""

import asyncio
import inspect
import subprocess
import sys
from unittest.mock import AsyncMock

import numpy as np
import pytest

from models.errors import MissingError
from models.packages import undocumented
from models.runtimes import load_keras


def test_a_part_that_is_gone_is_named_with_the_version_that_had_it():
    with pytest.raises(MissingError, match=r"this needs sys\.gone of Python 1\.5, which is not"):
        undocumented(sys, "gone", "Python 1.5")


def muon_step(kernel, bias, gradients):
    """How far one step of ours moves a kernel and a bias."""
    load_keras()
    import keras

    from models.training.optimizers import ConvolutionMuon

    variables = [keras.Variable(kernel), keras.Variable(bias)]
    optimizer = ConvolutionMuon(1.0, weight_decay=0, adam_weight_decay=0)
    optimizer.build(variables)
    optimizer.apply(list(map(keras.ops.convert_to_tensor, gradients)), variables)
    before = (kernel, bias)
    return [b - keras.ops.convert_to_numpy(v) for b, v in zip(before, variables, strict=True)]


def test_keras_asks_the_methods_of_muon_that_are_overridden():
    """Muon of Keras 3.15: _should_use_adamw, zeropower_via_newtonschulz5, lr_adjust.

    A kernel moves by an orthogonal matrix of (height x width x in, out), whose size is that of
    Moonlight; Adam, to which Keras would leave it, moves each number alike.
    """
    rng = np.random.default_rng(3)
    kernel, bias = np.zeros((3, 3, 4, 8), np.float32), np.zeros(8, np.float32)
    gradients = [rng.normal(size=each.shape).astype(np.float32) for each in (kernel, bias)]
    moved, shifted = muon_step(kernel, bias, gradients)
    sizes = np.linalg.svd(moved.reshape(36, 8), compute_uv=False) / (0.2 * np.sqrt(36))
    assert sizes.min() > 0.6  # five steps of Newton and Schulz bring them to 0.68 to 1.13
    assert sizes.max() < 1.3
    assert np.abs(shifted) == pytest.approx(np.full(8, np.abs(shifted[0])), rel=1e-3)


def test_a_keras_that_asks_other_methods_is_refused(monkeypatch):
    """Or a run would train its kernels with Adam, without a word."""
    load_keras()
    import keras

    from models.training.optimizers import make_optimizer

    make_optimizer("muon", 1e-3, 0.99)
    monkeypatch.delattr(keras.optimizers.Muon, "_should_use_adamw")
    with pytest.raises(MissingError, match=r"Muon\._should_use_adamw of Keras 3\.15"):
        make_optimizer("muon", 1e-3, 0.99)


def test_onnx_runtimes_quantiser_writes_nothing(capfd):
    """ONNX Runtime 1.32: `print` in calibrate, and a warning without add_pre_process_metadata."""
    from onnx import TensorProto, helper, numpy_helper

    from models.export.onnx_int8 import quantized
    from models.onnx_graph import IR_VERSION, OPSET

    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4, 8, 8]) for n in "xy"]
    kernel = numpy_helper.from_array(np.eye(4, dtype=np.float32)[..., None, None], "kernel")
    node = helper.make_node("Conv", ["x", "kernel"], ["y"], "middle")
    graph = helper.make_graph([node], "one", ends[:1], ends[1:], [kernel])
    opset = [helper.make_opsetid("", OPSET)]
    made = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)
    given = np.random.default_rng(1).normal(size=(1, 4, 8, 8)).astype(np.float32)
    int8 = quantized(made, [{"x": given}])
    assert any(node.op_type == "QuantizeLinear" for node in int8.graph.node)
    assert capfd.readouterr() == ("", "")


def test_aiortc_sends_what_it_is_allowed_to():
    """aiortc 1.16: DEFAULT_BITRATE and MAX_BITRATE of its codecs.vpx."""
    vpx = pytest.importorskip("aiortc.codecs.vpx")
    from stream.serve import sessions  # noqa: F401 - sets them

    encoder = vpx.Vp8Encoder()
    assert encoder.target_bitrate == 4_000_000
    encoder.target_bitrate = 20_000_000
    assert encoder.target_bitrate == 12_000_000


def test_aiortc_hands_packets_and_reports_to_methods_of_its_receiver():
    """aiortc 1.16: _handle_rtp_packet and _handle_rtcp_packet of RTCRtpReceiver.

    Two streams begin 0.25 s apart by the sender's clock, whenever their packets come.
    """
    rtp = pytest.importorskip("aiortc.rtp")
    from aiortc import RTCRtpReceiver

    from stream.capture.rtp_clock import RtpClock

    def clock(rate, first, begin_s):
        receiver = object.__new__(RTCRtpReceiver)
        took = AsyncMock()
        receiver._handle_rtp_packet = receiver._handle_rtcp_packet = took
        made = RtpClock(receiver, rate)
        packet = rtp.RtpPacket(timestamp=first)
        passed = 10 * rate
        info = rtp.RtcpSenderInfo(
            int((begin_s + 10) * (1 << 32)), (first + passed) % (1 << 32), 0, 0
        )
        asyncio.run(receiver._handle_rtp_packet(packet, arrival_time_ms=0))
        asyncio.run(receiver._handle_rtcp_packet(rtp.RtcpSrPacket(1, info)))
        assert took.await_count == 2
        return made

    for name in ("_handle_rtp_packet", "_handle_rtcp_packet"):
        assert inspect.iscoroutinefunction(getattr(RTCRtpReceiver, name))
    picture = clock(90_000, 7, 1000.25)
    sound = clock(48_000, (1 << 32) - 960, 1000.5)  # it begins anew on the way
    assert sound.ahead_of_s(picture) == pytest.approx(0.25, abs=1e-6)


def test_mnns_converter_is_where_it_was():
    """MNN 3.6: `mnnconvert` of the module _tools, beside the package."""
    code = "import _tools; assert callable(_tools.mnnconvert)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
