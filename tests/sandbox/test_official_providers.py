"""FREEHOLD_PROVIDERS: whose plugins the sandbox's engine runs."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from errors import FreeholdError, UsageError
from fleet.environments import sandboxed
from sandbox.environment import environment
from sandbox.home import CHECKOUT, Home
from sandbox.providers import official
from sandbox.providers.choice import Providers, chosen, in_use
from sandbox.providers.install import install, install_chosen
from sandbox.providers.registry import CLASSES, sdk_version
from sandbox.supervisor.client import Supervisor
from sandbox.supervisor.launch import start
from sandbox.toolchain.cache import cache_root
from tests.rehearsal.engine import EngineProject
from tests.sandbox.command import freehold
from tests.temporary_sandbox import temporary_home, without_chosen_ports

PROGRAM = """
    import pulumi
    import pulumi_random as random
    pulumi.export("made", random.RandomId("made", byte_length=4).id)
"""


def write_plugin(executable: Path, version: str) -> Path:
    """A plugin that tells `version`; returns its log."""
    executable.parent.mkdir(parents=True, exist_ok=True)
    log = executable.parent / "log"
    program = [sys.executable, "-P", "-m", "tests.sandbox.plugin_of_tests", version, str(log)]
    executable.write_text(f"#!/bin/sh\nexec env PYTHONPATH={shlex.quote(str(CHECKOUT))} {shlex.join(program)}\n")
    executable.chmod(0o755)
    return log


def write_cache(pulumi_home: Path) -> Mapping[str, Path]:
    """A person's plugin cache with all four in the SDKs' versions; their logs by name."""
    return {
        name: write_plugin(
            pulumi_home / "plugins" / f"resource-{name}-v{sdk_version(name)}" / f"pulumi-resource-{name}",
            sdk_version(name),
        )
        for name in CLASSES
    }


def scripts(home: Home) -> list[Path]:
    """The stand-ins' scripts in the sandbox's PULUMI_HOME."""
    found = home.pulumi_home.glob("plugins/*/pulumi-resource-*")
    return [path for path in found if "sandbox/providers/plugin.py" in path.read_text()]


@pytest.fixture
def person(tmp_path: Path) -> dict[str, str]:
    """Somebody's environment, with a home of their own and nothing on PATH that the sandbox does not bring."""
    return {"HOME": str(tmp_path / "person"), "PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(cache_root().parents[1])}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def test_unset_are_the_stand_ins_and_another_value_is_a_usage_error() -> None:
    assert chosen({}) is chosen({"FREEHOLD_PROVIDERS": ""}) is None
    assert chosen({"FREEHOLD_PROVIDERS": "official"}) is Providers.OFFICIAL
    assert chosen({"FREEHOLD_PROVIDERS": "stand-ins"}) is Providers.STAND_INS
    with pytest.raises(UsageError, match="unknown value 'offical'; set it to stand-ins or official"):
        chosen({"FREEHOLD_PROVIDERS": "offical"})


@pytest.mark.parametrize("command", [("sandbox", "start"), ("up",), ("status",), ("doctor",)])
def test_every_command_that_would_use_them_refuses_an_unknown_value(home: Home, command: tuple[str, ...]) -> None:
    run = freehold(home, *command, environment={"FREEHOLD_PROVIDERS": "offical"})
    assert run.returncode == 2
    assert run.stderr == (
        "freehold: FREEHOLD_PROVIDERS: unknown value 'offical'; set it to stand-ins or official, or unset it\n"
    )
    assert not home.root.exists()


def test_the_cached_plugins_take_the_stand_ins_place_and_back(home: Home, person: dict[str, str]) -> None:
    write_cache(Path(person["HOME"]) / ".pulumi")
    install(home)
    assert len(scripts(home)) == len(CLASSES)
    install_chosen(home, {**person, "FREEHOLD_PROVIDERS": "official"})
    assert scripts(home) == []
    assert in_use(home) is Providers.OFFICIAL
    for name in CLASSES:
        folder = home.pulumi_home / "plugins" / f"resource-{name}-v{sdk_version(name)}"
        assert folder.is_dir() and not folder.is_symlink()
        linked = (folder / f"pulumi-resource-{name}").resolve()
        assert linked.is_relative_to(Path(person["HOME"]) / ".pulumi")
    install_chosen(home, person)
    assert len(scripts(home)) == len(CLASSES)
    assert in_use(home) is Providers.STAND_INS
    # What was linked to is still there.
    assert all(path.exists() for path in (Path(person["HOME"]) / ".pulumi").glob("plugins/*/pulumi-resource-*"))


def test_the_sandboxs_own_folder_is_no_cache(home: Home, person: dict[str, str]) -> None:
    """In a shell with `sandbox env`, PULUMI_HOME is the sandbox's: the stand-ins there must not pass for official."""
    install(home)
    shell = {**person, "PULUMI_HOME": str(home.pulumi_home)}
    assert official.find(home, "random", sdk_version("random"), shell) is None
    elsewhere = write_cache(Path(person["HOME"]) / "else")["random"].parent
    found = official.find(
        home, "random", sdk_version("random"), {**person, "PULUMI_HOME": str(elsewhere.parent.parent)}
    )
    assert found is not None and found.folder == elsewhere


def test_a_half_unpacked_plugin_is_not_taken(home: Home, person: dict[str, str]) -> None:
    folder = write_cache(Path(person["HOME"]) / ".pulumi")["random"].parent
    mark = folder.with_name(f"{folder.name}.partial")
    mark.touch()
    assert official.find(home, "random", sdk_version("random"), person) is None
    mark.unlink()
    assert official.find(home, "random", sdk_version("random"), person) is not None
    (folder / "pulumi-resource-random").chmod(0o644)
    assert official.find(home, "random", sdk_version("random"), person) is None


def test_a_plugin_on_path_is_taken_in_the_right_version_alone(
    home: Home, person: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executable = tmp_path / "bin" / "pulumi-resource-random"
    person["PATH"] = f"{executable.parent}:{person['PATH']}"
    write_plugin(executable, f"v{sdk_version('random')}")  # some say it with the letter, and some without
    found = official.find(home, "random", sdk_version("random"), person)
    assert found is not None and (found.executable, found.folder) == (executable, None)
    write_plugin(executable, "1.0.0")
    expected = f"is v1.0.0, and would be taken for v{sdk_version('random')}; take it off PATH"
    with pytest.raises(FreeholdError, match=expected):
        official.find(home, "random", sdk_version("random"), person)
    monkeypatch.setattr(official, "_START_SECONDS", 0.3)
    for program in ("echo no port", "exec sleep 600"):
        executable.write_text(f"#!/bin/sh\n{program}\n")
        with pytest.raises(FreeholdError, match="does not tell its version; take it off PATH"):
            official.find(home, "random", sdk_version("random"), person)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Downloading\nerror: could not find it\n\nsee the manual\n", "could not find it"),
        ("first\n\n  last \n", "last"),
        ("", "it said nothing"),
    ],
)
def test_of_what_an_installer_says_the_error_is_told(said: str, told: str) -> None:
    assert official._gist(said) == told


