"""The Containerfile, held to the repository: sources, what starts, and what the Deployments count on."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.kubernetes.images import AUTHORITY
from components.kubernetes.notifier import NotifierDeployment
from components.kubernetes.runner import Runner
from sandbox.home import CHECKOUT
from sandbox.toolchain.tools import TOOLS
from services.billing.settings import Settings
from tests.components.every_component import SAMPLES
from tests.components.recording import declare
from tests.images import containerfile, locks
from tests.images.containerfile import CERTIFICATES, FILE, TARGETS, context, lay_out, stages
from tests.images.imports import Imports
from tests.images.laid_out import Image

_DEPLOYMENT = "kubernetes:apps/v1:Deployment"
# Found by name when they are wanted, not imported: blueprints, the program, what the engine starts, migrations.
_ENTRIES = {
    "webhook": ("services.billing.__main__", "catalog.blueprints.chronos_cloud"),
    "notifier": ("services.notifier.__main__",),
    "runner": (
        "fleet.runner.__main__",
        "fleet.program_host.__main__",
        "fleet.migrations.env",
        "stacks.preload",
        "stacks.tenant",
        "policies.__main__",
        "__main__",
        "catalog.blueprints.chronos_cloud",
    ),
}
_LEFT_OUT = {
    "sandbox.environment": "only a rehearsal imports it",
    "stacks.platform": "the runner runs the tenants' program alone",
    "rich": "shows on a terminal how tools are made",
}


def _pod(target: str) -> Any:
    component = {"runner": Runner, "notifier": NotifierDeployment}[target]
    declared = declare(lambda: SAMPLES[component](target, None))
    return declared.one(_DEPLOYMENT).plain()["spec"]["template"]["spec"]


def _modules(folder: Path, root: Path) -> set[Path]:
    return {path.relative_to(root) for path in folder.rglob("*.py") if ".venv" not in path.parts}


@pytest.mark.parametrize("target", stages())
def test_every_source_of_a_copy_is_there(target: str, checkout: Path, tmp_path: Path) -> None:
    lay_out(target, checkout, tmp_path)


@pytest.mark.parametrize("target", TARGETS)
def test_without_the_certificates_nothing_is_built(target: str, checkout: Path, tmp_path: Path) -> None:
    kept = (checkout / CERTIFICATES).rename(tmp_path / "kept")
    try:
        with pytest.raises(FileNotFoundError, match=CERTIFICATES):
            lay_out(target, checkout, tmp_path / "root")
    finally:
        kept.rename(checkout / CERTIFICATES)


@pytest.mark.parametrize("target", TARGETS)
def test_certificates_lie_where_the_pods_look_for_them(target: str, image: Callable[[str], Image]) -> None:
    made = image(target)
    assert (made.root / AUTHORITY.lstrip("/")).read_bytes() == b"certificates\n"
    if target != "webhook":
        (container,) = _pod(target)["containers"]
        assert {"name": "PGSSLROOTCERT", "value": AUTHORITY} in container["env"]


@pytest.mark.parametrize("target", TARGETS)
def test_all_that_is_imported_is_in_it(target: str, image: Callable[[str], Image]) -> None:
    """Imports are followed in the checkout, which has all; then each is asked for in the image."""
    home = image(target).home
    whole = Imports(CHECKOUT).follow(_ENTRIES[target], but=tuple(_LEFT_OUT))
    wanted = {path.relative_to(CHECKOUT) for path in whole.ours.values()}
    assert {path for path in wanted if not (home / path).is_file()} == set()
    program = (
        "import importlib.util, sys; print(*[name for name in sys.argv[1:] if importlib.util.find_spec(name) is None])"
    )
    run = subprocess.run(
        [image(target).binaries / "python", "-I", "-c", program, *sorted(whole.others)], capture_output=True, text=True
    )
    assert (run.returncode, run.stdout.strip()) == (0, ""), run.stderr


@pytest.mark.parametrize("target", ["webhook", "notifier"])
def test_nothing_else_of_ours_is_in_it(target: str, image: Callable[[str], Image]) -> None:
    home = image(target).home
    wanted = Imports(home).follow(_ENTRIES[target]).ours.values()
    assert _modules(home, home) == {path.relative_to(home) for path in wanted}


def test_the_runner_holds_neither_stand_ins_nor_services(image: Callable[[str], Image]) -> None:
    home = image("runner").home
    assert {path.name for path in (home / "sandbox" / "providers").iterdir()} == {
        "__init__.py",
        "choice.py",
        "creations.py",
    }
    folders = {path.name for path in (home / "sandbox").iterdir() if path.is_dir()}
    assert folders == {"providers", "supervisor", "toolchain"}
    assert {path.name for path in (home / "sandbox" / "supervisor").iterdir()} == {"__init__.py", "pidfile.py"}
    assert {path.name for path in (home / "services").iterdir()} == {"__init__.py", "health.py", "logs.py"}


def test_the_runner_is_of_the_same_program_version_as_the_checkout(
    checkout: Path, image: Callable[[str], Image]
) -> None:
    """Otherwise each would take the tenants that the other one has built for out of date."""
    program = "from fleet.program import program_version; print(program_version())"
    made = image("runner")
    here, there = (
        subprocess.run([python, "-c", program], cwd=folder, capture_output=True, text=True, check=True).stdout
        for python, folder in ((sys.executable, CHECKOUT), (made.binaries / "python", made.home))
    )
    assert here == there


@pytest.mark.parametrize("target", ["runner", "notifier"])
def test_it_starts_what_the_pod_starts_as_the_user_of_the_pod(target: str) -> None:
    stage, pod = stages()[target], _pod(target)
    (container,) = pod["containers"]
    assert container["command"] == stage.entry_point()
    user = pod["securityContext"]["runAsUser"]
    assert stage.values("USER") == [f"{user}:{pod['securityContext'].get('fsGroup', user)}"]
    assert stage.values("EXPOSE") == [str(port["containerPort"]) for port in container["ports"]]
    assert not stage.values("CMD")
    # What a pod sets is not the image's to set; HOME is a volume of the pod.
    set_by_both = {variable["name"] for variable in container["env"]} & {*stage.pairs("ENV"), *_base().pairs("ENV")}
    assert set_by_both == set()


def test_the_webhook_starts_as_the_others_and_listens_where_it_says() -> None:
    stage = stages()["webhook"]
    assert stage.entry_point() == ["python", "-m", "services.billing"]
    (port,) = (field.default for field in dataclasses.fields(Settings) if field.name == "port")
    assert stage.values("EXPOSE") == [str(port)]
    assert stage.values("USER") == stages()["notifier"].values("USER")


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_runs_after_the_last_copy_and_nobody_is_root(target: str) -> None:
    """What would run there is in no other stage: compilers, pip, a shell's doings."""
    stage = stages()[target]
    assert stage.base == "base"
    names = [name for name, _ in stage.instructions]
    assert "RUN" not in names
    assert names.index("USER") > max(at for at, name in enumerate(names) if name == "COPY")
    assert stage.values("USER")[0].split(":")[0] not in ("0", "root")


