"""The commands that are shown beside facts reach the environment whose facts they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import activity, live
from fleet.environments import Environment
from fleet.targets import Target
from sandbox.home import Home
from tests.fleet.contracts import contract


def test_no_password_of_a_cloud_is_an_argument() -> None:
    assert activity.inbox(Target.SANDBOX).startswith('psql "$DATABASE_URL" -c ')
    assert activity.inbox(Target.CLOUD).startswith("psql -c ")


def test_from_outside_the_next_step_is_shown(tmp_path: Path) -> None:
    line = activity.outside(Environment("prod", Target.CLOUD, Home(tmp_path), {}))
    assert (line.command, line.ok) == ("./freehold up prod --target cloud", True)


@pytest.mark.parametrize("inside", [True, False])
def test_what_does_not_answer_in_a_cloud_is_none_of_the_sandboxs(
    inside: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from botocore.exceptions import EndpointConnectionError

    def unreachable(*_: object, **__: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://aws")

    class Cloud:
        def __getattr__(self, name: str) -> object:
            return unreachable

    monkeypatch.setattr(live, "client", lambda *_: Cloud())
    lines = live.look(contract(), {"PATH": str(tmp_path)}, inside=inside).lines
    assert not any(line.ok for line in lines)
    assert {line.command for line in lines if line.what == "unreachable"} == {"aws sts get-caller-identity"}
    assert ("nodes" in [line.what for line in lines]) is inside
