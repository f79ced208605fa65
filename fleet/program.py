"""Which program builds the tenants: tells whether one was built by another."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from sandbox.home import CHECKOUT

_TENANTS = ("__main__.py", "Pulumi.yaml", "catalog", "components", "requirements.txt", "stacks")
"""What decides the resources of a tenant's stack."""

_RUNNER = (*_TENANTS, "errors.py", "fleet", "policies", "sandbox", "services/health.py", "services/logs.py")


def program_version() -> str:
    """The version in pyproject.toml, with a digest of the program as it lies there now, committed or not."""
    return _version(_TENANTS)


def runner_version() -> str:
    """The same of all that a runner is made of."""
    return _version(_RUNNER)


def _version(parts: Iterable[str]) -> str:
    version = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["version"]
    digest = hashlib.sha256()
    for path in sorted(_files(parts)):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(CHECKOUT)} {len(content)}\n".encode() + content)
    return f"{version}+{digest.hexdigest()[:12]}"


def _files(parts: Iterable[str]) -> Iterator[Path]:
    for part in parts:
        path = CHECKOUT / part
        if path.is_dir():
            yield from (one for one in path.rglob("*") if one.suffix in (".py", ".yaml"))
        elif path.exists():
            yield path
