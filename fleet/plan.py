"""What the engine means to do to each resource, as its preview's events tell it. Paths of properties, no values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fleet.urns import urn_name

Json = Any

STACK = "pulumi:pulumi:Stack"
UNCHANGED = frozenset({"same", "read", "refresh"})
"""Operations that leave a resource as it is."""
ENDING = ("delete", "replace")
"""Operations that end something that is there."""

_REPLACING = frozenset({"replace", "create-replacement", "import-replacement", "read-replacement"})
_PARTS = frozenset({"delete-replaced", "discard-replaced", "remove-pending-replace"})
"""Of a replacement where its successor is planned too, else of a deletion: of what goes with something else that is
replaced, or of what an earlier replacement has left."""
_ORDER = (*ENDING, "update", "import", "create")


@dataclass(frozen=True)
class Component:
    """A component as it is named in the summary of `up`: `network (Network)`."""

    urn: str
    type: str

    def __str__(self) -> str:
        return f"{urn_name(self.urn)} ({self.type.rsplit(':', 1)[-1]})"


@dataclass(frozen=True)
class Change:
    """What would be done to one resource; a replacement is one change."""

    operation: str
    urn: str
    type: str
    component: Component | None
    """The outermost one that it is in, or that it is."""
    made_with: Component | None
    """The outermost component that it is in (or is) and that would be created too."""
    properties: tuple[str, ...] = ()
    """Paths of what differs, as `tags.team` or `subnetIds[0]`."""
    replaces_by: tuple[str, ...] = ()
    """Those of `properties` that force a replacement."""

    @property
    def name(self) -> str:
        return urn_name(self.urn)

    @property
    def ends(self) -> bool:
        """Whether what is there now goes."""
        return self.operation in ENDING

    @property
    def kind(self) -> str:
        """The type as Pulumi shows it: `aws:ec2:Vpc` for `aws:ec2/vpc:Vpc`."""
        package, _, rest = self.type.partition(":")
        module, _, name = rest.rpartition(":")
        outer, _, inner = module.rpartition("/")
        repeated = bool(outer) and inner == name[:1].lower() + name[1:]
        return f"{package}:{outer}:{name}" if repeated else self.type

    def as_json(self) -> Json:
        return {
            "operation": self.operation,
            "urn": self.urn,
            "type": self.type,
            "name": self.name,
            "component": None if self.component is None else str(self.component),
            "properties": list(self.properties),
            "replaces_by": list(self.replaces_by),
        }


@dataclass
class _Seen:
    """What the events have said of one URN."""

    type: str
    parent: str
    component: bool
    operations: set[str] = field(default_factory=set)
    properties: dict[str, bool] = field(default_factory=dict)
    """By path: whether it forces a replacement."""
    keys: set[str] = field(default_factory=set)
    """Names of properties that force one; the engine gives no paths where another resource's replacement is why."""


class Plan:
    """Collects the steps of one phase of the engine."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def take(self, step: Mapping[str, Json]) -> None:
        """Count in the `metadata` of one `resourcePreEvent`."""
        urn = str(step["urn"])
        there = step.get("new") or step.get("old") or {}
        one = self._seen.setdefault(
            urn, _Seen(str(step.get("type", "")), str(there.get("parent") or ""), not there.get("custom"))
        )
        one.operations.add(str(step["op"]))
        for path, difference in (step.get("detailedDiff") or {}).items():
            forces = str(difference.get("diffKind", "")).endswith("-replace")
            one.properties[path] = one.properties.get(path, False) or forces
        one.keys.update(step.get("keys") or ())
        for name in (*(step.get("diffs") or ()), *(step.get("keys") or ())):
            if not any(_within(path, name) for path in one.properties):
                one.properties[name] = False

    @property
    def changes(self) -> tuple[Change, ...]:
        """What would change: deletions and replacements first, then by name, so that it is the same each time."""
        found = [
            self._change(operation, urn, one)
            for urn, one in self._seen.items()
            if one.type != STACK
            for operation in _operations(one.operations)
        ]
        return tuple(sorted(found, key=_rank))

    def _change(self, operation: str, urn: str, one: _Seen) -> Change:
        line = [above for above in self._line(urn) if self._seen[above].component]
        made = [above for above in line if "create" in self._seen[above].operations]
        forcing = [
            path
            for path, forces in one.properties.items()
            if operation == "replace" and (forces or any(_within(path, key) for key in one.keys))
        ]
        others = [path for path in one.properties if path not in forcing]
        return Change(
            operation,
            urn,
            one.type,
            self._component(line),
            self._component(made) if operation == "create" else None,
            (*forcing, *others) if operation in ("update", "replace") else (),
            tuple(forcing),
        )

    def _line(self, urn: str) -> Iterable[str]:
        """The resource and what it is in, outwards, without the stack."""
        while (one := self._seen.get(urn)) is not None and one.type != STACK:
            yield urn
            urn = one.parent

    def _component(self, line: list[str]) -> Component | None:
        return Component(line[-1], self._seen[line[-1]].type) if line else None


def counts(changes: Iterable[Change], engine: Mapping[str, int]) -> dict[str, int]:
    """By operation; of what stays as it is, what the engine counted. It counts no deletion of what goes only because
    something else is replaced."""
    told = Counter(change.operation for change in changes)
    told.update({operation: count for operation, count in engine.items() if operation in UNCHANGED})
    return dict(told)


def _operations(steps: set[str]) -> Iterable[str]:
    plain = steps - _REPLACING - _PARTS - UNCHANGED
    if steps & _REPLACING:
        return sorted(plain | {"replace"})
    return sorted(plain | {"delete"} if steps & _PARTS else plain)


def _rank(change: Change) -> tuple[int, str, str]:
    order = _ORDER.index(change.operation) if change.operation in _ORDER else len(_ORDER)
    return order, change.name, change.urn


def _within(path: str, name: str) -> bool:
    """Whether `path` is the property `name` or lies in it."""
    return path == name or path.startswith((f"{name}.", f"{name}["))
