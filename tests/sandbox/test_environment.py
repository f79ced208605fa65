"""The variables of a sandbox's shell, from what is kept on disk: nothing of it leads out of the machine."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cli.sandbox import env
from errors import FreeholdError
from fleet.state_files import compresses
from sandbox import environment as module
from sandbox.environment import environment
from sandbox.home import Home
from sandbox.supervisor import launch
from sandbox.supervisor.definitions import DatabaseDefinition, DefinitionStore


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Of a sandbox that has run, with a folder that has a blank in its name."""
    home = Home(tmp_path / "a home")
    (home.credentials).mkdir(parents=True)
    (home.credentials / "aws.json").write_text(json.dumps({"access_key_id": "AKIA", "secret_access_key": "s"}))
    monkeypatch.setattr(module, "ensure_aws_command", lambda _: tmp_path / "aws command")
    monkeypatch.setattr(module, "bin_directory", lambda: tmp_path / "tools")
    return home


def put(home: Home, *databases: str, complete: bool = True) -> None:
    store = DefinitionStore(home, "databases", DatabaseDefinition)
    for name in databases:
        fields = {"username": name.replace("-", "_"), "password": "p/4@s", "database": "d", "parameters": {}}
        store.put(DatabaseDefinition.model_validate({"name": name, "complete": complete, **fields}))


def test_tools_ask_the_sandbox_and_nobody_else(home: Home) -> None:
    told = environment(home)
    assert urlsplit(told["AWS_ENDPOINT_URL"]).hostname == "127.0.0.1"
    assert (told["AWS_ACCESS_KEY_ID"], told["AWS_SECRET_ACCESS_KEY"]) == ("AKIA", "s")
    assert told["AWS_EC2_METADATA_DISABLED"] == "true", "a missing key would be asked for on the network"
    assert told["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == told["PULUMI_SKIP_UPDATE_CHECK"] == "true"
    assert told["PULUMI_BACKEND_URL"] == f"file://{str(home.backend).replace(' ', '%20')}?metadata=skip"
    assert compresses(told)
    for name in ("PULUMI_HOME", "KUBECONFIG", "KUBECACHEDIR", "PGSSLROOTCERT", "FREEHOLD_CACHE_AUTHORITY"):
        assert Path(told[name]).is_relative_to(home.root), name


def test_a_shell_that_evaluates_the_lines_has_the_values(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = Home(home.root.rename(tmp_path / """an 'odd' "$HOME" `id`; \\ & ü"""))
    monkeypatch.setenv("FREEHOLD_HOME", str(odd.root))
    put(odd, "tenants")
    env()
    script = 'eval "$(cat)"; env -0'
    run = subprocess.run(
        ["sh", "-c", script], input=capsys.readouterr().out, capture_output=True, text=True, check=True
    )
    shell = dict(line.partition("=")[::2] for line in run.stdout.split("\0") if line)
    wanted = environment(odd)
    assert {name: shell[name] for name in wanted} == wanted and run.stderr == ""


def test_the_ports_are_those_that_it_was_started_with(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    before = environment(home)["AWS_ENDPOINT_URL"]
    monkeypatch.setenv("FREEHOLD_AWS_PORT", "4566")
    assert environment(home)["AWS_ENDPOINT_URL"] == before


def test_path_does_not_grow(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    first = environment(home)["PATH"]
    monkeypatch.setenv("PATH", first)
    assert environment(home)["PATH"] == first


@pytest.mark.parametrize(
    ("databases", "chosen"),
    [(("tenants",), "tenants"), (("tenants", "a-control"), "a_control"), (("tenants", "others"), None), ((), None)],
)
def test_the_database_is_the_control_database(home: Home, databases: tuple[str, ...], chosen: str | None) -> None:
    put(home, *databases)
    url = environment(home).get("DATABASE_URL")
    assert (None if url is None else urlsplit(url).username) == chosen
    if url is not None:
        assert "p%2F4%40s@127.0.0.1" in url and "sslmode=verify-full&sslrootcert=" in url


def test_a_database_that_was_half_made_is_none(home: Home) -> None:
    put(home, "tenants", complete=False)
    assert "DATABASE_URL" not in environment(home)


def test_a_sandbox_that_never_ran_says_so(tmp_path: Path) -> None:
    with pytest.raises(FreeholdError, match=r"the sandbox has not run yet; \./freehold sandbox start$"):
        environment(Home(tmp_path))


def test_definitions_are_for_their_owner_alone(home: Home) -> None:
    """They hold passwords."""
    put(home, "tenants")
    assert (home.data / "databases" / "tenants.json").stat().st_mode & 0o077 == 0


def test_a_supervisor_is_given_nothing_of_the_caller_s_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    """It outlives the shell that started it, and serves others."""
    cloud = ("AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "PULUMI_ACCESS_TOKEN", "KUBECONFIG", "PGPASSWORD", "DATABASE_URL")
    given = {**dict.fromkeys(cloud, "x"), "FREEHOLD_AWS_PORT": "4566", "PATH": os.defpath}
    told = launch._environment(given)
    assert set(told) == {"FREEHOLD_AWS_PORT", "PATH", "PYTHONPATH", "PYTHONUNBUFFERED"}
