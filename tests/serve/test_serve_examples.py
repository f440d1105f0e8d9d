"""The container and the service of the documents call the command as it is."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from stream.cli import main
from stream.serve import server

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def service() -> list[str]:
    text = (EXAMPLES / "deblur.service").read_text(encoding="utf-8")
    return shlex.split(re.search(r"^ExecStart=(.+)$", text, re.MULTILINE)[1])


def container() -> list[str]:
    text = (EXAMPLES / "Dockerfile").read_text(encoding="utf-8")
    found = re.findall(r"^(?:ENTRYPOINT|CMD) (\[.+\])$", text, re.MULTILINE)
    return [word for part in found for word in json.loads(part)]


@pytest.mark.parametrize("command", [service, container])
def test_an_example_starts_a_server_that_others_reach_and_that_keeps_its_videos(
    command, monkeypatch, capsys
):
    asked = []

    def serve(models, recorded, address, limits, on_ready, *, log, folder):
        asked.append((address.host, address.token, str(folder)))

    monkeypatch.setattr(server, "serve", serve)
    monkeypatch.setenv("DEBLUR_TOKEN", token := "a-token-of-the-users-own")
    program, *argv = command()
    assert Path(program).name == "deblur"
    assert main(argv) == 0
    assert asked == [("0.0.0.0", token, "/var/lib/deblur")]
