"""What the SDK tells for `--debug`, which our engines never run with: programs of the host leave it out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rehearsal.engine import EngineProject, Run
from tests.temporary_sandbox import Sandbox

pytestmark = pytest.mark.sandbox

_PROGRAM = """
    import pulumi

    pulumi.ComponentResource("test:index:Nothing", "nothing")
    pulumi.warn("this is heard")
"""


def messages(run: Run, severity: str) -> list[str]:
    found = (event["diagnosticEvent"] for event in run.expect_ok().events if "diagnosticEvent" in event)
    return [one["message"] for one in found if one["severity"] == severity]


def test_they_are_heard_by_hand_and_left_out_by_the_host(sandbox: Sandbox, tmp_path: Path) -> None:
    project = EngineProject(sandbox.environment, tmp_path / "project", name="messages")
    by_host = project.preview(_PROGRAM, "--debug")
    by_hand = project.by_hand("preview", "--debug")
    told = "registering resource: ty=test:index:Nothing, name=nothing"
    assert any(told in message for message in messages(by_hand, "debug"))
    assert not any(told in message for message in messages(by_host, "debug"))
    for run in (by_host, by_hand):
        assert any("this is heard" in message for message in messages(run, "warning"))
