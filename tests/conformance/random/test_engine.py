"""The random types through the real engine."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsal.engine import EngineProject

pytestmark = pytest.mark.sandbox

PROGRAM = """
    import pulumi
    import pulumi_random as random

    keepers = {{"version": "{version}"}}
    password = random.RandomPassword("password", length=20, keepers=keepers)
    text = random.RandomString("text", length=10, special=False)
    identifier = random.RandomId("identifier", byte_length=4, prefix="x-")
    uuid = random.RandomUuid("uuid")
    pulumi.export("password", password.result)
    pulumi.export("hash", password.bcrypt_hash)
    pulumi.export("text", text.result)
    pulumi.export("hex", identifier.hex)
    pulumi.export("uuid", uuid.result)
"""


@pytest.fixture
def project(sandbox: Any, tmp_path: Path) -> EngineProject:
    # The sandbox's backend is shared: the name is this test's own.
    return EngineProject(sandbox.environment, tmp_path / "random", name=f"random-{uuid.uuid4().hex[:8]}")


def test_a_whole_life(project: EngineProject) -> None:
    preview = project.preview(PROGRAM.format(version=1)).expect_ok()
    assert preview.changes["create"] == 5
    project.up().expect_ok()
    first = project.outputs()
    assert len(first["password"]) == 20
    assert first["hex"].startswith("x-")

    assert project.up().expect_ok().changes == {"same": 5}
    assert project.refresh().expect_ok().changes.get("update", 0) == 0
    assert project.outputs() == first

    replaced = project.up(PROGRAM.format(version=2)).expect_ok()
    assert replaced.steps("password") == ("create-replacement", "replace", "delete-replaced")
    second = project.outputs()
    assert second["password"] != first["password"]
    assert {**second, "password": "", "hash": ""} == {**first, "password": "", "hash": ""}

    # The password and its hash are encrypted in the state, and in what the engine shows.
    stored = json.dumps(project.state())
    assert second["password"] not in stored
    assert second["hash"] not in stored
    assert second["text"] in stored
    assert second["password"] not in replaced.stdout + json.dumps(replaced.events)
    project.destroy().expect_ok()


def test_import(project: EngineProject) -> None:
    """All four in one stack and one run."""
    # Name: type, id, and what of its outputs is which value.
    imported: dict[str, tuple[str, str, dict[str, str]]] = {
        "password": ("random:index/randomPassword:RandomPassword", "s3cret-pass", {}),
        "text": ("random:index/randomString:RandomString", "abc", {"result": "abc"}),
        "identifier": ("random:index/randomId:RandomId", "p,AQID", {"hex": "p010203"}),
        "uuid": ("random:index/randomUuid:RandomUuid", "6F4C3B0E-1D52-4F3A-9B1B-0A1B2C3D4E5F",
                 {"result": "6f4c3b0e-1d52-4f3a-9b1b-0a1b2c3d4e5f"}),
    }  # fmt: skip
    project.adopt_all({name: (type, id) for name, (type, id, _) in imported.items()}).expect_ok()
    entries = project.resources()
    for name, (_, _, outputs) in imported.items():
        assert outputs.items() <= entries[name]["outputs"].items()
    assert "s3cret-pass" not in json.dumps(entries["password"])
    assert entries["password"]["id"] == "none"
    project.destroy().expect_ok()
