"""Which program builds the tenants: tells whether one was built by another."""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from sandbox.home import CHECKOUT

_TENANTS = ("__main__.py", "Pulumi.yaml", "catalog", "components", "requirements.txt", "stacks")
"""What decides the resources of a tenant's stack."""

_RUNNER = (*_TENANTS, "errors.py", "fleet", "policies", "sandbox", "services/health.py", "services/logs.py")

_PROJECT = str(CHECKOUT / "pyproject.toml")


class _File(NamedTuple):
    """As it lies there now. Its change is the time of its inode, which whoever writes to it changes and nobody sets."""

    path: str
    change_ns: int
    size: int


def program_version() -> str:
    """The version in pyproject.toml, with a digest of the program as it lies there now, committed or not."""
    return _version(_TENANTS)


def runner_version() -> str:
    """The same of all that a runner is made of."""
    return _version(_RUNNER)


def _version(parts: Iterable[str]) -> str:
    return _version_of(tuple(sorted(one for part in parts for one in _files(str(CHECKOUT / part)))), _file(_PROJECT))


@lru_cache(maxsize=4)
def _version_of(files: Sequence[_File], project: _File) -> str:
    """Anew only where one of them has changed: each run of a runner asks twice."""
    version = tomllib.loads(Path(project.path).read_text())["project"]["version"]
    digest = hashlib.sha256()
    for file in files:
        path = Path(file.path)
        content = path.read_bytes()
        digest.update(f"{path.relative_to(CHECKOUT)} {len(content)}\n".encode() + content)
    return f"{version}+{digest.hexdigest()[:12]}"


def _files(path: str) -> Iterator[_File]:
    """The program's at `path`: a file, or those below a folder; none where there is nothing."""
    if os.path.isdir(path):
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.name.endswith((".py", ".yaml")) or entry.is_dir(follow_symlinks=False):
                    yield from _files(entry.path)
    elif os.path.exists(path):
        yield _file(path)


def _file(path: str) -> _File:
    found = os.stat(path)
    return _File(path, found.st_ctime_ns, found.st_size)
