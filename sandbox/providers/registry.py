"""Which stand-in serves which provider name, and in which version: that of the installed SDK."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
from typing import cast

from sandbox.providers.interface import Provider, ProviderError

CLASSES = {
    "aws": "sandbox.providers.aws.provider:AwsProvider",
    "kubernetes": "sandbox.providers.kubernetes.provider:KubernetesProvider",
    "postgresql": "sandbox.providers.postgresql.provider:PostgresqlProvider",
    "random": "sandbox.providers.random.provider:RandomProvider",
}


def sdk_version(name: str) -> str:
    """The plugin version that the installed SDK `pulumi_<name>` asks the engine for."""
    version = importlib.metadata.version(f"pulumi-{name}")
    # PEP 440 writes 1.2.3a4 where the engine's semantic version is 1.2.3-alpha.4.
    found = re.fullmatch(r"(\d+\.\d+\.\d+)(?:(a|b|rc)(\d+))?.*", version)
    if found is None:
        raise ProviderError(f"pulumi-{name} has the version {version}, which is no semantic version")
    release, kind, number = found.groups()
    return release if kind is None else f"{release}-{ {'a': 'alpha', 'b': 'beta', 'rc': 'rc'}[kind] }.{number}"


def provider_class(name: str) -> type[Provider]:
    """The stand-in's class; importing it is paid once. Raises ProviderError for a name without one."""
    if name not in CLASSES:
        raise ProviderError(
            f"the sandbox has no stand-in for the provider {name!r}; it has {', '.join(sorted(CLASSES))}"
        )
    module, _, attribute = CLASSES[name].partition(":")
    return cast(type[Provider], getattr(importlib.import_module(module), attribute))
