"""What became of creates that a killed engine had begun, from the provider host's journal and the state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from errors import FreeholdError
from fleet import pending
from fleet.pending import Resolution, edited, in_order, look_up, resolve
from fleet.state import PendingOperation, StackState
from sandbox.home import Home
from sandbox.providers.creations import Creations
from tests.cut_off import cut_off

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


def test_what_was_made_more_than_once_is_for_a_person_to_decide(tmp_path: Path) -> None:
    with Creations(Home(tmp_path)) as journal:
        journal.record(URN, "acme/connections-1")
        journal.record(URN, "acme/connections-2")
    with pytest.raises(FreeholdError, match=r"connections was made more than once: acme/connections-1, acme/connecti"):
        mended(Home(tmp_path), deployment())


@pytest.mark.parametrize(("kind", "read_again"), [("updating", [URN]), ("deleting", [URN]), ("reading", [])])
def test_what_may_have_been_changed_is_read_again_where_it_is_known(
    tmp_path: Path, kind: str, read_again: list[str]
) -> None:
    operation = {"type": kind, "resource": resource(id=ID)}

    def looked_up(*resources: dict[str, Any]) -> Resolution:
        state = StackState.of_deployment({"resources": list(resources), "pending_operations": [operation]})
        return look_up(Home(tmp_path), "dev", state, stop=lambda: None)

    assert looked_up(resource(id=ID)) == Resolution({}, [], read_again)
    assert looked_up() == Resolution({}, [], [])


def test_what_came_in_is_read_and_not_looked_up_again(tmp_path: Path) -> None:
    home, written, read = Home(tmp_path), list[dict[str, Any]](), list[str]()
    with cut_off(home, URN), Creations(home) as journal:
        journal.record(URN, ID)
    assert pending.cut_off(home, "test", "dev") == (URN,)
    state = deployment()
    resolve(
        home,
        "dev",
        StackState.of_deployment(state),
        export=lambda: {"version": 3, "deployment": state},
        replace=written.append,
        refresh=read.extend,
        tell=lambda line: None,
        stop=lambda: None,
    )
    (after,) = written
    assert [one["id"] for one in after["deployment"]["resources"]] == [ID]
    assert read == [URN]
    assert pending.cut_off(home, "test", "dev") == ()


@pytest.mark.parametrize(
    "needs",
    [
        {"parent": "needed"},
        {"provider": "needed::id"},
        {"deletedWith": "needed"},
        {"dependencies": ["needed"]},
        {"propertyDependencies": {"name": ["needed"]}},
    ],
    ids=str,
)
def test_the_engine_finds_each_resource_after_all_that_it_needs(needs: dict[str, Any]) -> None:
    assert [one["urn"] for one in in_order([{"urn": "needing", **needs}, {"urn": "needed"}])] == ["needed", "needing"]


def test_what_waits_for_its_deletion_comes_after_all_that_stays() -> None:
    old = {"urn": "needed", "delete": True}
    needing: dict[str, Any] = {"urn": "needing", "dependencies": ["needed"]}
    resources = [needing, old, {"urn": "needed"}]
    assert in_order(resources) == [{"urn": "needed"}, needing, old]


def test_a_create_that_never_ends_is_waited_for_no_longer_than_any_may_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending, "_SETTLE_SECONDS", 0)
    with (
        Creations(Home(tmp_path)) as journal,
        journal.attempt(URN),
        pytest.raises(FreeholdError, match=r"^stack dev: connections has been in the making for 0 s; .*sandbox stop"),
    ):
        mended(Home(tmp_path), deployment())


def test_what_nothing_asks_for_any_more_is_told_once(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with cut_off(home, URN):
        pass
    with pytest.raises(FreeholdError, match=r"^stack dev: done, but the provider died while it made connections, "):
        pending.require_none_cut_off(home, "test", "dev")
    pending.require_none_cut_off(home, "test", "dev")


def test_in_a_cloud_a_person_is_told_what_to_run_and_where(tmp_path: Path) -> None:
    creating = StackState(pending=(PendingOperation("creating", "urn:pulumi:s::p::aws:s3/bucket:Bucket::data"),))
    said = rf"^stack s: .* while it made data; .*`pulumi refresh --stack s` in a terminal, .* with what {tmp_path} has"
    with pytest.raises(FreeholdError, match=said):
        pending.refuse("s", creating, tmp_path)
    pending.refuse("s", StackState(pending=(PendingOperation("updating", "urn"),)), tmp_path)
