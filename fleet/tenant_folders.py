"""The working folder of a tenant's stack, FREEHOLD_HOME/tenants/<cell>/<id>, and the configuration in it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from catalog.identifiers import tenant_stack
from fleet.environments import Environment, project
from fleet.registry import Wanted
from fleet.stack import Stack
from fleet.stack_files import read_stack_file
from fleet.working_folders import write

Json = Any


def configuration(environment: Environment, wanted: Wanted) -> dict[str, Json]:
    """The `config:` section of the tenant's stack file: its record, and what the platform's file says for tenants."""
    record = {
        "id": wanted.id,
        "plan": wanted.plan,
        "cell": wanted.cell,
        "name": wanted.name,
        "subdomain": wanted.subdomain,
        "region": wanted.region,
        **({"email": wanted.admin_email} if wanted.admin_email else {}),
        **({"suspended": True} if wanted.suspended else {}),
    }
    config: dict[str, Json] = {
        "freehold:program": "tenant",
        "freehold:blueprint": wanted.product,
        "freehold:tenant": record,
    }
    for key in ("cloud", "protect", "workloads"):
        if (value := environment.config(key)) is not None:
            config[f"freehold:{key}"] = value
    return config


def folder(environment: Environment, tenant: str) -> Path:
    return environment.home.tenants / environment.cell / tenant


def prepare(environment: Environment, wanted: Wanted, config: Mapping[str, Json]) -> Stack:
    """Write the folder, and return the stack that runs in it."""
    place, name = folder(environment, wanted.id), tenant_stack(wanted.cell, wanted.id)
    write(place, name, config, secrets_provider=environment.secrets_provider, salt=environment.salt)
    return Stack(project(), name, place, environment.engine, journaled=environment.journaled)


def earlier(environment: Environment, wanted: Wanted, config: Mapping[str, Json]) -> Stack | None:
    """The stack as its last run left the folder; None where there is none, or `config` is what that run had."""
    place, name = folder(environment, wanted.id), tenant_stack(wanted.cell, wanted.id)
    last = read_stack_file(place / f"Pulumi.{name}.yaml").get("config")
    if not last or last == config:
        return None
    return Stack(project(), name, place, environment.engine, journaled=environment.journaled)


def remove(environment: Environment, tenant: str) -> None:
    """Remove the folder of a tenant whose stack is gone."""
    shutil.rmtree(folder(environment, tenant), ignore_errors=False)