@pytest.mark.parametrize("target", TARGETS)
def test_whatever_the_umask_of_who_builds_everybody_can_read_it(target: str) -> None:
    for value in stages()[target].values("COPY"):
        if "--from" not in value:
            assert re.match(r"--chmod=0(755|444) ", value), value


@pytest.mark.parametrize("target", TARGETS)
def test_it_says_what_it_is(target: str) -> None:
    labels = stages()[target].pairs("LABEL")
    assert labels["org.opencontainers.image.title"] == f"freehold-{target}"
    assert labels["org.opencontainers.image.revision"] == "${REVISION}"
    assert "REVISION" in stages()[target].values("ARG")


def _base() -> containerfile.Stage:
    return stages()["base"]


def test_one_base_by_the_digest_that_the_builder_names() -> None:
    outside = {stage.base for stage in stages().values() if stage.base not in stages()}
    (base,) = outside
    assert re.fullmatch(r"python:3\.\d+-slim-[a-z]+@\$\{PYTHON_DIGEST\}", base)
    assert re.search(r"^ARG PYTHON_DIGEST$", FILE.read_text(), re.M), "without a default"


def test_no_address_and_no_version_is_repeated_in_it() -> None:
    text = FILE.read_text()
    assert "://" not in text
    assert not re.search(r"\d+\.\d+\.\d+", text)


def test_the_tools_are_the_toolchains() -> None:
    (run,) = stages()["tools"].values("RUN")
    words = run.split()
    assert words[:3] == ["python", "-m", "sandbox.toolchain.export"]
    assert set(words[4:]) <= TOOLS.keys()
    beside = {tool.name for tool in TOOLS.values() if tool.follows == "pulumi"}
    # Dynamic providers need the last one, and there are none.
    assert set(words[4:]) == {"pulumi", *beside} - {"pulumi-resource-pulumi-python"}


@pytest.mark.parametrize("image", TARGETS)
def test_only_pinned_wheels_of_the_images_own_lock_are_installed(image: str) -> None:
    stage = stages()[f"{image}-packages"]
    assert [copy.sources for copy in stage.copies()] == [[f"images/{image}.txt"]]
    assert locks.path(image).is_file()
    (run,) = stage.values("RUN")
    assert run.split()[:5] == ["${PIP}", "install", "${PINNED}", f"--requirement=/tmp/{image}.txt", "&&"]
    assert {"--require-hashes", "--only-binary=:all:", "--no-deps"} <= set(
        stages()["packages"].pairs("ENV")["PINNED"].split()
    )
    assert f"--from={image}-packages /freehold/.venv .venv" in stages()[image].values("COPY")


def test_a_builder_sees_the_sources_and_nothing_else(checkout: Path, tmp_path: Path) -> None:
    secrets = (".env", ".git/config", ".freehold/credentials/key", ".venv/pyvenv.cfg", "tests/x.py", "notes.txt")
    litter = ("catalog/__pycache__/plans.pyc", "stacks/deep/__pycache__/x.pyc")
    for name in (*secrets, *litter):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).touch()
    try:
        seen = context(checkout)
    finally:
        for name in (*secrets, *litter):
            (checkout / name).unlink()
    assert seen.isdisjoint({*secrets, *litter, "Pulumi.sandbox.yaml"})
    assert {"errors.py", "Pulumi.prod.yaml", "fleet/runner/__main__.py", CERTIFICATES} <= seen
    copied = {
        source for stage in stages().values() for copy in stage.copies() if not copy.stage for source in copy.sources
    }
    tops = {source.split("/")[0] for source in copied}
    assert {path for path in seen if not path.startswith("Pulumi.") and path.split("/")[0] not in tops} == set()
