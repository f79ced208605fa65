"""A provider whose types are entries of a table: checking, autonaming and diffing are the same for all of them."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import ClassVar

from sandbox.providers.autonaming import autoname as generated_name
from sandbox.providers.configuration import structure
from sandbox.providers.interface import (
    Checked,
    CheckFailure,
    Diff,
    DiffKind,
    Properties,
    Provider,
    ProviderError,
    Resource,
    Unknown,
    Value,
)
from sandbox.providers.property_diff import differences
from sandbox.providers.registry import sdk_version
from sandbox.providers.sdk_source import Scalar
from sandbox.providers.sdk_types import SdkTypes

_STRING = Scalar("string")

Rule = Callable[[Properties], Iterable[CheckFailure]]


class Kind(Enum):
    """How true a stand-in is: a live type acts on a service that another client reads; a recorded one is checked, kept
    and compared, with no effect but what its note tells."""

    LIVE = "live"
    RECORDED = "recorded"


@dataclass(frozen=True)
class Autoname:
    """Which property is named after the resource where the program gives none: `<name>-` and seven hex digits."""

    property: str = "name"
    limit: int = 64
    prefix_property: str | None = None
    """The sibling that gives only the beginning of the name (`namePrefix`)."""
    start: str = ""
    """What every name of this type begins with (`alias/`)."""
    lower: bool = False
    """The service takes no capitals."""


@dataclass(frozen=True)
class ResourceType:
    """One type of the table. Paths are wire names joined by dots, without list indices."""

    token: str
    kind: Kind
    documentation: str
    """The provider's page for this type: the source of replace_on, defaults and rules."""
    autoname: Autoname | None = None
    replace_on: frozenset[str] = frozenset()
    defaults: Mapping[str, Value] = field(default_factory=dict)
    secret_outputs: frozenset[str] = frozenset()
    computed: frozenset[str] = frozenset()
    """Optional inputs that the service fills in where the program gives none: leaving one out changes nothing."""
    sets: frozenset[str] = frozenset()
    """Lists whose order has no meaning."""
    documents: frozenset[str] = frozenset()
    """Strings that hold JSON, compared by meaning."""
    conflicts: tuple[frozenset[str], ...] = ()
    """Groups of properties of which at most one may be given."""
    rules: tuple[Rule, ...] = ()
    served: frozenset[str] | None = None
    """The inputs that have an effect; another is refused by name. None: all that the SDK has."""
    delete_before_replace: bool = False
    note: str = ""
    """Where this type differs from the official provider and its service; told in docs/fidelity.md."""


def given(inputs: Properties, name: str) -> bool:
    """Whether a property was set; an unknown value counts."""
    return inputs.get(name) is not None


def exactly_one_of(*names: str) -> Rule:
    """One of these and not two (the `ExactlyOneOf` of the provider's schema)."""

    def rule(inputs: Properties) -> Iterable[CheckFailure]:
        found = [name for name in names if given(inputs, name)]
        if len(found) != 1:
            text = " and ".join(f"`{name}`" for name in found) + " exclude each other" if found else "none was given"
            yield CheckFailure(
                found[-1] if found else names[0], f"exactly one of {', '.join(names)} is required: {text}"
            )

    return rule


def one_of(path: str, *values: str) -> Rule:
    """A string property that takes only these values."""

    def rule(inputs: Properties) -> Iterable[CheckFailure]:
        value = inputs.get(path)
        if isinstance(value, str) and value not in values:
            yield CheckFailure(path, f"expected one of {', '.join(values)}; got {value!r}")

    return rule


def between(path: str, low: float, high: float) -> Rule:
    """A number property within bounds, both included."""

    def rule(inputs: Properties) -> Iterable[CheckFailure]:
        value = inputs.get(path)
        if isinstance(value, int | float) and not low <= value <= high:
            yield CheckFailure(path, f"expected {low:g} to {high:g}; got {value:g}")

    return rule


def matches(path: str, pattern: str, meaning: str) -> Rule:
    """A string property that matches a pattern as a whole; `meaning` is what the error says."""
    compiled = re.compile(pattern)

    def rule(inputs: Properties) -> Iterable[CheckFailure]:
        value = inputs.get(path)
        if isinstance(value, str) and not compiled.fullmatch(value):
            yield CheckFailure(path, f"{meaning}; got {value!r}")

    return rule


def generated_digits(seed: bytes, purpose: str, count: int) -> str:
    """Hex digits that the engine's seed decides: the same in preview and update, others for another resource."""
    return hmac.new(seed, purpose.encode(), hashlib.sha256).hexdigest()[:count]


