"""Property values: nothing is lost between the wire and plain Python, and no secret loses its mark."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sandbox.providers.interface import UNKNOWN
from sandbox.providers.values import SECRET, SIGNATURE, HashedArchive, HashedAsset, Marks, decode, encode, has_unknown

_KEYS = st.text(min_size=1, max_size=8).filter(lambda key: key != SIGNATURE)
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: not number.is_integer()),
    st.text(max_size=12),
    st.just(UNKNOWN),
    st.builds(HashedAsset, st.text("0123456789abcdef", min_size=64, max_size=64)),
    st.builds(HashedArchive, st.text("0123456789abcdef", min_size=64, max_size=64)),
)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=20
)
_PROPERTIES = st.dictionaries(_KEYS, _VALUES, max_size=5)


def _secret(value: Any) -> dict[str, Any]:
    return {SIGNATURE: SECRET, "value": value}


def _wire(properties: dict[str, Any]) -> Any:
    """Properties whose marked mappings stand for themselves, as the engine would send them."""
    return encode(properties)


@given(_PROPERTIES)
def test_plain_values_come_back_as_they_were(properties: dict[str, Any]) -> None:
    assert decode(encode(properties)).properties == properties


@given(_PROPERTIES, st.data())
def test_marks_come_back_where_they_were(properties: dict[str, Any], data: st.DataObject) -> None:
    marked = _mark_some(properties, data)
    seen = decode(_wire(marked))
    assert seen.properties == properties
    assert encode(seen.properties, seen.marks) == _wire(marked)


def _mark_some(value: Any, data: st.DataObject, top: bool = True) -> Any:
    if not top and data.draw(st.booleans()):
        return _secret(value)
    if isinstance(value, dict):
        return {key: _mark_some(member, data, False) for key, member in value.items()}
    if isinstance(value, list):
        return [_mark_some(item, data, False) for item in value]
    return value


def test_whole_numbers_are_integers() -> None:
    plain = decode(encode({"replicas": 3, "ratio": 0.5, "flag": True})).properties
    assert json.dumps(plain, sort_keys=True) == '{"flag": true, "ratio": 0.5, "replicas": 3}'


def test_an_output_has_the_marks_of_the_input_of_the_same_name() -> None:
    given_inputs = decode(_wire({"data": {"open": "1", "hidden": _secret("2")}, "name": "n"}))
    seen = decode(encode({"data": {"open": "1", "hidden": "2", "added": "3"}, "id": "n"}, given_inputs.marks))
    assert seen.marks.members is not None
    assert set(seen.marks.members) == {"data"}
    assert set(seen.marks.members["data"].members or {}) == {"hidden"}


def test_a_list_that_the_api_reordered_is_secret_as_a_whole() -> None:
    given_inputs = decode(_wire({"items": ["open", _secret("hidden")]}))
    kept = decode(encode({"items": ["open", "hidden", "more"]}, given_inputs.marks)).marks
    assert kept.members is not None and kept.members["items"].members == {1: Marks(whole=True, value="hidden")}
    moved = decode(encode({"items": ["hidden", "open"]}, given_inputs.marks)).marks
    assert moved.members is not None and moved.members["items"].whole


def test_a_mapping_that_became_a_text_is_secret_as_a_whole() -> None:
    given_inputs = decode(_wire({"document": {"password": _secret("hidden")}}))
    seen = decode(encode({"document": '{"password": "hidden"}'}, given_inputs.marks)).marks
    assert seen.members is not None and seen.members["document"].whole


def test_outputs_that_are_always_secret() -> None:
    seen = decode(encode({"result": "hidden", "length": 6}, secret=frozenset({"result"}))).marks
    assert seen.members is not None and set(seen.members) == {"result"}


def test_output_values_and_references() -> None:
    output = {SIGNATURE: "d0e6a833031e9bbcd3f4e8bde6ca49a4"}
    reference = {SIGNATURE: "5cf8f73096256a8f31e491e813e4eb8e", "urn": "urn:pulumi:s::p::t::n"}
    seen = decode(
        _wire(
            {
                "known": {**output, "value": "v", "dependencies": ["urn"]},
                "hidden": {**output, "value": "v", "secret": True},
                "unknown": output,
                "component": reference,
                "custom": {**reference, "id": "i-1"},
            }
        )
    )
    assert seen.properties == {
        "known": "v",
        "hidden": "v",
        "unknown": UNKNOWN,
        "component": "urn:pulumi:s::p::t::n",
        "custom": "i-1",
    }
    assert set(seen.marks.members or {}) == {"hidden"}


def test_unknowns_are_found_at_any_depth() -> None:
    assert has_unknown({"a": [{"b": UNKNOWN}]})
    assert not has_unknown({"a": [{"b": "UNKNOWN"}]})
