"""What a tenant's record may not hold."""

from __future__ import annotations

from typing import Any

import pytest

from errors import UsageError
from stacks.settings.tenant import TenantSettings
from tests.stacks.files import load, tenant_config


def test_an_entry_that_is_wrong_is_not_told_to_be_missing_as_well() -> None:
    with pytest.raises(UsageError) as error:
        load(tenant_config(workspaces=["a--b"]), "tenant.sandbox.acme")
    assert "holds `--`" in error.value.line() and "at least 1" not in error.value.line()


@pytest.mark.parametrize(
    ("record", "line"),
    [
        ({"id": "acme--eu"}, "freehold:tenant.id: tenant id 'acme--eu' holds `--`"),
        ({"id": "a" * 41}, "freehold:tenant.id: tenant id"),
        ({"id": "Acme"}, "freehold:tenant.id: tenant id 'Acme' is not a DNS label"),
        ({"plan": "gold"}, "chronos-cloud has no plan 'gold'; its plans are free, starter, pro, enterprise"),
        ({"plan": "free"}, "plan free is of the pool tier"),
        ({"plan": "enterprise"}, "plan enterprise is of the silo tier"),
        ({"workspaces": ["a", "b", "c", "d"]}, "4 workspaces exceed the 3 of plan starter"),
        ({"workspaces": ["a", "a"]}, "freehold:tenant.workspaces: a workspace is named twice"),
        ({"workspaces": []}, "freehold:tenant.workspaces: "),
        ({"colour": "red"}, "freehold:tenant.colour: unknown key"),
        ({"cell": "prod eu"}, "freehold:tenant.cell: 'prod eu' is no name of lower-case letters, digits and inner"),
        ({"subdomain": "A.b"}, "freehold:tenant.subdomain: subdomain 'A.b' is not a DNS label"),
    ],
)
def test_one_line_for_each_mistake_in_a_tenant(record: dict[str, Any], line: str) -> None:
    with pytest.raises(UsageError) as error:
        load(tenant_config(**record), "tenant.sandbox.acme")
    assert error.value.line().startswith(f"Pulumi.tenant.sandbox.acme.yaml: {line}")


def test_a_tenants_program_runs_inside_the_network() -> None:
    with pytest.raises(UsageError, match="freehold:insideNetwork: a tenant is all within"):
        load(tenant_config() | {"freehold:insideNetwork": False}, "tenant.sandbox.acme")


def test_a_tenants_stack_carries_its_name() -> None:
    with pytest.raises(UsageError, match=r"is called tenant\.sandbox\.acme"):
        load(tenant_config(), "tenant.sandbox.other")


def test_a_tenants_images() -> None:
    config = tenant_config() | {"freehold:workloads": {"scheduler": {"image": "ghcr.io/acme/scheduler:1.2"}}}
    settings = load(config, "tenant.sandbox.acme")
    assert isinstance(settings, TenantSettings)
    assert settings.workloads["scheduler"].image == "ghcr.io/acme/scheduler:1.2"
    for image, why in (
        ("scheduler", "is no image with a tag or a digest, such as"),
        ("scheduler:latest", "changes under its name"),
    ):
        with pytest.raises(UsageError, match=why):
            load(tenant_config() | {"freehold:workloads": {"scheduler": {"image": image}}}, "tenant.sandbox.acme")
    with pytest.raises(UsageError, match="no workload 'nope'; it has scheduler"):
        load(tenant_config() | {"freehold:workloads": {"nope": {"image": "a:1"}}}, "tenant.sandbox.acme")
