"""Physical names and marks."""

from __future__ import annotations

import itertools
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


@given(_LABELS, _LABELS, _LABELS, st.integers(min_value=20, max_value=64))
def test_labels_that_differ_behind_the_cut_never_meet(start: str, one: str, other: str, limit: int) -> None:
    """Without the hash, each two of these were one name."""
    start = start.ljust(limit, "x")
    if one != other:
        assert physical_name(f"{start}{one}", limit=limit) != physical_name(f"{start}{other}", limit=limit)


@given(_LABELS, st.integers(min_value=20, max_value=64))
def test_labels_that_differ_in_what_is_altered_never_meet(label: str, limit: int) -> None:
    """All but the first are altered, to the first."""
    given = [f"{label}{between}x" for between in ("-", "_", ".", " ", "-_", ".-")]
    assert len({physical_name(text, limit=limit) for text in given}) == len(given)


@given(st.lists(_LABELS, min_size=2, max_size=4), st.data(), st.integers(min_value=20, max_value=64))
def test_names_of_parts_chosen_apart_never_meet(words: list[str], data: st.DataObject, limit: int) -> None:
    """The same words, divided elsewhere into parts: each such division is a name of its own."""
    divided = [_divided(words, data.draw(st.sets(st.integers(1, len(words) - 1)))) for _ in range(2)]
    names = [distinct_name(*parts, limit=limit) for parts in divided]
    assert all(len(name) <= limit and _LEGAL.fullmatch(name) for name in names)
    assert (names[0] == names[1]) == (divided[0] == divided[1])


def _divided(words: list[str], at: set[int]) -> list[str]:
    ends = [0, *sorted(at), len(words)]
    return ["-".join(words[start:end]) for start, end in itertools.pairwise(ends)]


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
