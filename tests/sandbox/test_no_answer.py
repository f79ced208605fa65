"""A supervisor that listens and does not answer, as after SIGSTOP."""

from __future__ import annotations

import os

import pytest

from sandbox.home import Home
from sandbox.supervisor import client
from sandbox.supervisor.messages import SupervisorError
from tests.cli.fake_supervisor import answering


def test_who_asks_how_it_is_hears_which_process_to_end(fresh_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_STATUS_SECONDS", 0.1)
    with answering(fresh_home, None), pytest.raises(SupervisorError) as caught:
        client.Supervisor.connect(fresh_home).status()
    assert caught.value.line() == (
        f"supervisor: no answer to status within 0 s; kill -9 {os.getpid()}, then ./freehold sandbox start"
    )