def test_no_plugin_on_path_gets_in_front_of_a_stand_in(home: Home, person: dict[str, str], tmp_path: Path) -> None:
    executable = tmp_path / "bin" / "pulumi-resource-aws"
    write_plugin(executable, sdk_version("aws"))
    with pytest.raises(FreeholdError, match="the engine would take it instead of the sandbox's stand-in") as refused:
        install_chosen(home, {**person, "PATH": str(executable.parent)})
    assert refused.value.where == str(executable)


@pytest.fixture
def unreachable(person: dict[str, str]) -> dict[str, str]:
    """Nothing is downloaded: the proxy does not answer."""
    proxy = "http://127.0.0.1:9"
    del person["PATH"]
    return {**person, "FREEHOLD_PROVIDERS": "official", "HTTPS_PROXY": proxy, "HTTP_PROXY": proxy}


def test_a_download_that_fails_is_one_line_and_leaves_the_stand_ins(home: Home, unreachable: dict[str, str]) -> None:
    install(home)
    run = freehold(home, "sandbox", "start", environment=unreachable)
    assert run.returncode == 1
    progress, *_, last = run.stderr.splitlines()
    assert "installing the official plugin" in progress
    assert last.startswith("freehold: FREEHOLD_PROVIDERS: the official plugin aws v")
    assert f"run `pulumi plugin install resource aws v{sdk_version('aws')}` where it can be downloaded" in last
    assert "Traceback" not in run.stderr
    assert len(scripts(home)) == len(CLASSES)
    assert not home.socket("supervisor").exists()


def test_doctor_says_which(home: Home, person: dict[str, str]) -> None:
    write_cache(Path(person["HOME"]) / ".pulumi")
    stand_ins = freehold(home, "doctor").stdout
    assert "Providers of the sandbox: stand-ins" in stand_ins
    told = freehold(home, "doctor", environment={**person, "FREEHOLD_PROVIDERS": "official"}).stdout
    assert "Providers of the sandbox: official" in told
    assert f"aws         {sdk_version('aws')}" in told


@pytest.fixture(scope="module")
def switched() -> Iterator[Home]:
    with temporary_home() as home:
        yield home


@pytest.mark.sandbox
@pytest.mark.timeout(300)
def test_the_engine_starts_the_official_plugin_and_the_stand_in_again(switched: Home, tmp_path: Path) -> None:
    home, person = switched, tmp_path / "person"
    logs = write_cache(person)
    given = {**without_chosen_ports(), "PULUMI_HOME": str(person)}
    wanted = {**given, "FREEHOLD_PROVIDERS": "official"}
    supervisor, _ = start(home, environment=wanted)
    assert supervisor.status().providers is Providers.OFFICIAL
    # The warm host runs: that it is not asked is what the id tells.
    assert any(one.kind == "provider-host" and one.state == "ready" for one in supervisor.status().processes)
    variables = environment(home)
    assert variables["FREEHOLD_PROVIDERS"] == "official"
    assert variables["AWS_ENDPOINT_URL_S3_CONTROL"].startswith("http://localhost:")
    assert not sandboxed("sandbox", home).stack.journaled
    project = EngineProject(variables, tmp_path / "project")
    project.up(PROGRAM).expect_ok()
    assert project.outputs() == {"made": "from the official plugin"}
    assert logs["random"].read_text() == "made random:index/randomId:RandomId\n"

    start(home, environment=given)  # a command that says nothing takes what runs
    with pytest.raises(UsageError, match=r"runs with FREEHOLD_PROVIDERS=official, not stand-ins; .*sandbox stop"):
        start(home, environment={**given, "FREEHOLD_PROVIDERS": "stand-ins"})

    Supervisor.connect(home).stop()
    supervisor, _ = start(home, environment=given)
    assert supervisor.status().providers is Providers.STAND_INS
    assert sandboxed("sandbox", home).stack.journaled
    again = EngineProject(environment(home), tmp_path / "again", stack="again")
    again.up(PROGRAM).expect_ok()
    assert again.outputs()["made"] != "from the official plugin"
    assert logs["random"].read_text().count("made") == 1
