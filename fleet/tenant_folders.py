"""The working folder of a tenant's stack, under FREEHOLD_HOME: Pulumi.yaml and Pulumi.tenant.<cell>.<id>.yaml.

One folder for each stack, because `pulumi stack init` takes no other file than the one beside Pulumi.yaml.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from catalog.identifiers import tenant_stack
from fleet.engine import Stack
from fleet.environments import Environment
from fleet.registry import Wanted
from fleet.stack_files import read_stack_file
from sandbox.files import write_atomically
from sandbox.home import CHECKOUT

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


def digest(config: Mapping[str, Json]) -> str:
    """What a configuration is told from another by."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def folder(environment: Environment, tenant: str) -> Path:
    return environment.home.tenants / environment.cell / tenant


def prepare(environment: Environment, wanted: Wanted, config: Mapping[str, Json]) -> Stack:
    """Write the folder, and return the stack that runs in it. What the engine added to the file (its salt) stays."""
    place = folder(environment, wanted.id)
    name = tenant_stack(wanted.cell, wanted.id)
    ours = read_stack_file(CHECKOUT / "Pulumi.yaml")
    project = {
        "name": ours["name"],
        "description": f"Tenant {wanted.id}",
        # A relative path would make the engine create a virtual environment here.
        "runtime": {"name": "python", "options": {"virtualenv": str(CHECKOUT / ".venv")}},
        "main": str(CHECKOUT),
        "config": ours.get("config") or {},
    }
    _write(place / "Pulumi.yaml", project)
    path = place / f"Pulumi.{name}.yaml"
    kept = {key: value for key, value in read_stack_file(path).items() if key != "config"}
    if provider := environment.file.get("secretsprovider"):
        kept.setdefault("secretsprovider", provider)
    _write(path, {**kept, "config": dict(config)})
    return Stack(str(ours["name"]), name, place, environment.engine, journaled=environment.stack.journaled)


def remove(environment: Environment, tenant: str) -> None:
    """Remove the folder of a tenant whose stack is gone."""
    shutil.rmtree(folder(environment, tenant), ignore_errors=False)


def _write(path: Path, content: Mapping[str, Json]) -> None:
    """Only where it differs, so that a run that changes nothing writes nothing."""
    text = yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True).encode()
    if not path.exists() or path.read_bytes() != text:
        write_atomically(path, text, 0o600)
