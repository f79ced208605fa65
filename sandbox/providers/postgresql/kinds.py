"""What each type of the provider does on the server; the provider itself is the same for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from sandbox.providers.interface import Properties, Value
from sandbox.providers.postgresql.server import Server

Attributes = dict[str, Value]


class Kind(Protocol):
    """One resource type. Attributes are outputs by wire name."""

    computed: frozenset[str]
    """Attributes that the server decides where the program does not."""
    defaults: Mapping[str, Value]
    """Attributes where the program gives none."""
    unreadable: frozenset[str]
    """Attributes that no catalog tells: passwords, and what only steers the provider."""

    def create(self, server: Server, inputs: Properties) -> str:
        """Make it and return its id. Raises ProviderError where there is one already."""

    def locate(self, server: Server, id: str) -> Attributes | None:
        """The attributes that identify what an id names, for an import; None where there is no such thing."""

    def read(self, server: Server, known: Properties) -> Attributes | None:
        """The attributes as the catalogs have them; `known` identifies it, and says what was wanted. None: gone."""

    def id(self, attributes: Properties) -> str: ...

    def update(self, server: Server, old: Properties, new: Properties) -> None: ...

    def delete(self, server: Server, attributes: Properties) -> None:
        """What is gone already is no error."""


def names(value: Value) -> list[str]:
    """A list of names; nothing is the empty list."""
    assert value is None or (isinstance(value, Sequence) and not isinstance(value, str))
    return [str(item) for item in value or ()]


def name(attributes: Properties, key: str) -> str:
    """A name that must be there."""
    value = attributes[key]
    assert isinstance(value, str), key  # checked against the SDK's types
    return value


def optional_name(attributes: Properties, key: str) -> str | None:
    """A name that may be left out; an empty one is."""
    value = attributes.get(key)
    assert value is None or isinstance(value, str), key
    return value or None


def integer(value: Value) -> int:
    """A whole number, which the engine sends as a float."""
    assert isinstance(value, int | float)  # checked against the SDK's types
    return int(value)
