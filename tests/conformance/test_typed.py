"""Checking, autonaming and diffing by table."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from sandbox.providers.interface import UNKNOWN, CheckFailure, Diff, DiffKind, Properties, Resource, Value
from sandbox.providers.property_diff import differences
from sandbox.providers.recorded import RecordedStore
from sandbox.providers.typed import Autoname, Kind, ResourceType, TypedProvider


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
        ({"policy": "no document"}, {"policy": "nor this"}, {"policy": DiffKind.UPDATE}),
        ({"names": "a"}, {"names": "b"}, {"names": DiffKind.UPDATE}),
        ({}, {"a": ""}, {"a": DiffKind.ADD}),
        ({"__defaults": []}, {"__defaults": ["name"]}, {}),
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


def no_cats(inputs: Properties) -> Iterable[CheckFailure]:
    if inputs.get("separator") == "cat":
        yield CheckFailure("separator", "no cats")


class Pets(TypedProvider):
    """Of one type, whose `prefix` is its name."""

    name = "random"
    table = (
        ResourceType(
            "random:index/randomPet:RandomPet",
            Kind.RECORDED,
            "",
            autoname=Autoname("prefix", limit=20),
            replace_on=frozenset({"prefix"}),
            computed=frozenset({"length"}),
            conflicts=(frozenset({"length", "separator"}),),
            rules=(no_cats,),
            served=frozenset({"prefix", "length", "separator"}),
        ),
    )
    configure = create = read = update = delete = invoke = None  # type: ignore[assignment]


Pets.__abstractmethods__ = frozenset()
PET = Resource("urn:pulumi:s::p::random:index/randomPet:RandomPet::a-pet", Pets.table[0].token, "a-pet")


def refused(**inputs: Value) -> dict[str, str]:
    """Property and reason of each refusal."""
    return {one.property: one.reason for one in Pets().check(PET, inputs, None, b"seed").failures}


def test_what_has_no_effect_excludes_another_or_breaks_a_rule_is_refused_by_name() -> None:
    assert refused(separator="dog", prefix="p" * 20) == {}
    assert "is not served by the sandbox" in refused(keepers={"a": "b"})["keepers"]
    assert refused(length=1, separator="-") == {"length": "`length` conflicts with `separator`"}
    assert refused(separator="cat") == {"separator": "no cats"}
    assert "has 21 characters; " in refused(prefix="p" * 21)["prefix"]


def named(inputs: Properties, old: Properties | None = None) -> Properties:
    return Pets().check(PET, inputs, old, b"seed").inputs


def test_a_name_that_was_generated_stays_and_one_that_the_program_gives_up_does_not() -> None:
    generated = named({})
    assert re.fullmatch(r"a-pet-[0-9a-f]{7}", str(generated["prefix"])) and generated["__defaults"] == ["prefix"]
    earlier = {"prefix": "a-pet-0000000", "__defaults": ["prefix"]}
    assert named({}, earlier) == earlier
    assert named({}, {"prefix": "chosen"}) == generated
    assert named({"prefix": "chosen"}, earlier) == {"prefix": "chosen"}


def test_a_name_follows_the_beginning_that_the_program_gives() -> None:
    pets, entry = Pets(), Pets.table[0]
    autoname = Autoname("prefix", limit=40, prefix_property="separator")
    pets.types[entry.token] = dataclasses.replace(entry, autoname=autoname)
    earlier = {"separator": "cat-", "prefix": "cat-1", "__defaults": ["prefix"]}
    kept, changed = (pets.check(PET, {"separator": new}, earlier, b"seed").inputs for new in ("cat-", "dog-"))
    assert kept["prefix"] == "cat-1"
    assert str(changed["prefix"]).startswith("dog-")


def test_what_the_service_fills_in_is_no_change_where_the_program_says_nothing() -> None:
    def diff(old: Properties, new: Properties) -> Diff:
        return Pets().diff(PET, "id", old, {}, new)

    assert diff({"length": 2}, {}).changes == {}
    assert diff({"length": 2}, {"length": 3}).changes == {"length": DiffKind.UPDATE}
    assert diff({"separator": "-"}, {}).changes == {"separator": DiffKind.DELETE}


def test_a_name_that_the_program_keeps_is_free_only_when_the_old_one_is_gone() -> None:
    def first(old: Properties, new: Properties) -> bool:
        return Pets().diff(PET, "id", old, {}, new).delete_before_replace

    generated = {"prefix": "a-pet-0000000", "__defaults": ["prefix"]}
    assert first({"prefix": "chosen"}, {"prefix": "chosen", "length": 2})
    assert not first({"prefix": "chosen"}, {"prefix": "another"})
    assert not first({"prefix": "chosen"}, {"prefix": UNKNOWN})
    assert not first(generated, {**generated, "length": 2})
