"""What a policy is: a pure function from planned properties to findings, and its entry in the table.

Nothing here imports Pulumi or a cloud's SDK, so that the pack starts fast and a policy can be tested as plain data.
The properties hold secrets in clear: a finding names properties, never their values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final


class Unknown(Enum):
    """A value that exists only once the resource does (preview)."""

    UNKNOWN = "unknown"

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown.UNKNOWN

Properties = Mapping[str, Any]
"""Wire names to plain JSON values, with UNKNOWN where the value is not there yet."""
Settings = Mapping[str, Any]
"""The configuration of one policy, as its schema in the table declares it."""


@dataclass(frozen=True)
class Planned:
    """One resource of the plan."""

    type: str
    urn: str
    name: str
    properties: Properties
    provider: Properties = field(default_factory=dict)
    """The configuration of the provider that makes it."""
    links: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """For each property, the URNs of the resources that its value comes from (stack policies only)."""

    @property
    def stack(self) -> str:
        """The stack's name, which a URN carries: `urn:pulumi:<stack>::<project>::<types>::<name>`."""
        return self.urn.removeprefix("urn:pulumi:").split("::", 1)[0]

    @property
    def in_tenant_stack(self) -> bool:
        """Whether the stack is one tenant's (`tenant.<cell>.<id>`)."""
        return self.stack.startswith("tenant.")


@dataclass(frozen=True)
class Finding:
    """Something against a policy, or (`certain` false) something that cannot be told before creation."""

    path: str
    """The property, such as `ingress[2]`; empty for the resource as a whole."""
    reason: str
    certain: bool = True
    urn: str = ""

    def text(self) -> str:
        """One line for a person."""
        where = f"`{self.path}` " if self.path else ""
        return where + (self.reason if self.certain else f"cannot be told before creation: {self.reason}")


Findings = Iterable[Finding]
ResourceCheck = Callable[[Planned, Settings], Findings]
StackCheck = Callable[[Sequence[Planned], Settings], Findings]


@dataclass(frozen=True)
class Policy:
    """One row of the table. Exactly one of `resource` and `stack` is given."""

    name: str
    description: str
    mend: str
    types: frozenset[str] = frozenset()
    """The resource types that a `resource` policy looks at; empty means every type."""
    resource: ResourceCheck | None = None
    stack: StackCheck | None = None
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """JSON schema of what can be configured, each with its `default`."""

    def __post_init__(self) -> None:
        if (self.resource is None) == (self.stack is None):
            raise ValueError(f"{self.name} must look either at single resources or at the stack")

    def defaults(self) -> dict[str, Any]:
        """The settings where nothing is configured."""
        return {name: schema["default"] for name, schema in self.settings.items()}


def as_object(value: Any) -> Mapping[str, Any] | Unknown:
    """An object's members; none where it is absent, or is something else, which a provider refuses."""
    if isinstance(value, Unknown | Mapping):
        return value
    return {}


def as_list(value: Any) -> Sequence[Any] | Unknown:
    """A list's items; none where it is absent, or is something else, which a provider refuses."""
    if isinstance(value, Unknown) or (isinstance(value, Sequence) and not isinstance(value, str)):
        return value
    return ()


def flag(properties: Properties, name: str, default: bool) -> bool | Unknown:
    """A boolean property; `default` is what the provider does where it is absent."""
    value = properties.get(name)
    if value is None:
        return default
    if isinstance(value, Unknown):
        return value
    # Bridged providers take the text "true" for a boolean.
    return value if isinstance(value, bool) else str(value).lower() == "true"


def must_be(properties: Properties, name: str, wanted: bool, *, default: bool, why: str) -> Findings:
    """A finding where a boolean property is not `wanted`, or is unknown."""
    value = flag(properties, name, default)
    if value is UNKNOWN:
        yield Finding(name, why, certain=False)
    elif value is not wanted:
        absent = properties.get(name) is None
        yield Finding(name, f"{'is absent, which means' if absent else 'is'} {str(value).lower()}: {why}")


def joined(value: Any, link: Sequence[str], target: Planned, target_value: Any) -> bool:
    """Whether a reference points at `target`: by value where both are known, else by what it was computed from."""
    if value is None:
        return False
    if value is UNKNOWN or target_value is UNKNOWN or target_value is None:
        return target.urn in link
    return bool(value == target_value)
