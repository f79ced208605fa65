"""What became of creates that a killed engine had begun, from the provider host's journal and the state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from errors import FreeholdError
from fleet import pending
from fleet.pending import edited, look_up
from fleet.state import PendingOperation, StackState
from sandbox.home import Home
from sandbox.providers.creations import Creations

URN = "urn:pulumi:dev::test::kubernetes:core/v1:Secret::connections"
ID = "acme/connections"


def deployment(*resources: dict[str, Any]) -> dict[str, Any]:
    """A state whose engine was killed while it created URN."""
    creating = {"type": "creating", "resource": resource(inputs={"plan": "pro"})}
    return {"resources": list(resources), "pending_operations": [creating]}


def resource(**fields: Any) -> dict[str, Any]:
    return {"urn": URN, "type": "kubernetes:core/v1:Secret", "custom": True, **fields}


def mended(home: Home, state: dict[str, Any]) -> list[dict[str, Any]]:
    """The resources after what the journal says."""
    found = look_up(home, "dev", StackState.of_deployment(state), stop=lambda: None)
    resources: list[dict[str, Any]] = edited(state, found)["resources"]
    return resources


def test_what_was_deleted_and_made_again_under_its_id_is_the_new_one(tmp_path: Path) -> None:
    state = deployment(resource(id=ID, inputs={"plan": "starter"}, pendingReplacement=True))
    with Creations(Home(tmp_path)) as journal:
        journal.record(URN, ID)
    assert [(one["id"], one["inputs"], one.get("delete")) for one in mended(Home(tmp_path), state)] == [
        (ID, {"plan": "pro"}, None)
    ]


def test_what_was_deleted_and_not_made_again_is_still_to_be_replaced(tmp_path: Path) -> None:
    state = deployment(resource(id=ID, pendingReplacement=True))
    assert mended(Home(tmp_path), state) == [resource(id=ID, pendingReplacement=True)]


def test_what_has_its_successor_and_still_stands_is_to_be_deleted(tmp_path: Path) -> None:
    state = deployment(resource(id="acme/connections-1"))
    with Creations(Home(tmp_path)) as journal:
        journal.record(URN, "acme/connections-1")
        journal.record(URN, "acme/connections-2")
    assert [(one["id"], one.get("delete")) for one in mended(Home(tmp_path), state)] == [
        ("acme/connections-2", None),
        ("acme/connections-1", True),
    ]


def test_in_a_cloud_a_person_is_told_what_to_run_and_where(tmp_path: Path) -> None:
    creating = StackState(pending=(PendingOperation("creating", "urn:pulumi:s::p::aws:s3/bucket:Bucket::data"),))
    said = rf"^stack s: .* while it made data; .*`pulumi refresh --stack s` in a terminal, .* with what {tmp_path} has"
    with pytest.raises(FreeholdError, match=said):
        pending.refuse("s", creating, tmp_path)
    pending.refuse("s", StackState(pending=(PendingOperation("updating", "urn"),)), tmp_path)
