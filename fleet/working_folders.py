"""Working folders of stacks that do not run in the checkout: Pulumi.yaml and Pulumi.<stack>.yaml, under FREEHOLD_HOME.

One folder for each stack, because `pulumi stack init` takes no other file than the one beside Pulumi.yaml, and writes
its salt into it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from fleet.stack_files import project_name, read_stack_file
from sandbox.files import write_atomically
from sandbox.home import CHECKOUT

Json = Any


def write(
    folder: Path,
    stack: str,
    config: Mapping[str, Json],
    *,
    secrets_provider: str | None = None,
    salt: str | None = None,
) -> None:
    """Write both files of the folder. What the stack's file has of a provider and a salt stays; `secrets_provider` and
    `salt` are for a stack that has none yet."""
    ours = read_stack_file(CHECKOUT / "Pulumi.yaml")
    project = {
        "name": project_name(CHECKOUT / "Pulumi.yaml"),
        "description": f"Stack {stack}",
        # A relative path would make the engine create a virtual environment here.
        "runtime": {"name": "python", "options": {"virtualenv": str(CHECKOUT / ".venv")}},
        "main": str(CHECKOUT),
        "config": ours.get("config") or {},
    }
    _put(folder / "Pulumi.yaml", project)
    path = folder / f"Pulumi.{stack}.yaml"
    kept = {key: value for key, value in read_stack_file(path).items() if key != "config"}
    if secrets_provider is not None:
        kept.setdefault("secretsprovider", secrets_provider)
    if salt is not None:
        kept.setdefault("encryptionsalt", salt)
    _put(path, {**kept, "config": dict(config)})


def _put(path: Path, content: Mapping[str, Json]) -> None:
    """Only where it differs, so that a run that changes nothing writes nothing."""
    text = yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True).encode()
    if not path.exists() or path.read_bytes() != text:
        write_atomically(path, text, 0o600)
