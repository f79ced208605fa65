"""The random types through the provider's interface."""

from __future__ import annotations

import base64
import string
import uuid
from typing import Any

import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.providers.interface import UNKNOWN, ProviderError, Resource
from sandbox.providers.random.draw import SPECIAL
from sandbox.providers.random.provider import RandomProvider
from sandbox.providers.random.table import ID, PASSWORD, STRING, TABLE, UUID

EXAMPLES: dict[str, dict[str, Any]] = {
    ID: {"byteLength": 8, "prefix": "p-"},
    PASSWORD: {"length": 24},
    STRING: {"length": 12, "special": False},
    UUID: {},
}
IMPORTABLE = {ID: "p-,{id}", PASSWORD: "{result}", STRING: "{result}", UUID: "{result}"}


@pytest.fixture
def provider() -> RandomProvider:
    return RandomProvider()


def resource(token: str, name: str = "value") -> Resource:
    return Resource(f"urn:pulumi:test::project::{token}::{name}", token, name)


def checked(provider: RandomProvider, token: str, inputs: dict[str, Any]) -> dict[str, Any]:
    answer = provider.check(resource(token), inputs, None, b"seed")
    assert not answer.failures, answer.failures
    return dict(answer.inputs)


def made(provider: RandomProvider, token: str, **inputs: Any) -> tuple[str, dict[str, Any]]:
    created = provider.create(resource(token), checked(provider, token, inputs), preview=False, timeout=0)
    return created.id, dict(created.outputs)


def test_every_type_has_an_example() -> None:
    assert set(EXAMPLES) == {entry.token for entry in TABLE}


@pytest.mark.parametrize("token", EXAMPLES)
class TestWholeLife:
    def test_two_are_never_the_same(self, provider: RandomProvider, token: str) -> None:
        one, other = made(provider, token, **EXAMPLES[token]), made(provider, token, **EXAMPLES[token])
        assert one[1] != other[1]

    def test_preview_draws_nothing(self, provider: RandomProvider, token: str) -> None:
        inputs = checked(provider, token, EXAMPLES[token])
        predicted = provider.create(resource(token), inputs, preview=True, timeout=0)
        real = provider.create(resource(token), inputs, preview=False, timeout=0)
        assert predicted.id == ""
        assert predicted.outputs.keys() == real.outputs.keys()
        unknown = {name for name, value in predicted.outputs.items() if value is UNKNOWN}
        assert unknown == set(real.outputs) - {"keepers", *provider.sdk.inputs(token)}
        assert all(predicted.outputs[name] == real.outputs[name] for name in set(real.outputs) - unknown)

    def test_a_refresh_keeps_the_value(self, provider: RandomProvider, token: str) -> None:
        inputs = checked(provider, token, EXAMPLES[token])
        created = provider.create(resource(token), inputs, preview=False, timeout=0)
        found = provider.read(resource(token), created.id, inputs, created.outputs)
        assert found is not None
        assert (found.id, found.inputs, found.outputs) == (created.id, inputs, created.outputs)
        assert not provider.diff(resource(token), created.id, inputs, created.outputs, inputs).changes

    def test_keepers_draw_anew(self, provider: RandomProvider, token: str) -> None:
        inputs = checked(provider, token, EXAMPLES[token])
        new = checked(provider, token, {**EXAMPLES[token], "keepers": {"version": "2"}})
        diff = provider.diff(resource(token), "id", inputs, {}, new)
        assert diff.changes
        assert all(kind.replaces for kind in diff.changes.values())
        same = checked(provider, token, {**EXAMPLES[token], "keepers": {}})
        assert not provider.diff(resource(token), "id", inputs, {}, same).changes

    def test_import_gives_back_the_value(self, provider: RandomProvider, token: str) -> None:
        inputs = checked(provider, token, EXAMPLES[token])
        created = provider.create(resource(token), inputs, preview=False, timeout=0)
        import_id = IMPORTABLE[token].format(id=created.id, **created.outputs)
        found = provider.read(resource(token), import_id, {}, {})
        assert found is not None
        assert found.id == created.id
        computed = set(created.outputs) - set(provider.sdk.inputs(token)) - {"bcryptHash"}
        assert computed
        assert {name: found.outputs[name] for name in computed} == {name: created.outputs[name] for name in computed}

    def test_an_unknown_property_is_named(self, provider: RandomProvider, token: str) -> None:
        failures = provider.check(resource(token), {**EXAMPLES[token], "lenght": 3}, None, b"seed").failures
        assert [failure.property for failure in failures] == ["lenght"]


