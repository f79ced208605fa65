"""Checking, autonaming and diffing by table."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.providers.interface import UNKNOWN, DiffKind, Properties
from sandbox.providers.property_diff import differences
from sandbox.providers.recorded import RecordedStore


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1}, {"a": 2}, {"a": DiffKind.UPDATE}),
        ({"a": True}, {"a": 1}, {"a": DiffKind.UPDATE}),
        ({}, {"a": []}, {}),
        ({}, {"tags": {"x.y": "1"}}, {"tags": DiffKind.ADD}),
        ({"tags": {"x.y": "1"}}, {"tags": {}}, {'tags["x.y"]': DiffKind.DELETE}),
        ({"name": "a"}, {"name": "b"}, {"name": DiffKind.UPDATE_REPLACE}),
        ({"name": "a"}, {"name": UNKNOWN}, {"name": DiffKind.UPDATE_REPLACE}),
        ({"vpc": {"subnets": ["a", "b"]}}, {"vpc": {"subnets": ["b", "a"]}}, {}),
        ({"vpc": {"subnets": ["a"]}}, {"vpc": {"subnets": ["b"]}}, {"vpc.subnets[0]": DiffKind.UPDATE_REPLACE}),
        ({"vpc": {"subnets": ["a"]}}, {}, {"vpc": DiffKind.DELETE_REPLACE}),
        ({"vpc": {"public": True}}, {}, {"vpc": DiffKind.DELETE}),
        ({"policy": '{"a": 1, "b": 2}'}, {"policy": '{"b":2,"a":1}'}, {}),
        ({"policy": '{"a": 1}'}, {"policy": '{"a": 2}'}, {"policy": DiffKind.UPDATE}),
    ],
)
def test_differences(old: Properties, new: Properties, expected: dict[str, DiffKind]) -> None:
    found = differences(old, new, replace_on={"name", "vpc.subnets"}, sets={"vpc.subnets"}, documents={"policy"})
    assert found == expected


def test_recorded_store_keeps_lists_and_forgets(tmp_path: Path) -> None:
    store = RecordedStore(tmp_path / "data" / "recorded.sqlite")
    assert store.add("t:a:A", "1", "urn:1", {"x": [1]}, {"y": None})
    assert not store.add("t:a:A", "1", "urn:2", {}, {}), "an id is never taken over"
    store.put("t:b:B", "1", "urn:3", {}, {})
    record = RecordedStore(store.path).get("t:a:A", "1")
    assert record is not None and (record.urn, record.inputs, record.outputs) == ("urn:1", {"x": [1]}, {"y": None})
    assert [r.type for r in store.list()] == ["t:a:A", "t:b:B"] and len(store.list("t:b:B")) == 1
    assert store.delete("t:a:A", "1") and not store.delete("t:a:A", "1") and store.get("t:a:A", "1") is None
    assert store.path.stat().st_mode & 0o077 == 0
