"""What a tenant's stack takes from its platform's: the images of the product, and the key that is derived once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from catalog import blueprints
from fleet import environments, tenant_folders
from fleet.environments import Environment
from fleet.registry import Suspension
from fleet.stack_files import read_stack_file
from fleet.targets import Target
from sandbox.home import Home
from stacks.settings.platform import PlatformSettings
from stacks.settings.tenant import TenantSettings
from tests.fleet.samples import wanted
from tests.stacks.files import load, stack_file

PLATFORMS = "v1:platforms:v1:salt"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(environments, "CHECKOUT", tmp_path)
    (tmp_path / "Pulumi.yaml").write_text("name: freehold\n")
    return tmp_path


def _prepared(checkout: Path, cell: str, target: Target) -> dict[str, Any]:
    environment = Environment(cell, target, Home(checkout / "home"), {})
    tenant = wanted("acme", cell=cell)
    stack = tenant_folders.prepare(environment, tenant, {})
    return dict(read_stack_file(stack.workdir / f"Pulumi.{stack.name}.yaml"))


def test_it_takes_the_platforms_salt(checkout: Path) -> None:
    (checkout / "Pulumi.sandbox.yaml").write_text(f"encryptionsalt: {PLATFORMS}\n")
    assert _prepared(checkout, "sandbox", Target.SANDBOX)["encryptionsalt"] == PLATFORMS


def test_the_salt_of_a_rehearsal_is_beside_its_copy_of_the_file(checkout: Path) -> None:
    (checkout / "Pulumi.prod.yaml").write_text("secretsprovider: awskms://alias/pulumi\nencryptedkey: of the cloud\n")
    rehearsal = checkout / "home/rehearsals/prod"
    rehearsal.mkdir(parents=True)
    (rehearsal / "Pulumi.prod.yaml").write_text(f"encryptionsalt: {PLATFORMS}\n")
    assert _prepared(checkout, "prod", Target.SANDBOX) == {"encryptionsalt": PLATFORMS, "config": {}}


def test_a_stack_that_has_one_keeps_it(checkout: Path) -> None:
    (checkout / "Pulumi.sandbox.yaml").write_text("{}\n")
    assert "encryptionsalt" not in _prepared(checkout, "sandbox", Target.SANDBOX)
    (checkout / "Pulumi.sandbox.yaml").write_text("encryptionsalt: v1:first:v1:salt\n")
    assert _prepared(checkout, "sandbox", Target.SANDBOX)["encryptionsalt"] == "v1:first:v1:salt"
    (checkout / "Pulumi.sandbox.yaml").write_text(f"encryptionsalt: {PLATFORMS}\n")
    assert _prepared(checkout, "sandbox", Target.SANDBOX)["encryptionsalt"] == "v1:first:v1:salt"


def test_its_files_are_for_this_user_alone_and_stay_where_nothing_changes(checkout: Path) -> None:
    """They hold what its secrets are encrypted with."""
    (checkout / "Pulumi.sandbox.yaml").write_text(f"encryptionsalt: {PLATFORMS}\n")
    _prepared(checkout, "sandbox", Target.SANDBOX)
    files = sorted((checkout / "home/tenants/sandbox/acme").iterdir())
    before = [path.stat() for path in files]
    assert [one.st_mode & 0o777 for one in before] == [0o600, 0o600]
    _prepared(checkout, "sandbox", Target.SANDBOX)
    assert [path.stat().st_ino for path in files] == [one.st_ino for one in before]


def test_a_stack_that_has_a_cloud_key_keeps_it(checkout: Path) -> None:
    for alias in ("first", "second"):
        (checkout / "Pulumi.prod.yaml").write_text(f"secretsprovider: awskms://alias/{alias}\n")
        assert _prepared(checkout, "prod", Target.CLOUD)["secretsprovider"] == "awskms://alias/first"


@pytest.mark.parametrize("protect", ["false", "true"])
def test_it_is_protected_and_suspended_as_it_should_be(checkout: Path, protect: str) -> None:
    (checkout / "Pulumi.sandbox.yaml").write_text(f"config: {{freehold:protect: {protect}}}\n")
    environment = Environment("sandbox", Target.SANDBOX, Home(checkout / "home"), {})
    tenant = wanted("acme")
    held = tenant_folders.configuration(environment, tenant.model_copy(update={"suspended_for": Suspension.PAYMENT}))
    assert (held["freehold:protect"], held["freehold:tenant"]["suspended"]) == (protect == "true", True)
    assert "suspended" not in tenant_folders.configuration(environment, tenant)["freehold:tenant"]
    assert tenant_folders.earlier(environment, tenant, {}) is None  # nothing was ever run


def test_a_cloud_key_needs_none(checkout: Path) -> None:
    (checkout / "Pulumi.prod.yaml").write_text(f"secretsprovider: awskms://alias/pulumi\nencryptionsalt: {PLATFORMS}\n")
    assert _prepared(checkout, "prod", Target.CLOUD) == {"secretsprovider": "awskms://alias/pulumi", "config": {}}


def test_the_images_of_the_platforms_file_are_what_its_tenants_run(checkout: Path) -> None:
    image = "registry.example.com/chronos/scheduler:1.4.2"
    document = stack_file("sandbox")
    document["config"]["freehold:workloads"] = {"scheduler": {"image": image}}
    (checkout / "Pulumi.sandbox.yaml").write_text(yaml.safe_dump(document))
    assert isinstance(load(document["config"], "sandbox"), PlatformSettings)

    environment = Environment("sandbox", Target.SANDBOX, Home(checkout / "home"), {})
    config = tenant_folders.configuration(environment, wanted("acme"))
    settings = load(config, "tenant.sandbox.acme")
    assert isinstance(settings, TenantSettings)
    (scheduler,) = blueprints.load("chronos-cloud").workloads
    assert settings.image(scheduler) == image
