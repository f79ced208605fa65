"""What instances there are, kept on disk (mode 0600: secrets), so that a stopped or killed sandbox has them again."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from sandbox.files import damaged, unreadable, write_atomically
from sandbox.home import Home
from sandbox.supervisor.messages import NodeGroup


class Definition(BaseModel):
    """`complete` is set when the instance has served once: what a kill left half made is removed, not started."""

    model_config = ConfigDict(frozen=True)

    name: str
    complete: bool = False


class ClusterDefinition(Definition):
    kubernetes_version: str
    region: str
    oidc_issuer: str
    node_groups: Mapping[str, NodeGroup]
    server_version: str = ""


class DatabaseDefinition(Definition):
    username: str
    password: str
    database: str
    parameters: Mapping[str, str]


class CacheDefinition(Definition):
    parameters: Mapping[str, str]
    supervisor_password: str
    users: Mapping[str, str]
    """User name -> its line of the ACL file; passwords are hashes."""


class RunnerDefinition(Definition):
    version: str
    """Of the program that it was started from."""


class WebhookDefinition(Definition):
    database: str
    """The control database's identifier."""
    product: str
    secret: str
    """What events are signed with."""
    username: str = ""
    """Who logs in to the database; empty in a definition of an earlier release, which meant the administrator."""
    password: str = ""


class NotifierDefinition(Definition):
    environment: Mapping[str, str]
    """Its settings (services/notifier/settings.py), and the credentials."""


D = TypeVar("D", bound=Definition)


class DefinitionStore(Generic[D]):
    """The definitions of one kind, a file each, and beside it the instance's data folder. Making one raises a
    FreeholdError where a file is damaged."""

    def __init__(self, home: Home, kind: str, model: type[D]) -> None:
        self._home = home
        self._folder = home.data / kind
        self._model = model
        self._definitions = {definition.name: definition for definition in map(self._read, self._files())}

    def __contains__(self, name: str) -> bool:
        return name in self._definitions

    def get(self, name: str) -> D | None:
        return self._definitions.get(name)

    def all(self) -> list[D]:
        """In the order of their names."""
        return [self._definitions[name] for name in sorted(self._definitions)]

    def data(self, name: str) -> Path:
        """The instance's own folder."""
        return self._folder / name

    def put(self, definition: D) -> None:
        write_atomically(self._folder / f"{definition.name}.json", definition.model_dump_json().encode(), 0o600)
        self._definitions[definition.name] = definition

    def remove(self, name: str) -> None:
        """The data first: a kill in between leaves a definition whose removal can be repeated."""
        if (folder := self.data(name)).exists():
            shutil.rmtree(folder)
        (self._folder / f"{name}.json").unlink(missing_ok=True)
        self._definitions.pop(name, None)

    def _read(self, path: Path) -> D:
        try:
            return self._model.model_validate_json(path.read_bytes())
        except OSError as error:
            raise unreadable(path, error) from None
        except ValidationError:
            raise damaged(path) from None

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.json")) if self._folder.is_dir() else []
