"""Drives one AWS type through its whole life, as the engine would, and reads the effect back through boto3."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest

from sandbox.home import Home
from sandbox.providers.aws.provider import AwsProvider
from sandbox.providers.interface import DiffKind, Properties, Resource, Unknown
from sandbox.supervisor.client import Supervisor
from tests.cut_off import Killed, cut_off, sent_again

_COUNT = itertools.count(1)


@functools.cache
def _client(service: str, endpoint: str, region: str, key: str, secret: str) -> Any:
    """One for all tests: to make it takes longer than most of what it is asked."""
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
    )


class World:
    """A configured provider, plain boto3 clients of the same endpoint, and what an example needs made beforehand."""

    def __init__(self, environment: Mapping[str, str], config: Properties | None = None) -> None:
        self.environment = environment
        self.home = Home.from_environment(environment)
        self.provider = AwsProvider()
        self.provider.configure(config or {}, environment)
        self._made: list[tuple[Resource, str, Properties, Properties]] = []

    @property
    def supervisor(self) -> Supervisor:
        return Supervisor.connect(self.home)

    def client(self, service: str) -> Any:
        names = ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        return _client(service, *(self.environment[name] for name in names))

    def resource(self, token: str, name: str = "") -> Resource:
        name = name or f"thing{next(_COUNT)}"
        return Resource(f"urn:pulumi:stack::project::{token}::{name}", token, name)

    def checked(self, resource: Resource, inputs: Properties, old: Properties | None = None) -> Properties:
        """The checked inputs; a refusal fails the test."""
        checked = self.provider.check(resource, inputs, old, b"a seed of this test run")
        assert not checked.failures, checked.failures
        return checked.inputs

    def make(self, token: str, inputs: Properties) -> Mapping[str, Any]:
        """Creates something that an example needs; its outputs and its `id`."""
        resource = self.resource(token)
        ready = self.checked(resource, inputs)
        created = self.provider.create(resource, ready, preview=False, timeout=0)
        self._made.append((resource, created.id, ready, created.outputs))
        return {**created.outputs, "id": created.id}

    def clean(self) -> None:
        for resource, id, inputs, outputs in reversed(self._made):
            self.provider.delete(resource, id, inputs, outputs, timeout=0)
        self._made.clear()


def _killed(*_: object, **__: object) -> None:
    raise Killed


Inputs = Callable[[World], dict[str, Any]]
Readback = Callable[[World, str, Mapping[str, Any]], object]


@dataclass(frozen=True)
class Example:
    """How one type is lived through."""

    token: str
    inputs: Inputs
    change: Mapping[str, Any] = field(default_factory=dict)
    """Inputs to change in place."""
    change_made: Inputs | None = None
    """The same, where the new values must be made first."""
    replace: Mapping[str, Any] = field(default_factory=dict)
    """Inputs whose change must replace the resource."""
    seen: Readback | None = None
    """Asserts through boto3 that the resource is there as its outputs say (live types)."""
    gone: Readback | None = None
    """Asserts through boto3 that it is no longer there."""
    import_id: Callable[[str, Mapping[str, Any]], str] = lambda id, outputs: id
    hidden: frozenset[str] = frozenset()
    """Inputs that no API tells (passwords) or that only steer the provider: an import cannot know them."""
    moving: frozenset[str] = frozenset()
    """Outputs that tell a time which goes on, at each look another."""
    stable_id: bool = True
    """The service keeps the id through an update."""
    lingers: bool = False
    """The service keeps it, or something in its place, after the delete."""
    duplicate: bool = True
    """A second creation with the same inputs must be refused."""
    cut_off_in: str = ""
    """Of a type with a server of the sandbox: the stand-in's module that tells where it is."""


