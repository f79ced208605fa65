"""The committed stack files, read as the engine hands them to the program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from stacks import configuration
from stacks.settings.platform import PlatformSettings
from stacks.settings.tenant import TenantSettings

CHECKOUT = Path(__file__).resolve().parent.parent.parent
# They are read for nearly every test, and the loader in Python takes twelve times as long.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def stack_file(stack: str) -> dict[str, Any]:
    return _read(f"Pulumi.{stack}.yaml")


def _read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.load((CHECKOUT / name).read_text(), Loader=_LOADER)
    return document


def _engine_text(value: Any) -> str:
    """A value as the engine writes it into PULUMI_CONFIG."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)


def engine_environment(config: dict[str, Any]) -> dict[str, str]:
    """The engine's environment for a stack file's `config`, the project's defaults included."""
    schema = _read("Pulumi.yaml")["config"]
    values = {key: entry["default"] for key, entry in schema.items()} | config
    return {"PULUMI_CONFIG": json.dumps({key: _engine_text(value) for key, value in values.items()})}


def load(config: dict[str, Any], stack: str) -> PlatformSettings | TenantSettings:
    return configuration.load(configuration.from_engine(engine_environment(config)), stack)


def platform_settings(environment: str) -> PlatformSettings:
    """Of the environment's committed file."""
    settings = load(stack_file(environment)["config"], environment)
    assert isinstance(settings, PlatformSettings)
    return settings


def tenant_config(**record: Any) -> dict[str, Any]:
    """The configuration of tenant acme in the sandbox, with `record` in place of or beside what it needs."""
    return {
        "freehold:program": "tenant",
        "freehold:tenant": {"id": "acme", "plan": "starter", "cell": "sandbox", **record},
    }
