"""What `/stats` and `/metrics` say, and what the command itself does."""

from __future__ import annotations

import http.client
import ipaddress
import os
import signal
import socket
import ssl
import sys
import threading
from urllib.parse import urlsplit

import pytest
from aiortc import RTCCertificate
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from in_process import Brightener, Caller, bounded, serving, stand_ins
from waiting import HANG_S

from stream.cli import main
from stream.errors import SinkError
from stream.inference.deblurrers import Choice
from stream.serve import server
from stream.serve.limits import Limits
from stream.serve.listener import listening
from stream.serve.server import Address, serve
from stream.serve.statistics import prometheus

LOOPBACK = "127.0.0.1"


def test_the_figures_of_a_stream_are_in_both_formats(tmp_path):
    async def scenario():
        async with serving(tmp_path) as running:
            caller = Caller(running)
            await caller.connect()
            await caller.until_deblurred()
            stats = await running.get("/stats")
            assert stats["model"] == "stand-in"
            assert stats["live"]["deblurred"] >= 1
            assert stats["live"]["latency_ms"]["p95"] > 0
            assert stats["engine"]["frames"] >= stats["engine"]["batches"] >= 1
            async with running.http.get(running.url + "/metrics") as response:
                assert response.content_type == "text/plain"
                metrics = dict(
                    line.rsplit(" ", 1)
                    for line in (await response.text()).splitlines()
                    if not line.startswith("#")
                )
            info = 'deblur_info{device="cpu",model="stand-in",precision="float32"}'
            assert metrics[info] == "1.0"
            assert metrics["deblur_sessions"] == "1.0"
            assert float(metrics["deblur_live_frames_total"]) >= 1
            assert float(metrics['deblur_live_frames_shown_total{outcome="deblurred"}']) >= 1
            assert float(metrics['deblur_live_latency_milliseconds{percentile="95"}']) > 0
            assert metrics['deblur_jobs{state="done"}'] == "0.0"
            await caller.close()

    bounded(scenario())


def test_before_any_frame_there_is_no_latency(tmp_path):
    async def scenario():
        async with serving(tmp_path) as running:
            stats = await running.get("/stats")
            assert stats["live"]["latency_ms"] == {"p50": None, "p95": None, "p99": None}
            return prometheus(stats | {"model": 'a "quoted"\nname'})

    text = bounded(scenario()).decode()
    assert "latency_milliseconds{" not in text
    assert r'model="a \"quoted\"\nname"' in text


def test_an_address_that_is_taken_is_one_clear_line():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SinkError, match=f"127.0.0.1 port {port} cannot be bound"):
            serve(
                stand_ins(Brightener()),
                Choice("stand-in"),
                Address(port=port),
                Limits(),
                lambda url: None,
            )


def test_off_loopback_the_address_has_a_token_and_a_name_that_others_reach(monkeypatch):
    """Listens on loopback all the same: what is told is decided by the address that is given."""
    monkeypatch.setattr(
        server,
        "listening",
        lambda app, host, *rest, **more: listening(app, LOOPBACK, *rest, **more),
    )
    told = []

    def ready(url):
        told.append(url)
        os.kill(os.getpid(), signal.SIGTERM)

    for token in (None, "chosen-by-the-user"):
        serve(
            stand_ins(Brightener()),
            Choice("stand-in"),
            Address("0.0.0.0", 0, token=token),
            Limits(),
            ready,
        )
    made, chosen = map(urlsplit, told)
    assert not ipaddress.ip_address(made.hostname).is_unspecified
    assert len(made.query) > len("token=") + 30
    assert chosen.query == "token=chosen-by-the-user"


def test_a_token_of_the_users_own_is_demanded_on_loopback_too():
    told = []

    def ready(url):
        told.append(url)
        os.kill(os.getpid(), signal.SIGTERM)

    serve(
        stand_ins(Brightener()),
        Choice("stand-in"),
        Address(port=0, token="chosen-by-the-user"),
        Limits(),
        ready,
    )
    assert told[0].endswith("/?token=chosen-by-the-user")


