"""Storage that RDS has raised by itself: no difference to what the program says, and never made smaller."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.providers.interface import ProviderError
from tests.conformance.aws.data_examples import EXAMPLES
from tests.conformance.aws.lifecycle import World

pytestmark = pytest.mark.sandbox

INSTANCE = "aws:rds/instance:Instance"


def test_storage_that_grew_by_itself_is_kept(world: World) -> None:
    (example,) = (one for one in EXAMPLES if one.token == INSTANCE)
    provider, resource, rds = world.provider, world.resource(INSTANCE), world.client("rds")
    given = {**example.inputs(world), "allocatedStorage": 20, "maxAllocatedStorage": 100}
    inputs = world.checked(resource, given)
    made = provider.create(resource, inputs, preview=False, timeout=0)
    state, name = made.outputs, str(inputs["identifier"])

    def allocated() -> Any:
        return rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]["AllocatedStorage"]

    try:
        rds.modify_db_instance(DBInstanceIdentifier=name, AllocatedStorage=60, ApplyImmediately=True)
        found = provider.read(resource, made.id, inputs, state)
        assert found is not None and found.outputs["allocatedStorage"] == 60
        assert not provider.diff(resource, made.id, found.inputs, found.outputs, inputs).changes

        # Another change goes through: after a refresh, and where the state alone has seen it.
        for before in (found.inputs, inputs):
            changed = world.checked(resource, {**given, "backupRetentionPeriod": 3, "allocatedStorage": 40}, inputs)
            diff = provider.diff(resource, made.id, before, found.outputs, changed)
            assert {*diff.changes} == {"backupRetentionPeriod"}
            told = provider.update(
                resource, made.id, before, found.outputs, changed, preview=True, timeout=0
            )  # what a preview shows
            assert told["allocatedStorage"] == 60
            state = provider.update(resource, made.id, before, found.outputs, changed, preview=False, timeout=0)
            assert state["allocatedStorage"] == allocated() == 60

        # More than what there is, is asked for; less where nothing grows by itself is refused.
        more = world.checked(resource, {**given, "allocatedStorage": 80}, inputs)
        assert "allocatedStorage" in provider.diff(resource, made.id, inputs, state, more).changes
        state = provider.update(resource, made.id, inputs, state, more, preview=False, timeout=0)
        assert state["allocatedStorage"] == allocated() == 80
        fixed = world.checked(resource, {k: v for k, v in given.items() if k != "maxAllocatedStorage"}, inputs)
        assert "allocatedStorage" in provider.diff(resource, made.id, more, state, fixed).changes
        with pytest.raises(ProviderError, match="cannot be made smaller"):
            provider.update(resource, made.id, more, state, fixed, preview=False, timeout=0)
    finally:
        provider.delete(resource, made.id, inputs, state, timeout=0)