def without_none(value: Value) -> Value:
    """The same with every null property taken out: a program's `None` means not set."""
    if isinstance(value, Mapping):
        return {key: without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [without_none(item) for item in value]
    return value


@lru_cache(maxsize=8)
def installed_sdk(package: str) -> SdkTypes:
    """The types of an SDK, read once in this process whatever the number of provider instances."""
    return SdkTypes(package)


class TypedProvider(Provider):
    """Check, diff and configuration checks by table; the rest is left to each provider.

    A subclass names its package (`name = "random"`) and its `table`.
    """

    table: ClassVar[Sequence[ResourceType]]

    def __init__(self) -> None:
        self.sdk = installed_sdk(self.name)
        self.version = sdk_version(self.name)
        self.types = {entry.token: entry for entry in self.table}

    def entry(self, token: str) -> ResourceType:
        """The table's entry of a type. Raises ProviderError for a type that is neither live nor recorded."""
        if token not in self.types:
            raise ProviderError(
                f"{token}: the sandbox's {self.name} stand-in does not serve this type; "
                "docs/fidelity.md lists those it does"
            )
        return self.types[token]

    def check_config(self, inputs: Properties) -> Checked:
        """Values that are no strings arrive as JSON text (https://github.com/pulumi/pulumi/issues/4219)."""
        known = self.sdk.config()
        plain: dict[str, Value] = {
            name: structure(inputs, name) if name in known and known[name].type != _STRING else value
            for name, value in inputs.items()
        }
        return Checked(inputs, self.sdk.validate_object(known, plain))

    def diff_config(self, old: Properties, new: Properties) -> Diff:
        return Diff(differences(old, new))

    def check(self, resource: Resource, inputs: Properties, old_inputs: Properties | None, seed: bytes) -> Checked:
        entry = self.entry(resource.type)
        checked = without_none(inputs)
        assert isinstance(checked, dict)
        checked = self.normalise(entry, checked)
        for name, value in entry.defaults.items():
            checked.setdefault(name, value)
        failures = list(self._conflicts(entry, checked))
        if entry.autoname:
            failures.extend(_name(entry.autoname, resource, checked, old_inputs or {}, seed))
        failures.extend(self.sdk.validate(entry.token, checked))
        named = {failure.property for failure in failures}
        if entry.served is not None:
            failures.extend(
                CheckFailure(name, f"`{name}` is not served by the sandbox's {self.name} stand-in for {entry.token}")
                for name in checked
                if name not in entry.served and name not in named and not name.startswith("__")
            )
        if not failures:
            failures = [failure for rule in entry.rules for failure in rule(checked)]
        return Checked(checked, failures)

    def normalise(self, entry: ResourceType, inputs: dict[str, Value]) -> dict[str, Value]:
        """A provider's own preparation of the inputs before they are checked."""
        return inputs

    def diff(
        self, resource: Resource, id: str, old_inputs: Properties, old_outputs: Properties, inputs: Properties
    ) -> Diff:
        entry = self.entry(resource.type)
        changes = {
            path: kind
            for path, kind in differences(
                old_inputs, inputs, replace_on=entry.replace_on, sets=entry.sets, documents=entry.documents
            ).items()
            if not (kind in (DiffKind.DELETE, DiffKind.DELETE_REPLACE) and path in entry.computed)
        }
        return Diff(changes, entry.delete_before_replace or _name_is_taken(entry, old_inputs, inputs))

    def secret_outputs(self, type: str) -> frozenset[str]:
        return self.entry(type).secret_outputs | self.sdk.secret_outputs(type)

    @staticmethod
    def _conflicts(entry: ResourceType, inputs: Properties) -> Iterable[CheckFailure]:
        for group in entry.conflicts:
            found = sorted(name for name in group if given(inputs, name))
            if len(found) > 1:
                yield CheckFailure(found[0], f"`{found[0]}` conflicts with {', '.join(f'`{n}`' for n in found[1:])}")


def _name_is_taken(entry: ResourceType, old: Properties, new: Properties) -> bool:
    """A replacement would need the name that the old one still has: the program chose it, and keeps it.

    Source: nameRequiresDeleteBeforeReplace in github.com/pulumi/pulumi-terraform-bridge, pkg/tfbridge/provider.go.
    """
    if entry.autoname is None:
        return False
    generated = new.get("__defaults")
    if isinstance(generated, Sequence) and entry.autoname.property in generated:
        return False
    name = new.get(entry.autoname.property)
    return name is not None and not isinstance(name, Unknown) and name == old.get(entry.autoname.property)


def _name(
    autoname: Autoname, resource: Resource, inputs: dict[str, Value], old: Properties, seed: bytes
) -> Iterable[CheckFailure]:
    """Fills the name in; what was named by this rule before keeps its name, which `__defaults` remembers."""
    prefix = inputs.get(autoname.prefix_property) if autoname.prefix_property else None
    if isinstance(prefix, Unknown):
        return
    if inputs.get(autoname.property) is None:
        generated_before = old.get("__defaults")
        before = old.get(autoname.property)
        ours = isinstance(generated_before, Sequence) and autoname.property in generated_before
        if ours and isinstance(before, str) and before.startswith(prefix if isinstance(prefix, str) else ""):
            inputs[autoname.property] = before
        elif isinstance(prefix, str):
            inputs[autoname.property] = prefix + generated_digits(seed, resource.urn, 26)
        else:
            room = autoname.limit - len(autoname.start)
            name = autoname.start + generated_name(resource, seed, digits=7, limit=room)
            inputs[autoname.property] = name.lower() if autoname.lower else name
        inputs["__defaults"] = [autoname.property]
    chosen = inputs[autoname.property]
    if isinstance(chosen, str) and len(chosen) > autoname.limit:
        yield CheckFailure(
            autoname.property,
            f"{chosen!r} has {len(chosen)} characters; {resource.type} takes at most {autoname.limit}",
        )