@pytest.mark.parametrize(
    ("argv", "camera", "recorded", "said"),
    [
        ([], "tiny", "auto", ""),
        (["--quality", "auto"], "tiny", "auto", ""),
        (["--quality", "fast"], "tiny", "tiny", "cameras by tiny, recorded videos by tiny"),
        (["--quality", "balanced"], "small", "auto", "recorded videos by what `deblur clean`"),
        (["--quality", "best"], "base", "base", "cameras by base, recorded videos by base"),
        (["--model", "small"], "small", "small", ""),
    ],
)
def test_a_quality_names_what_the_page_begins_with(
    argv, camera, recorded, said, monkeypatch, capsys
):
    taken = []
    monkeypatch.setattr(server, "serve", lambda models, choice, *rest, **more: taken.append(choice))
    monkeypatch.setattr(
        "stream.inference.deblurrers.Deblurrers.__init__",
        lambda models, load, names, default, automatic: taken.append(default),
    )
    assert main(["serve", *argv]) == 0
    assert [choice.model for choice in taken] == [camera, recorded]
    told = capsys.readouterr().err
    assert said in told
    assert bool(told) == bool(said)


@pytest.mark.parametrize("way", ["option", "file", "environment"])
def test_a_token_is_taken_from_an_option_a_file_or_the_environment(way, tmp_path, monkeypatch):
    text = "chosen-by-the-user"
    (tmp_path / "token").write_text(f"{text}\n")
    argv = {
        "option": ["--token", text],
        "file": ["--token-file", str(tmp_path / "token")],
        "environment": [],
    }[way]
    if way == "environment":
        monkeypatch.setenv("DEBLUR_TOKEN", text)
    monkeypatch.setattr(
        server,
        "serve",
        lambda models, recorded, address, *rest, **more: taken.append(address.token),
    )
    taken = []
    assert main(["serve", *argv]) == 0
    assert taken == [text]


def test_a_token_that_can_be_guessed_is_refused(tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit) as end:
        main(["serve", "--token", "short"])
    assert end.value.code == 2
    monkeypatch.setenv("DEBLUR_TOKEN", "short")
    assert main(["serve"]) == 1
    assert "DEBLUR_TOKEN: a token has 16 characters or more" in capsys.readouterr().err


def test_a_file_that_is_no_certificate_is_one_clear_line(tmp_path):
    path = tmp_path / "cert.pem"
    path.write_text("nothing")
    with pytest.raises(SinkError, match=r"cert\.pem cannot be used for https"):
        serve(
            stand_ins(Brightener()),
            Choice("stand-in"),
            Address(certificate=path),
            Limits(),
            lambda url: None,
        )


def test_with_a_certificate_it_is_https_alone(tmp_path):
    certificate = RTCCertificate.generateCertificate()
    pem, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    pem.write_bytes(certificate._cert.public_bytes(Encoding.PEM))
    key.write_bytes(
        certificate._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    answers = []

    def ask(url):
        address = urlsplit(url)
        trusting = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection(address.hostname, address.port, context=trusting)
        connection.request("GET", "/stats")
        answers.append((address.scheme, connection.getresponse().status))
        connection.close()
        os.kill(os.getpid(), signal.SIGTERM)

    def ready(url):
        threads.append(threading.Thread(target=ask, args=[url]))
        threads[0].start()

    threads: list[threading.Thread] = []
    serve(
        stand_ins(Brightener()),
        Choice("stand-in"),
        Address(port=0, certificate=pem, key=key),
        Limits(),
        ready,
    )
    threads[0].join(HANG_S)
    assert answers == [("https", 200)]


@pytest.mark.parametrize("library", ["aiohttp", "aiortc"])
def test_a_missing_extra_is_one_clear_line(library, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    assert main(["serve"]) == 1
    said = capsys.readouterr().err
    assert said == f'deblur: deblur serve needs {library}: pip install "deblurstream[web]"\n'


@pytest.mark.parametrize("argv", [["--port", "65536"], ["--port", "x"], ["--max-sessions", "0"]])
def test_wrong_usage_exits_with_2(argv, capsys):
    with pytest.raises(SystemExit) as end:
        main(["serve", *argv])
    assert end.value.code == 2
    assert "usage: deblur" in capsys.readouterr().err
