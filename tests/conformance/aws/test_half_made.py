"""A create whose endpoint falls ill after the first call: what was made is in the state, and the next run ends it."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

from errors import FreeholdError
from sandbox.providers.aws.api import Api, ApiError
from sandbox.providers.aws.tables import TABLE
from sandbox.providers.interface import PartialFailure, Properties, Resource
from sandbox.supervisor.client import Supervisor
from tests.conformance.aws.lifecycle import Example, World, unchanged
from tests.conformance.aws.test_lifecycle import EXAMPLES

pytestmark = pytest.mark.sandbox

LOOKS = ("describe_", "get_", "list_", "head_")
SERVERS = ("aws:eks/cluster:Cluster", "aws:rds/instance:Instance", "aws:elasticache/replicationGroup:ReplicationGroup")
IN_STEPS = {
    entry.token
    for entry in TABLE
    if entry.create_hook
    or entry.after_create
    or any(modify.on_create for modify in entry.modifies)
    or (entry.tags and not (entry.tags.in_create or entry.tags.specification))
} - {*SERVERS, "aws:eks/nodeGroup:NodeGroup"}
"""Types whose create may take more than one call; of those it is one, and then what the sandbox starts."""


@pytest.mark.parametrize(
    "example", [one for one in EXAMPLES if one.token in IN_STEPS], ids=lambda example: example.token
)
def test_what_was_made_is_kept_and_ended_by_the_next_run(
    world: World, example: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = world.resource(example.token)
    inputs = world.checked(resource, example.inputs(world))
    with monkeypatch.context() as patched:
        changes = fall_ill(patched)
        id, state = create(world, resource, inputs)
    if len(changes) > 1:
        state = world.provider.update(resource, id, inputs, state, inputs, preview=False, timeout=0)
    ends_well(world, example, resource, id, inputs, state)


def fall_ill(patched: pytest.MonkeyPatch) -> list[str]:
    """The endpoint makes one change and refuses each that follows; the changes that it was asked for."""
    answered, changes = Api.call, list[str]()

    def ill(api: Api, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        if not operation.startswith(LOOKS):
            changes.append(operation)
            if len(changes) > 1:
                raise ApiError("InternalFailure", "it is ill")
        return answered(api, service, operation, **parameters)

    patched.setattr(Api, "call", ill)
    return changes


@pytest.mark.parametrize("token", SERVERS)
def test_a_server_that_a_stopping_sandbox_refused_is_started_by_the_next_run(
    world: World, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (example,) = (one for one in EXAMPLES if one.token == token)
    resource = world.resource(token)
    inputs = world.checked(resource, example.inputs(world))

    def stopping(*_: object, **__: object) -> NoReturn:
        raise FreeholdError("is stopping", where="sandbox")

    with monkeypatch.context() as patched:
        patched.setattr(Supervisor, "_call", stopping)
        with pytest.raises(PartialFailure, match="sandbox: is stopping") as half:
            world.provider.create(resource, inputs, preview=False, timeout=0)
    id = half.value.id
    state = world.provider.update(resource, id, inputs, half.value.outputs, inputs, preview=False, timeout=0)
    ends_well(world, example, resource, id, inputs, state)


def create(world: World, resource: Resource, inputs: Properties) -> tuple[str, Properties]:
    """Its id and state, whole or not."""
    try:
        made = world.provider.create(resource, inputs, preview=False, timeout=0)
    except PartialFailure as half:
        return half.id, half.outputs
    return made.id, made.outputs


def ends_well(
    world: World, example: Example, resource: Resource, id: str, inputs: Properties, state: Properties
) -> None:
    try:
        unchanged(world, example, resource, id, inputs, state)
        if example.seen:
            example.seen(world, id, state)
    finally:
        world.provider.delete(resource, id, inputs, state, timeout=0)
