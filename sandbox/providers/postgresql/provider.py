"""The `postgresql` provider: what its types have in common."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import ClassVar

from sandbox.providers.interface import (
    UNKNOWN,
    Checked,
    CheckFailure,
    Created,
    Diff,
    Found,
    PartialFailure,
    Properties,
    ProviderError,
    Resource,
    Value,
)
from sandbox.providers.postgresql.kinds import Attributes, Kind
from sandbox.providers.postgresql.server import Server
from sandbox.providers.postgresql.settings import SERVED, read_settings
from sandbox.providers.postgresql.table import KINDS, TABLE
from sandbox.providers.typed import TypedProvider


class PostgresqlProvider(TypedProvider):
    """Connects on the first call that needs the server: in a preview it may not be there yet."""

    name = "postgresql"
    table: ClassVar = TABLE

    def __init__(self) -> None:
        super().__init__()
        self._config: Properties = {}
        self._environment: Mapping[str, str] = {}
        self._server: Server | None = None
        self._lock = threading.Lock()

    def check_config(self, inputs: Properties) -> Checked:
        checked = super().check_config(inputs)
        refused = [
            CheckFailure(key, f"`{key}` is not served by the sandbox's postgresql stand-in")
            for key in inputs
            if key in self.sdk.config() and key not in SERVED
        ]
        return Checked(checked.inputs, [*checked.failures, *refused])

    def configure(self, config: Properties, environment: Mapping[str, str]) -> None:
        self._config, self._environment = config, environment

    def diff(
        self, resource: Resource, id: str, old_inputs: Properties, old_outputs: Properties, inputs: Properties
    ) -> Diff:
        """Saying what the server had decided by itself changes nothing."""
        found = super().diff(resource, id, old_inputs, old_outputs, inputs)
        computed = self._kind(resource).computed
        same = {key for key in computed if key in inputs and inputs[key] == old_outputs.get(key)}
        changes = {path: change for path, change in found.changes.items() if path not in same}
        return Diff(changes, found.delete_before_replace)

    def create(self, resource: Resource, inputs: Properties, *, preview: bool, timeout: float) -> Created:
        kind = self._kind(resource)
        if preview:
            return Created("", self._predicted(kind, inputs))
        id = kind.create(self._connected(), inputs)
        return Created(id, self._outputs(kind, id, inputs))

    def read(self, resource: Resource, id: str, inputs: Properties, outputs: Properties) -> Found | None:
        kind, server = self._kind(resource), self._connected()
        known = outputs or kind.locate(server, id)
        if known is None:
            return None
        live = kind.read(server, known)
        if live is None:
            return None
        kept = {key: value for key, value in known.items() if key in kind.unreadable}
        # An id is all that an import knows: what no catalog tells is as the provider has it by default.
        attributes = {**kind.defaults, **kept, **live}
        return Found(kind.id(attributes), _as_written(kind, inputs, attributes), attributes)

    def update(
        self,
        resource: Resource,
        id: str,
        old_inputs: Properties,
        old_outputs: Properties,
        inputs: Properties,
        *,
        preview: bool,
        timeout: float,
    ) -> Properties:
        kind = self._kind(resource)
        kept = {key: old_outputs[key] for key in kind.computed if key in old_outputs}
        new = {**kept, **_own(inputs)}
        if preview:
            return {**kind.defaults, **new}
        # Against what the state says, so that what drifted and was refreshed is put right.
        kind.update(self._connected(), old_outputs, new)
        return self._outputs(kind, id, new)

    def delete(self, resource: Resource, id: str, inputs: Properties, outputs: Properties, *, timeout: float) -> None:
        self._kind(resource).delete(self._connected(), outputs)

    def invoke(self, token: str, args: Properties) -> Properties:
        raise ProviderError(f"{token}: the sandbox's postgresql stand-in serves no functions")

    def close(self) -> None:
        with self._lock:
            if self._server is not None:
                self._server.close()
                self._server = None

    def _kind(self, resource: Resource) -> Kind:
        return KINDS[self.entry(resource.type).token]

    def _connected(self) -> Server:
        with self._lock:
            if self._server is None:
                self._server = Server(read_settings(self._config, self._environment))
            return self._server

    def _outputs(self, kind: Kind, id: str, inputs: Properties) -> Attributes:
        """What is there after a change, with what no catalog tells as it was asked for."""
        wanted: Attributes = {**kind.defaults, **_own(inputs)}
        if "database" in kind.computed:
            wanted.setdefault("database", self._connected().database)
        try:
            live = kind.read(self._connected(), wanted)
        except ProviderError as error:
            # It is made: without this the engine would not know of it.
            raise PartialFailure(id, inputs, wanted, [f"it cannot be read back: {error}"]) from None
        if live is None:
            raise ProviderError(f"{id} was made and is not there any more")
        return {**wanted, **live}

    def _predicted(self, kind: Kind, inputs: Properties) -> Attributes:
        given = _own(inputs)
        computed: Attributes = {key: UNKNOWN for key in kind.computed if key not in given}
        database = self._config.get("database")
        if "database" in computed and isinstance(database, str):
            computed["database"] = database
        return {**kind.defaults, **computed, **given}


def _own(inputs: Properties) -> Attributes:
    return {key: value for key, value in inputs.items() if not key.startswith("__")}


def _as_written(kind: Kind, inputs: Properties, attributes: Properties) -> Attributes:
    """The inputs that a program would have to be what the catalogs show: those it has, and what is no default."""
    written: Attributes = {}
    for key, value in attributes.items():
        # An import has no inputs yet, and what the server decided may be in the program.
        mentioned = key in inputs or (not inputs and key in kind.computed)
        if mentioned or (key not in kind.computed and not _same(value, kind.defaults.get(key))):
            written[key] = value
    for key, value in inputs.items():
        if key.startswith("__") or key in kind.unreadable:
            written[key] = value
    return written


def _same(value: Value, default: Value) -> bool:
    return value == default or (default is None and value in ([], "", None))
