"""The plan that is read of a preview's events: one change for each resource, with paths and no values."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.events import Progress
from fleet.plan import Change, counts
from tests.fleet.steps import FLOW_LOGS, NETWORK, STACK, planned, step, urn


def only(*steps: Any) -> Change:
    (change,) = planned(*steps).plan.changes
    return change


@pytest.mark.parametrize(
    "operations",
    [
        ("create-replacement", "replace", "delete-replaced"),
        ("delete-replaced", "replace", "create-replacement"),
        ("remove-pending-replace", "import-replacement", "delete-replaced"),
    ],
)
def test_a_replacement_is_one_change_in_whatever_order_its_events_come(operations: tuple[str, ...]) -> None:
    told = {"keys": ["cidrBlock"], "diffs": ["cidrBlock", "tags"]}
    detailed = {"tags.team": {"diffKind": "update"}, "cidrBlock": {"diffKind": "update-replace"}}
    steps = [
        step(one, NETWORK, "aws:ec2/vpc:Vpc", "vpc", **({} if "delete" in one else told), detailedDiff=detailed)
        for one in operations
    ]
    change = only(*steps)
    assert (change.operation, change.name, change.kind) == ("replace", "vpc", "aws:ec2:Vpc")
    assert change.properties == ("cidrBlock", "tags.team")
    assert change.replaces_by == ("cidrBlock",)
    assert change.ends


def test_what_is_replaced_because_something_else_is_has_no_paths_but_the_key() -> None:
    """The engine tells the key with one of the events alone."""
    at = (NETWORK, "aws:ec2/route:Route", "route")
    change = only(
        step("delete-replaced", *at), step("replace", *at), step("create-replacement", *at, keys=["subnetIds"])
    )
    assert (change.properties, change.replaces_by) == (("subnetIds",), ("subnetIds",))


def test_a_key_forces_with_all_the_paths_in_it_and_with_no_other_of_like_name() -> None:
    detailed = {path: {"diffKind": "update"} for path in ("subnetIds[0]", "subnetIdsOf", "vpc.subnetIds")}
    change = only(step("replace", NETWORK, "aws:x/y:Y", "y", keys=["subnetIds"], detailedDiff=detailed))
    assert change.replaces_by == ("subnetIds[0]",)
    assert change.properties == ("subnetIds[0]", "subnetIdsOf", "vpc.subnetIds")


def test_what_goes_with_something_replaced_and_is_made_no_more_is_a_deletion() -> None:
    """The engine does not count it."""
    at = (NETWORK, "aws:vpc/rule:Rule", "rule")
    progress = planned(step("delete-replaced", *at), step("remove-pending-replace", *at))
    assert [one.operation for one in progress.plan.changes] == ["delete"]
    assert counts(progress.plan.changes, {"same": 3, "update": 0}) == {"delete": 1, "same": 3}


def test_what_an_earlier_replacement_left_is_a_deletion_beside_what_is_done_to_its_successor() -> None:
    at = (NETWORK, "aws:ec2/vpc:Vpc", "vpc")
    progress = planned(step("update", *at, diffs=["tags"]), step("delete-replaced", *at))
    assert [(one.operation, one.properties) for one in progress.plan.changes] == [("delete", ()), ("update", ("tags",))]
    assert [one.operation for one in planned(step("same", *at), step("delete-replaced", *at)).plan.changes] == [
        "delete"
    ]


def test_what_ends_something_comes_first_and_the_rest_by_name() -> None:
    operations = {
        "b": "create",
        "a": "create",
        "c": "update",
        "e": "replace",
        "d": "delete",
        "f": "discard",
        "g": "same",
    }
    steps = [step(operation, NETWORK, "aws:x/y:Y", name) for name, operation in operations.items()]
    assert "".join(one.name for one in planned(*steps).plan.changes) == "decabf"


def test_a_resource_is_named_with_its_outermost_component_and_made_with_a_new_one() -> None:
    there = (step("same", "", STACK, "s"), step("same", STACK, NETWORK, "network"))
    new = (step("create", NETWORK, FLOW_LOGS, "logs"), step("create", FLOW_LOGS, "aws:iam/role:Role", "role"))
    alone = step("create", NETWORK, "aws:ec2/eip:Eip", "eip")
    changes = {one.name: one for one in planned(*there, *new, alone).plan.changes}
    assert {name: str(one.component) for name, one in changes.items()} == dict.fromkeys(changes, "network (Network)")
    assert {name: one.made_with and str(one.made_with) for name, one in changes.items()} == {
        "eip": None, "logs": "logs (FlowLogs)", "role": "logs (FlowLogs)"}  # fmt: skip


def test_the_stack_itself_is_no_change() -> None:
    assert planned(step("create", "", STACK, "s")).plan.changes == ()


@pytest.mark.parametrize(
    ("kind", "short"),
    [
        ("aws:ec2/routeTable:RouteTable", "aws:ec2:RouteTable"),
        ("kubernetes:core/v1:Namespace", "kubernetes:core/v1:Namespace"),
        ("pulumi:providers:aws", "pulumi:providers:aws"),
        ("freehold:aws:Network", "freehold:aws:Network"),
        ("random:index/randomPassword:RandomPassword", "random:index:RandomPassword"),
    ],
)
def test_types_are_as_pulumi_shows_them(kind: str, short: str) -> None:
    assert only(step("create", NETWORK, kind, "x")).kind == short


def test_values_are_nowhere_in_it() -> None:
    secret = {"inputs": {"password": "hunter2"}, "outputs": {"password": "hunter2"}, "parent": urn(NETWORK, "network")}
    change = only(
        step("update", NETWORK, "aws:rds/instance:Instance", "db", diffs=["password"], old=secret, new=secret)
    )
    assert change.properties == ("password",)
    assert "hunter2" not in repr(change) + str(change.as_json())


def test_an_update_begins_a_plan_of_its_own() -> None:
    progress = planned(step("create", NETWORK, "aws:x/y:Y", "x"))
    progress.take({"preludeEvent": {}})
    assert progress.plan.changes == ()
    assert Progress().plan.changes == ()
