"""What a budget's filter lets through of the spend of its stack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, Final

from policies.rules import UNKNOWN, Planned, Unknown, as_list, as_object


class Seen(IntEnum):
    """From all to less: what passes two filters is what the narrower one lets through."""

    ALL = 0
    BY_OWN_TAG = 1
    CANNOT_TELL = 2
    LESS = 3


# What lowers the sum: a budget without these counts more, and the console offers to leave them out.
_IN_FAVOUR: Final = frozenset({"Credit", "Refund"})
# In each of these ways a value matches itself.
_MATCHING: Final = frozenset({"EQUALS", "STARTS_WITH", "ENDS_WITH", "CONTAINS", "CASE_SENSITIVE", "CASE_INSENSITIVE"})


def by_filters(filters: Any, budget: Planned) -> Seen:
    """What passes all cost filters."""
    listed = as_list(filters)
    if isinstance(listed, Unknown) or UNKNOWN in listed:
        return Seen.CANNOT_TELL
    return max((_by_filter(each, budget) for each in listed), default=Seen.ALL)


def by_expression(expression: Any, budget: Planned) -> Seen:
    """What passes a filter expression: https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_Expression.html"""
    parts = as_object(expression)
    if isinstance(parts, Unknown):
        return Seen.CANNOT_TELL
    given = [(name, value) for name, value in parts.items() if value not in (None, [], {})]
    return max((_by_part(name, value, budget) for name, value in given), default=Seen.ALL)


def _by_filter(filter: Any, budget: Planned) -> Seen:
    parts = as_object(filter)
    if isinstance(parts, Unknown) or parts.get("name") != "TagKeyValue":
        return Seen.LESS
    values = as_list(parts.get("values"))
    own = [[f"user:{key}${value}"] for key, value in _own_tags(budget).items()]
    return Seen.BY_OWN_TAG if not isinstance(values, Unknown) and list(values) in own else Seen.LESS


def _by_part(name: str, value: Any, budget: Planned) -> Seen:
    if value is UNKNOWN:
        return Seen.CANNOT_TELL
    if name in ("ands", "ors"):
        each = [by_expression(part, budget) for part in _items(value)]
        # One that lets all through makes the others of an "or" superfluous.
        return (max if name == "ands" else min)(each, default=Seen.LESS)
    if name == "tags":
        return _by_tag(_members(value), budget)
    return _without(_members(value)) if name == "not" else Seen.LESS


def _by_tag(tag: Mapping[str, Any], budget: Planned) -> Seen:
    key, values, ways = tag.get("key"), tag.get("values"), tag.get("matchOptions")
    if UNKNOWN in (key, values, ways) or UNKNOWN in (*_items(values), *_items(ways)):
        return Seen.CANNOT_TELL
    # The console and AWS' examples tell a user's tag with and without its prefix.
    own = _own_tags(budget).get(str(key).removeprefix("user:"))
    return Seen.BY_OWN_TAG if own in _items(values) and _MATCHING.issuperset(_items(ways)) else Seen.LESS


def _without(refused: Mapping[str, Any]) -> Seen:
    """What a "not" leaves."""
    if UNKNOWN in refused.values():
        return Seen.CANNOT_TELL
    dimension = _members(refused.get("dimensions"))
    values = _items(dimension.get("values"))
    if UNKNOWN in (*dimension.values(), *values):
        return Seen.CANNOT_TELL
    exactly = dimension.get("matchOptions") in (None, [], ["EQUALS"])
    favours = dimension.get("key") == "RECORD_TYPE" and bool(values) and _IN_FAVOUR.issuperset(values)
    alone = all(value in (None, [], {}) for name, value in refused.items() if name != "dimensions")
    return Seen.ALL if exactly and favours and alone else Seen.LESS


def _own_tags(budget: Planned) -> dict[str, str]:
    """The tags that Freehold puts on all that a stack makes, and nobody else does."""
    return {"cell": budget.stack, "environment": budget.stack.split("-")[0]}


def _members(value: Any) -> Mapping[str, Any]:
    members = as_object(value)
    return {} if isinstance(members, Unknown) else members


def _items(value: Any) -> Sequence[Any]:
    items = as_list(value)
    return () if isinstance(items, Unknown) else items
