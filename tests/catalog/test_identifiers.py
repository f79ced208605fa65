"""Tenant ids and the names that follow from them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog import identifiers


def _labels(limit: int) -> st.SearchStrategy[str]:
    """DNS labels without `--`, of at most `limit` characters."""
    characters = st.sampled_from("abz019")
    parts = st.lists(st.text(characters, min_size=1, max_size=limit), min_size=1, max_size=4)
    return parts.map(lambda words: "-".join(words)[:limit].rstrip("-"))


def _beside(limit: int) -> st.SearchStrategy[tuple[str, str]]:
    """Two different labels: one begins as the other, or has its hyphens elsewhere."""

    def others(one: str) -> st.SearchStrategy[str]:
        longer = st.tuples(st.sampled_from(["", "-"]), _labels(limit)).map("".join).map(one.__add__)
        shorter = st.integers(min_value=1, max_value=len(one)).map(lambda length: one[:length])
        bare = one.replace("-", "")
        moved = st.integers(min_value=0, max_value=len(bare)).map(lambda at: f"{bare[:at]}-{bare[at:]}")
        close = st.one_of(longer, shorter, moved, st.just(bare))
        return close.map(lambda text: text[:limit].strip("-")).filter(lambda other: other != one)

    return _labels(limit).flatmap(lambda one: st.tuples(st.just(one), others(one)))


tenant_ids, tenants_beside = _labels(40), _beside(40)
workspaces, workspaces_beside = _labels(19), _beside(19)

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_POSTGRES = re.compile(r"[a-z_][a-z0-9_]*")


@given(tenant_ids, workspaces)
def test_names_fit_their_services(tenant: str, workspace: str) -> None:
    namespace = identifiers.namespace(tenant, workspace)
    assert len(namespace) <= 63 and _LABEL.fullmatch(namespace)
    assert len(identifiers.postgres_name(tenant)) <= 63 and _POSTGRES.fullmatch(identifiers.postgres_name(tenant))
    assert _LABEL.fullmatch(identifiers.redis_user(tenant))
    assert identifiers.object_prefix(tenant).endswith("/")


@given(tenants_beside, workspaces, workspaces)
def test_two_tenants_share_no_name_and_no_prefix_reaches_the_other(
    tenants: tuple[str, str], first: str, second: str
) -> None:
    one, other = tenants
    assert identifiers.namespace(one, first) != identifiers.namespace(other, first)
    assert identifiers.namespace(one, first) != identifiers.namespace(other, second)
    assert identifiers.postgres_name(one) != identifiers.postgres_name(other)
    assert identifiers.redis_user(one) != identifiers.redis_user(other)
    for prefix in (identifiers.redis_prefix, identifiers.object_prefix):
        assert not prefix(one).startswith(prefix(other))
        assert not prefix(other).startswith(prefix(one))
    assert identifiers.access_group(one, "owner") != identifiers.access_group(other, "owner")
    assert identifiers.tenant_stack("prod", one) != identifiers.tenant_stack("prod", other)


@given(tenant_ids, workspaces_beside)
def test_workspaces_of_a_tenant_are_apart(tenant: str, workspaces: tuple[str, str]) -> None:
    assert identifiers.namespace(tenant, workspaces[0]) != identifiers.namespace(tenant, workspaces[1])


def test_as_designed() -> None:
    assert identifiers.namespace("acme-eu", "prod") == "t-acme-eu--prod"
    assert identifiers.postgres_name("acme-eu") == "t_acme_eu"
    assert identifiers.redis_user("acme-eu") == "t-acme-eu"
    assert identifiers.redis_prefix("acme-eu") == "t:acme-eu:"
    assert identifiers.object_prefix("acme-eu") == "tenants/acme-eu/"
    assert identifiers.tenant_stack("prod-eu1", "acme-eu") == "tenant.prod-eu1.acme-eu"


@pytest.mark.parametrize(
    ("id", "why"),
    [
        ("", "not a DNS label"),
        ("a" * 41, "at most 40"),
        ("acme--eu", "separates tenant and workspace"),
        ("-acme", "not a DNS label"),
        ("acme-", "not a DNS label"),
        ("Acme", "not a DNS label"),
        ("acme_eu", "not a DNS label"),
        ("acme.eu", "not a DNS label"),
        ("acme/..", "not a DNS label"),
        ("acme\n", "not a DNS label"),
        ("ácme", "not a DNS label"),
    ],
)
def test_what_no_tenant_may_be_called(id: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        identifiers.check_tenant_id(id)
    with pytest.raises(ValueError, match=why):
        identifiers.postgres_name(id)


def test_a_workspace_fits_beside_the_longest_tenant() -> None:
    assert len(identifiers.namespace("a" * 40, "b" * 19)) == 63
    with pytest.raises(ValueError, match="at most 19"):
        identifiers.namespace("acme", "b" * 20)
