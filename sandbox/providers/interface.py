"""What a stand-in provider implements, free of gRPC: plain values in, plain values out.

`sandbox.providers.servicer` turns the engine's ResourceProvider calls into these. It takes the secret
marks off on the way in and puts them back, path by path, on the way out, so that a provider never
handles a secret wrapper; what the engine does not know yet arrives as `UNKNOWN`. Whole numbers arrive as
`int`, references to resources as their id (or URN), and null values inside a mapping as None.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Protocol

import pulumi


class Unknown:
    """A value that is known only after a real create or update (preview)."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


Value = (
    None
    | bool
    | int
    | float
    | str
    | Unknown
    | pulumi.Asset
    | pulumi.Archive
    | Sequence["Value"]
    | Mapping[str, "Value"]
)
Properties = Mapping[str, Value]


class NamingMode(Enum):
    """What the stack's `pulumi:autonaming` setting asks of a generated name."""

    PROPOSE = 0
    ENFORCE = 1
    DISABLE = 2


@dataclass(frozen=True)
class Autonaming:
    """The name that the engine proposes where a program gives none (`sandbox.providers.autonaming` follows it)."""

    proposed: str
    mode: NamingMode


@dataclass(frozen=True)
class Resource:
    """Which resource a call is about."""

    urn: str
    type: str
    name: str
    autonaming: Autonaming | None = None
    ignored: Sequence[str] = ()
    """In an update: the paths of `ignore_changes`, whose new values are the old ones."""


@dataclass(frozen=True)
class CheckFailure:
    """One property that the provider refuses; `property` is a path such as `tags.product`."""

    property: str
    reason: str


@dataclass(frozen=True)
class Checked:
    """The inputs as the provider will use them, and what it refuses of them."""

    inputs: Properties
    failures: Sequence[CheckFailure] = ()


class DiffKind(Enum):
    """What happens to one property; a kind that ends in -replace makes a new resource."""

    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"
    ADD_REPLACE = "add-replace"
    DELETE_REPLACE = "delete-replace"
    UPDATE_REPLACE = "update-replace"

    @property
    def replaces(self) -> bool:
        return self.value.endswith("-replace")

    def replacing(self) -> DiffKind:
        """The same change, by replacement."""
        return self if self.replaces else DiffKind(f"{self.value}-replace")


@dataclass(frozen=True)
class Diff:
    """Changed property paths (`spec.replicas`, `tags["a.b"]`, `rules[0].port`); empty means no change."""

    changes: Mapping[str, DiffKind] = field(default_factory=dict)
    delete_before_replace: bool = False


@dataclass(frozen=True)
class Created:
    """A new resource: `id` is never empty, but in preview, where `outputs` hold UNKNOWN for what the API decides."""

    id: str
    outputs: Properties


@dataclass(frozen=True)
class Found:
    """What a read saw: `inputs` as a program would write them, for import and refresh."""

    id: str
    inputs: Properties
    outputs: Properties


class ProviderError(Exception):
    """A call failed and nothing was made or changed; the text is one line for a person."""


class PartialFailure(Exception):
    """The resource exists and is not as asked; the engine keeps it in the state and repairs it on the next update."""

    def __init__(self, id: str, inputs: Properties, outputs: Properties, reasons: Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.id, self.inputs, self.outputs, self.reasons = id, inputs, outputs, reasons


class Messenger(Protocol):
    """Shows a line to whoever runs the engine, beside the resource."""

    def __call__(self, urn: str, text: str, *, warning: bool = False) -> None: ...


def _unheard(urn: str, text: str, *, warning: bool = False) -> None:
    """Before an engine is attached nobody listens."""


class Provider(ABC):
    """One configured instance of a provider; calls may come from several threads at once.

    The host makes one, without arguments, for each engine process that asks: making one must be cheap.
    `version` is that of the installed SDK; `tell` is set once an engine is there to listen.
    """

    name: str
    version: str
    tell: Messenger = staticmethod(_unheard)

    @abstractmethod
    def check_config(self, inputs: Properties) -> Checked: ...

    @abstractmethod
    def diff_config(self, old: Properties, new: Properties) -> Diff: ...

    @abstractmethod
    def configure(self, config: Properties, environment: Mapping[str, str]) -> None:
        """`environment` is that of the engine which started the plugin (AWS_*, KUBECONFIG, PG*)."""

    @abstractmethod
    def check(self, resource: Resource, inputs: Properties, old_inputs: Properties | None, seed: bytes) -> Checked:
        """Validate, fill defaults and autoname. `seed` makes a generated name stable between preview and update."""

    @abstractmethod
    def diff(
        self, resource: Resource, id: str, old_inputs: Properties, old_outputs: Properties, inputs: Properties
    ) -> Diff: ...

    @abstractmethod
    def create(self, resource: Resource, inputs: Properties, *, preview: bool, timeout: float) -> Created:
        """Raises ProviderError where something of the same name is there already: create never adopts.

        `timeout` is the program's custom timeout in seconds, 0 where it sets none.
        """

    @abstractmethod
    def read(self, resource: Resource, id: str, inputs: Properties, outputs: Properties) -> Found | None:
        """None where it is gone. `inputs` and `outputs` are empty for an import."""

    @abstractmethod
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
    ) -> Properties: ...

    @abstractmethod
    def delete(self, resource: Resource, id: str, inputs: Properties, outputs: Properties, *, timeout: float) -> None:
        """Deleting what is gone already succeeds."""

    @abstractmethod
    def invoke(self, token: str, args: Properties) -> Properties: ...

    def secret_outputs(self, type: str) -> frozenset[str]:
        """Top-level properties, input or output, that are secret however the program wrote them."""
        return frozenset()

    def cancel(self) -> None:  # noqa: B027 - most providers never wait
        """Someone pressed Ctrl-C: calls that wait for something should soon give up."""

    def close(self) -> None:  # noqa: B027 - some hold no connection
        """The engine has gone: drop connections."""