def test_secret_outputs(provider: RandomProvider) -> None:
    assert provider.secret_outputs(PASSWORD) == {"result", "bcryptHash"}
    assert provider.secret_outputs(STRING) == frozenset()


def test_a_password_is_hashed_by_bcrypt(provider: RandomProvider) -> None:
    for length in (16, 100):
        id, outputs = made(provider, PASSWORD, length=length)
        assert id == "none"
        assert len(outputs["result"]) == length
        assert bcrypt.checkpw(outputs["result"].encode()[:72], outputs["bcryptHash"].encode())


@pytest.mark.parametrize("token", sorted(set(EXAMPLES) - {PASSWORD}))
def test_what_was_made_when_the_engine_was_killed_is_found_by_its_id(provider: RandomProvider, token: str) -> None:
    inputs = checked(provider, token, EXAMPLES[token])
    created = provider.create(resource(token), inputs, preview=False, timeout=0)
    # All that the state of a pending creation holds are the inputs.
    found = provider.read(resource(token), created.id, inputs, inputs)
    assert found is not None
    assert (found.id, found.inputs, found.outputs) == (created.id, inputs, created.outputs)


def test_a_password_that_no_state_holds_is_made_anew(provider: RandomProvider) -> None:
    inputs = checked(provider, PASSWORD, EXAMPLES[PASSWORD])
    created = provider.create(resource(PASSWORD), inputs, preview=False, timeout=0)
    assert provider.read(resource(PASSWORD), created.id, inputs, inputs) is None


def test_a_lost_password_is_gone_and_not_the_word_none(provider: RandomProvider) -> None:
    assert provider.read(resource(PASSWORD), "none", {}, {}) is None


def test_an_id_in_all_its_spellings(provider: RandomProvider) -> None:
    id, outputs = made(provider, ID, byteLength=5)
    value = base64.urlsafe_b64decode(id + "=" * (-len(id) % 4))
    assert len(value) == 5
    assert outputs["hex"] == value.hex()
    assert int(outputs["dec"]) == int.from_bytes(value, "big")
    assert base64.b64decode(outputs["b64Std"]) == value
    assert outputs["b64Url"] == id


def test_a_uuid_is_one(provider: RandomProvider) -> None:
    id, outputs = made(provider, UUID)
    assert uuid.UUID(id).version == 4
    assert outputs["result"] == id


@pytest.mark.parametrize(("token", "id"), [(ID, "not base64!"), (UUID, "not-a-uuid")])
def test_an_import_of_something_else_is_refused(provider: RandomProvider, token: str, id: str) -> None:
    with pytest.raises(ProviderError):
        provider.read(resource(token), id, {}, {})


@pytest.mark.parametrize(
    ("inputs", "property"),
    [
        ({"length": 0}, "length"),
        ({"length": 3, "minLower": 2, "minUpper": 2}, "length"),
        ({"length": 3, "lower": False, "upper": False, "numeric": False, "special": False}, "lower"),
        ({"length": 3, "number": True, "numeric": False}, "number"),
        ({}, "length"),
    ],
)
def test_impossible_texts_are_refused(provider: RandomProvider, inputs: dict[str, Any], property: str) -> None:
    for token in (PASSWORD, STRING):
        failures = provider.check(resource(token), inputs, None, b"seed").failures
        assert [failure.property for failure in failures] == [property]


@settings(deadline=None)
@given(
    st.integers(1, 60),
    st.fixed_dictionaries({name: st.booleans() for name in ("lower", "upper", "numeric", "special")}),
    st.fixed_dictionaries({name: st.integers(0, 5) for name in ("minLower", "minUpper", "minNumeric", "minSpecial")}),
    st.sampled_from(["", "_-", "äß"]),
)
def test_every_text_is_as_asked(length: int, kinds: dict[str, bool], least: dict[str, int], override: str) -> None:
    provider = RandomProvider()
    inputs: dict[str, Any] = {"length": length, **kinds, **least} | ({"overrideSpecial": override} if override else {})
    answer = provider.check(resource(STRING), inputs, None, b"seed")
    possible = length >= sum(least.values()) and any(kinds.values())
    assert possible == (not answer.failures)
    if not possible:
        return
    result = str(provider.create(resource(STRING), answer.inputs, preview=False, timeout=0).outputs["result"])
    alphabets = {
        "Lower": string.ascii_lowercase,
        "Upper": string.ascii_uppercase,
        "Numeric": string.digits,
        "Special": override or SPECIAL,
    }
    assert len(result) == length
    for kind, alphabet in alphabets.items():
        found = sum(character in alphabet for character in result)
        assert found >= least[f"min{kind}"]
        if not kinds[kind.lower()] and not least[f"min{kind}"]:
            assert found == 0
