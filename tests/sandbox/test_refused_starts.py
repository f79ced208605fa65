"""What keeps a sandbox from starting is one line."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from sandbox.home import Home
from tests.sandbox.command import freehold

pytestmark = pytest.mark.sandbox


def test_a_taken_port_is_told_in_one_line(fresh_home: Home) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        started = freehold(fresh_home, "sandbox", "start", environment={"FREEHOLD_AWS_PORT": str(port)})
    assert started.returncode == 1
    assert (
        started.stderr.strip()
        .splitlines()[-1]
        .startswith(
            f"freehold: moto: port {port} of 127.0.0.1 is taken; end the program that holds it, "
            "or set FREEHOLD_AWS_PORT to a free port"
        )
    )


def test_a_port_that_is_none_is_told_in_one_line(fresh_home: Home) -> None:
    started = freehold(fresh_home, "sandbox", "start", environment={"FREEHOLD_AWS_PORT": "http"})
    assert started.returncode == 1
    assert "FREEHOLD_AWS_PORT: 'http' is no port; set a number from 1 to 65535, or unset it" in started.stderr
    assert len(started.stderr.strip().splitlines()) == 1


def test_a_home_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    started = freehold(Home(blocked), "sandbox", "start")
    assert started.returncode == 1
    assert "set FREEHOLD_HOME to another folder" in started.stderr
    assert len(started.stderr.strip().splitlines()) == 1
