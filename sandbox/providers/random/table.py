"""The types of the `random` provider that are served.

A random value exists nowhere but in the state: the types are live in that the value is really drawn, and any change
of what it was drawn by draws a new one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sandbox.providers.interface import CheckFailure, Properties
from sandbox.providers.typed import Kind, ResourceType, between, given

_DOCUMENTATION: Final = "https://www.pulumi.com/registry/packages/random/api-docs/"

ID: Final = "random:index/randomId:RandomId"
PASSWORD: Final = "random:index/randomPassword:RandomPassword"
STRING: Final = "random:index/randomString:RandomString"
UUID: Final = "random:index/randomUuid:RandomUuid"

CLASSES: Final = ("lower", "upper", "numeric", "special")
MINIMA: Final = ("minLower", "minUpper", "minNumeric", "minSpecial")

_TEXT_INPUTS: Final = frozenset({"length", "keepers", "overrideSpecial", "number", *CLASSES, *MINIMA})


def _enough_length(inputs: Properties) -> Iterable[CheckFailure]:
    """`length` holds at least the minima together, and at least one character."""
    values = [inputs.get(name, 0) for name in ("length", *MINIMA)]
    numbers = [value for value in values if isinstance(value, int | float)]
    if len(numbers) == len(values) and numbers[0] < max(1, sum(numbers[1:])):
        yield CheckFailure("length", "is less than 1 or than minLower, minUpper, minNumeric and minSpecial together")


def _some_characters(inputs: Properties) -> Iterable[CheckFailure]:
    if all(inputs.get(name, True) is False for name in CLASSES):
        yield CheckFailure("lower", "at least one of lower, upper, numeric and special must be true")


def _one_spelling(inputs: Properties) -> Iterable[CheckFailure]:
    """`number` is the old name of `numeric`."""
    if given(inputs, "number") and given(inputs, "numeric") and inputs["number"] != inputs["numeric"]:
        yield CheckFailure("number", "is the old name of `numeric` and must not differ from it")


def _text_type(token: str, page: str) -> ResourceType:
    return ResourceType(
        token=token,
        kind=Kind.LIVE,
        documentation=_DOCUMENTATION + page,
        replace_on=_TEXT_INPUTS,
        rules=(_enough_length, _some_characters, _one_spelling),
    )


TABLE: Final = (
    ResourceType(
        token=ID,
        kind=Kind.LIVE,
        documentation=_DOCUMENTATION + "randomid",
        replace_on=frozenset({"byteLength", "keepers", "prefix"}),
        rules=(between("byteLength", 1, 1 << 20),),
    ),
    _text_type(PASSWORD, "randompassword"),
    _text_type(STRING, "randomstring"),
    ResourceType(
        token=UUID, kind=Kind.LIVE, documentation=_DOCUMENTATION + "randomuuid", replace_on=frozenset({"keepers"})
    ),
)
