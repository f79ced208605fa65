"""Physical names and marks."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.naming import distinct_name, key, physical_name
from components.tags import Dialect, Ownership, tags

_LEGAL = re.compile(r"[a-z]([a-z0-9]|-(?!-))*(?<!-)")
_LABELS = st.from_regex(r"[a-z]([a-z0-9-]{0,60}[a-z0-9])?", fullmatch=True)
limits = st.integers(min_value=10, max_value=128)


@given(st.lists(st.text(max_size=80), min_size=1, max_size=4), limits)
def test_every_name_is_legal_and_within_its_limit(parts: list[str], limit: int) -> None:
    name = physical_name(*parts, limit=limit)
    assert len(name) <= limit
    assert _LEGAL.fullmatch(name), name
    assert physical_name(*parts, limit=limit) == name


@given(_LABELS, _LABELS, st.integers(min_value=20, max_value=64))
def test_different_labels_never_meet(one: str, other: str, limit: int) -> None:
    if one != other:
        assert physical_name(one, limit=limit) != physical_name(other, limit=limit)


_PARTS = st.lists(_LABELS, min_size=1, max_size=3)


@given(_PARTS, _PARTS, st.integers(min_value=20, max_value=64))
def test_names_of_parts_chosen_apart_never_meet(one: list[str], other: list[str], limit: int) -> None:
    name = distinct_name(*one, limit=limit)
    assert len(name) <= limit and _LEGAL.fullmatch(name)
    if one != other:
        assert name != distinct_name(*other, limit=limit)


def test_where_one_part_ends_makes_a_difference() -> None:
    assert physical_name("prod-t", "acme", limit=40) == physical_name("prod", "t-acme", limit=40)
    assert distinct_name("prod-t", "acme", limit=40) != distinct_name("prod", "t-acme", limit=40)


def test_a_name_that_fits_is_kept() -> None:
    assert physical_name("chronos-cloud", "sandbox", limit=40) == "chronos-cloud-sandbox"


def test_a_cut_name_keeps_its_start_and_ends_in_a_hash() -> None:
    cut = physical_name("chronos-cloud", "sandbox", "t", "a" * 40, limit=40)
    assert len(cut) == 40 and cut.startswith("chronos-cloud-sandbox-t-")
    assert cut != physical_name("chronos-cloud", "sandbox", "t", "a" * 39 + "b", limit=40)


def test_keys_are_stable() -> None:
    assert key("alerts@example.com") == "d7028239"


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        (
            Dialect.AWS,
            {
                "product": "chronos-cloud",
                "environment": "prod",
                "tenant": "acme",
                "cost-centre": "acme",
                "managed-by": "freehold",
                "Name": "x",
            },
        ),
        (
            Dialect.GCP,
            {
                "product": "chronos-cloud",
                "environment": "prod",
                "tenant": "acme",
                "cost-centre": "acme",
                "managed-by": "freehold",
            },
        ),
        (
            Dialect.KUBERNETES,
            {
                "freehold.dev/product": "chronos-cloud",
                "freehold.dev/environment": "prod",
                "freehold.dev/tenant": "acme",
                "freehold.dev/cost-centre": "acme",
                "app.kubernetes.io/managed-by": "freehold",
            },
        ),
    ],
)
def test_the_same_marks_in_each_dialect(dialect: Dialect, expected: dict[str, str]) -> None:
    assert tags(Ownership("chronos-cloud", "prod", "acme", "acme"), dialect, name="x") == expected


def test_what_all_share_names_no_tenant() -> None:
    assert "tenant" not in tags(Ownership("chronos-cloud", "prod", "ops"), Dialect.AWS)


@pytest.mark.parametrize("value", ["", "Acme", "a b", "a_b", "-a", "a" * 64])
def test_marks_that_some_cloud_refuses_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match="cannot be a tag"):
        Ownership("chronos-cloud", "prod", value)