def live_through(world: World, example: Example) -> None:
    """Create, read, no difference, update, replacement, import, refusal of a second one, delete."""
    provider, resource = world.provider, world.resource(example.token)
    given = example.inputs(world)
    inputs = world.checked(resource, given)
    _preview_promises(world, resource, inputs)
    if example.cut_off_in:
        # Its provider host is killed when the server runs and the endpoint has not been told where.
        with cut_off(world.home, resource.urn), pytest.MonkeyPatch.context() as patched:
            patched.setattr(f"sandbox.providers.aws.{example.cut_off_in}.tell", _killed)
            provider.create(resource, inputs, preview=False, timeout=0)
    with sent_again(world.home, resource.urn):
        created = provider.create(resource, inputs, preview=False, timeout=0)
    state = created.outputs
    assert created.id
    assert all(not isinstance(value, Unknown) for value in state.values())
    try:
        unchanged(world, example, resource, created.id, inputs, state)
        if example.seen:
            example.seen(world, created.id, state)
        if example.duplicate:
            _refuses_a_second(world, example.token, inputs)
        change = {**example.change, **(example.change_made(world) if example.change_made else {})}
        if change:
            new = world.checked(resource, {**given, **change}, inputs)
            diff = provider.diff(resource, created.id, inputs, state, new)
            assert {path.split(".")[0].split("[")[0] for path in diff.changes} == set(change), diff
            assert not any(kind.replaces for kind in diff.changes.values()), diff
            state = provider.update(resource, created.id, inputs, state, new, preview=False, timeout=0)
            inputs = new
            unchanged(world, example, resource, created.id, inputs, state)
            if example.seen:
                example.seen(world, created.id, state)
        for name, value in example.replace.items():
            diff = provider.diff(resource, created.id, inputs, state, {**inputs, name: value})
            assert any(kind.replaces for kind in diff.changes.values()), f"{name} must replace: {diff}"
        _imports(world, example, resource, created.id, inputs, state)
    finally:
        provider.delete(resource, created.id, inputs, state, timeout=0)
    assert example.lingers or provider.read(resource, created.id, inputs, state) is None
    provider.delete(resource, created.id, inputs, state, timeout=0)
    if example.gone:
        example.gone(world, created.id, state)


def _preview_promises(world: World, resource: Resource, inputs: Properties) -> None:
    predicted = world.provider.create(resource, inputs, preview=True, timeout=0)
    assert predicted.id == ""
    assert {name: predicted.outputs[name] for name in inputs if not name.startswith("__")} == {
        name: value for name, value in inputs.items() if not name.startswith("__")
    }


def unchanged(
    world: World, example: Example, resource: Resource, id: str, inputs: Properties, state: Properties
) -> None:
    """A refresh sees what the state says, and the same program makes no difference."""
    found = world.provider.read(resource, id, inputs, state)
    assert found is not None
    assert found.id == id
    assert not _differing(found.inputs, inputs), _differing(found.inputs, inputs)
    differing = _differing(found.outputs, state)
    assert not {*differing} - example.moving, differing
    assert example.moving <= {*found.outputs}
    assert not world.provider.diff(resource, id, found.inputs, found.outputs, inputs).changes


def _differing(one: Properties, other: Properties) -> dict[str, Any]:
    return {n: (one.get(n), other.get(n)) for n in {*one, *other} if one.get(n) != other.get(n)}


def _refuses_a_second(world: World, token: str, inputs: Properties) -> None:
    from sandbox.providers.interface import ProviderError

    other = world.resource(token, "second")
    try:
        second = world.provider.create(other, inputs, preview=False, timeout=0)
    except ProviderError as error:
        text = str(error)
        assert "\n" not in text
        assert "exist" in text.lower() or "already" in text.lower() or "conflict" in text.lower(), text
    else:
        raise AssertionError(f"a second {token} took the first one over: {second.id}")


def _imports(
    world: World, example: Example, resource: Resource, id: str, inputs: Properties, state: Properties
) -> None:
    """An import finds the inputs: the program that made the resource differs only in what no API tells."""
    found = world.provider.read(resource, example.import_id(id, state), {}, {})
    assert found is not None
    assert found.id == id or not example.stable_id
    diff = world.provider.diff(resource, id, found.inputs, found.outputs, world.checked(resource, inputs, found.inputs))
    tops = {path.split(".")[0].split("[")[0] for path in diff.changes}
    assert tops <= example.hidden, f"{diff.changes} {found.inputs}"
    assert DiffKind.DELETE not in {kind for path, kind in diff.changes.items()}, diff
