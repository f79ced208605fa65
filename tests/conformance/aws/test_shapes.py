"""Between properties and the API's structures: names, lists, numbers, texts, and what is refused on the way."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from botocore.model import ShapeResolver

from sandbox.providers.aws.requests import _scalar_failure
from sandbox.providers.aws.shapes import to_api, to_pulumi
from sandbox.providers.interface import ProviderError
from sandbox.providers.sdk_source import ListOf, MapOf, Scalar
from sandbox.providers.typed import installed_sdk

SHAPES = ShapeResolver(
    {
        "Thing": {
            "type": "structure",
            "members": {
                "KMSKeyId": {"shape": "Text"}, "Count": {"shape": "Count"}, "Share": {"shape": "Share"},
                "On": {"shape": "On"}, "Names": {"shape": "Names"}, "Tags": {"shape": "Tags"},
                "Content": {"shape": "Content"}, "Other": {"shape": "Text"},
            },
        },
        "Text": {"type": "string"}, "Count": {"type": "integer"}, "Share": {"type": "double"},
        "On": {"type": "boolean"},
        "Names": {"type": "list", "member": {"shape": "Text"}}, "Content": {"type": "blob"},
        "Tags": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Text"}},
        "Pin": {"type": "string", "pattern": "[0-9]+", "sensitive": True},
        "Mood": {"type": "string", "enum": ["good"], "sensitive": True},
        "Colour": {"type": "string", "pattern": "[a-z]+"},
        "Short": {"type": "string", "min": 2, "max": 3}, "Few": {"type": "integer", "min": 2, "max": 3},
    }
)  # fmt: skip


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"kmsKeyId": "k", "other": None}, {"KMSKeyId": "k"}),
        ({"renamed": "x"}, {"Other": "x"}),
        ({"count": 3.0}, {"Count": 3}),
        ({"count": "3"}, {"Count": 3}),
        ({"share": "1.5"}, {"Share": 1.5}),
        ({"on": "true"}, {"On": True}),
        ({"on": "false"}, {"On": False}),
        ({"names": "one"}, {"Names": ["one"]}),
        ({"names": ["one", 2]}, {"Names": ["one", "2"]}),
        ({"tags": {"a": True, "b": 2.5}}, {"Tags": {"a": "true", "b": "2.5"}}),
        ({"content": "AP8="}, {"Content": b"\x00\xff"}),
    ],
)
def test_a_property_is_sent_as_the_api_has_it(given: dict[str, Any], sent: dict[str, Any]) -> None:
    assert to_api(SHAPES.get_shape_by_name("Thing"), given, "thing", {"thing.renamed": "Other"}) == sent


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("text", r"^thing: expected an object$"),
        ({"tags": "a"}, r"^thing\.tags: expected a map$"),
        ({"count": "many"}, r"^thing\.count: expected a number$"),
        ({"share": "half"}, r"^thing\.share: expected a number$"),
        ({"content": "!"}, r"^thing\.content: expected base64$"),
        ({"colour": "red"}, r"^thing\.colour: the API's Thing has no such member"),
    ],
)
def test_what_the_api_cannot_take_is_named(given: Any, said: str) -> None:
    with pytest.raises(ProviderError, match=said):
        to_api(SHAPES.get_shape_by_name("Thing"), given, "thing", {})


TEXT, WHOLE, NUMBER, FLAG = (Scalar(name) for name in ("string", "integer", "number", "boolean"))
NOON = datetime.datetime(2026, 1, 2, 13, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))


@pytest.mark.parametrize(
    ("type", "told", "property"),
    [
        (TEXT, NOON, "2026-01-02T12:00:00Z"), (TEXT, True, "true"), (TEXT, 3, "3"), (TEXT, 2.5, "2.5"),
        (TEXT, b"text", "text"), (TEXT, {"a": [1]}, '{"a":[1]}'), (WHOLE, "5", 5), (WHOLE, 5.0, 5),
        (NUMBER, "1.5", 1.5), (FLAG, "TRUE", True), (FLAG, "no", False), (ListOf(TEXT), "one", ["one"]),
        (ListOf(WHOLE), ["1", 2], [1, 2]), (MapOf(TEXT), {"a": 1}, {"a": "1"}),
    ],
)  # fmt: skip
def test_an_answer_is_told_as_the_sdk_has_it(type: Any, told: Any, property: Any) -> None:
    found = to_pulumi(installed_sdk("aws"), type, told, "thing", {})
    assert found == property and isinstance(found, bool) == isinstance(property, bool)


@pytest.mark.parametrize(
    ("shape", "good", "bad", "said"),
    [
        ("Pin", "12", "secret", "does not match the API's pattern [0-9]+"),
        ("Mood", "good", "secret", "expected one of good"),
        ("Colour", "red", "Red", "does not match the API's pattern [a-z]+; got 'Red'"),
        ("Short", "ab", "a", "has 1 characters; the API takes 2 to 3"),
        ("Short", "abc", "abcd", "has 4 characters; the API takes 2 to 3"),
        ("Few", 2, 1, "the API takes 2 to 3; got 1"),
        ("Few", 3, 4, "the API takes 2 to 3; got 4"),
    ],
)
def test_a_value_that_the_model_does_not_allow_is_told_unless_it_is_secret(
    shape: str, good: Any, bad: Any, said: str
) -> None:
    model = SHAPES.get_shape_by_name(shape)
    assert _scalar_failure(model, good) is None
    assert _scalar_failure(model, bad) == said
