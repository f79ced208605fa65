"""What a cell can hold."""

from __future__ import annotations

from catalog.limits import tenants_maximum


def test_each_tenant_has_a_user_in_the_cache_and_the_platform_has_three() -> None:
    assert tenants_maximum() == 97
    assert tenants_maximum(cache_users=300) == 297
