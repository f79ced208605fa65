"""Property paths and differences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.providers.differences import below, diff, differences, parse, text, without
from sandbox.providers.interface import UNKNOWN, DiffKind, Properties

_SEGMENTS = st.one_of(st.text(min_size=1, max_size=8).filter(lambda s: s != "*"), st.integers(0, 99))


@given(st.lists(_SEGMENTS, min_size=1, max_size=5).filter(lambda path: isinstance(path[0], str)))
def test_paths_come_back_as_they_were(path: list[str | int]) -> None:
    assert parse(text(path)) == tuple(path)


@pytest.mark.parametrize("path", ["a[", "a]b", 'a["b', "[x]"])
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(ValueError, match="is not a property path"):
        parse(path)


def test_kinds_of_differences() -> None:
    old: Properties = {"same": 1, "gone": 1, "changed": {"a.b": [1, 2]}, "null": None, "known": 1, "truth": True}
    new: Properties = {
        "same": 1,
        "come": 1,
        "changed": {"a.b": [1, 3, 4]},
        "other null": None,
        "known": UNKNOWN,
        "truth": 1,
    }
    assert {text(path): kind for path, kind in differences(old, new)} == {
        "gone": DiffKind.DELETE,
        "come": DiffKind.ADD,
        'changed["a.b"][1]': DiffKind.UPDATE,
        'changed["a.b"][2]': DiffKind.ADD,
        "known": DiffKind.UPDATE,
        "truth": DiffKind.UPDATE,
    }


@given(st.dictionaries(st.text(max_size=4), st.integers() | st.lists(st.integers(), max_size=3)))
def test_nothing_differs_from_itself(properties: dict[str, int | list[int]]) -> None:
    assert not list(differences(properties, {**properties}))


def test_replacement_and_ignored_paths() -> None:
    found = diff({"spec": {"a": 1, "b": 1}}, {"spec": {"a": 2, "b": 2}}, [parse("spec.a")])
    assert found.changes == {"spec.a": DiffKind.UPDATE_REPLACE, "spec.b": DiffKind.UPDATE}
    assert without(found.changes, ["spec.a"]) == {"spec.b": DiffKind.UPDATE}
    assert without(found.changes, ["spec"]) == {}
    assert without(found.changes, ["spec[*]"]) == {}
    assert without(found.changes, ["other", "spec.ab"]) == found.changes


def test_below() -> None:
    assert below(parse("rules[3].port"), parse("rules[*].port"))
    assert not below(parse("rules"), parse("rules[0]"))
