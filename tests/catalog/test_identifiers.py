"""Tenant ids and the names that follow from them."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from catalog import identifiers

tenant_ids = st.from_regex(r"[a-z0-9](-?[a-z0-9]){0,39}", fullmatch=True).filter(lambda text: len(text) <= 40)
workspaces = st.from_regex(r"[a-z0-9](-?[a-z0-9]){0,18}", fullmatch=True).filter(lambda text: len(text) <= 19)

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_POSTGRES = re.compile(r"[a-z_][a-z0-9_]*")


@given(tenant_ids, workspaces)
def test_names_fit_their_services(tenant: str, workspace: str) -> None:
    namespace = identifiers.namespace(tenant, workspace)
    assert len(namespace) <= 63 and _LABEL.fullmatch(namespace)
    assert len(identifiers.postgres_name(tenant)) <= 63 and _POSTGRES.fullmatch(identifiers.postgres_name(tenant))
    assert _LABEL.fullmatch(identifiers.redis_user(tenant))
    assert identifiers.object_prefix(tenant).endswith("/")


@given(tenant_ids, tenant_ids, workspaces, workspaces)
def test_two_tenants_share_no_name_and_no_prefix_reaches_the_other(
    one: str, other: str, first: str, second: str
) -> None:
    assume(one != other)
    assert identifiers.namespace(one, first) != identifiers.namespace(other, second)
    assert identifiers.postgres_name(one) != identifiers.postgres_name(other)
    assert identifiers.redis_user(one) != identifiers.redis_user(other)
    for prefix in (identifiers.redis_prefix, identifiers.object_prefix):
        assert not prefix(one).startswith(prefix(other))
        assert not prefix(other).startswith(prefix(one))
    assert identifiers.access_group(one, "owner") != identifiers.access_group(other, "owner")
    assert identifiers.tenant_stack("prod", one) != identifiers.tenant_stack("prod", other)


@given(tenant_ids, workspaces, workspaces)
def test_workspaces_of_a_tenant_are_apart(tenant: str, first: str, second: str) -> None:
    assume(first != second)
    assert identifiers.namespace(tenant, first) != identifiers.namespace(tenant, second)


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
