"""A port that was chosen and is taken: `up` says which and how to choose another, and leaves nothing running."""

from __future__ import annotations

import socket

import pytest

from sandbox.home import Home
from tests.rehearsal.freehold import Freehold

pytestmark = pytest.mark.sandbox


def test_a_port_in_use(fresh_home: Home) -> None:
    freehold = Freehold(fresh_home)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        run = freehold.run("up", FREEHOLD_AWS_PORT=str(port))
    assert run.returncode == 1
    (line,) = run.stderr.splitlines()
    assert line.startswith("freehold: ")
    assert f"{port}" in line
    assert "FREEHOLD_AWS_PORT" in line
    assert freehold.run("sandbox", "status").returncode == 1
