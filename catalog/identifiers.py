"""What a tenant may be called, and every name that follows from it.

The derivations are injective: two different tenant ids never share a namespace, schema, role or user. Where a
service matches by prefix (Redis keys, objects), no tenant's prefix is a prefix of another's (`acme` beside `acme-eu`).
"""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator

TENANT_ID_LIMIT: Final = 40
WORKSPACE_LIMIT: Final = 19
"""`t-` + 40 + `--` + 19 is 63, the length of a DNS label (RFC 1123), which a Kubernetes namespace is."""

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


def _label(text: str, limit: int, what: str) -> str:
    if len(text) > limit:
        raise ValueError(f"{what} {text!r} has {len(text)} characters, at most {limit} are allowed")
    if not _LABEL.fullmatch(text):
        raise ValueError(
            f"{what} {text!r} is not a DNS label: lower-case letters, digits and hyphens, no hyphen first or last"
        )
    if "--" in text:
        raise ValueError(f"{what} {text!r} holds `--`, which separates tenant and workspace in a namespace's name")
    return text


def check_tenant_id(text: str) -> str:
    """`text` itself. Raises ValueError where it is no tenant id: a DNS label of at most 40 characters without `--`."""
    return _label(text, TENANT_ID_LIMIT, "tenant id")


def check_workspace(text: str) -> str:
    """`text` itself. Raises ValueError where it is no workspace name: a DNS label of at most 19 without `--`."""
    return _label(text, WORKSPACE_LIMIT, "workspace")


def _check_subdomain(text: str) -> str:
    return _label(text, TENANT_ID_LIMIT, "subdomain")


TenantId = Annotated[str, AfterValidator(check_tenant_id)]
Subdomain = Annotated[str, AfterValidator(_check_subdomain)]
Workspace = Annotated[str, AfterValidator(check_workspace)]


def namespace(tenant: str, workspace: str) -> str:
    """The Kubernetes namespace of one workspace: `t-<id>--<workspace>`."""
    return f"t-{check_tenant_id(tenant)}--{check_workspace(workspace)}"


def postgres_name(tenant: str) -> str:
    """The tenant's Postgres schema and the role of the same name: `t_<id>` with `_` for `-`.

    An id holds no underscore, so the replacement keeps different ids apart; 42 bytes fit Postgres' 63.
    """
    return "t_" + check_tenant_id(tenant).replace("-", "_")


def redis_user(tenant: str) -> str:
    """The tenant's Redis ACL user: `t-<id>`."""
    return f"t-{check_tenant_id(tenant)}"


def redis_prefix(tenant: str) -> str:
    """What each of the tenant's Redis keys and channels starts with: `t:<id>:`. No id holds a colon."""
    return f"{KEYS}{check_tenant_id(tenant)}:"


KEYS = "t:"
"""What the Redis keys of all tenants start with."""
OBJECTS = "tenants/"
"""What the object keys of all tenants start with."""


def object_prefix(tenant: str) -> str:
    """What each of the tenant's object keys starts with, its slash included: `tenants/<id>/`."""
    return f"{OBJECTS}{check_tenant_id(tenant)}/"


ACCESS_GROUPS = "freehold:t:"
"""What the Kubernetes groups of all tenants' people start with."""


def access_group(tenant: str, role: str) -> str:
    """The Kubernetes group of a tenant's people who hold `role`: `freehold:t:<id>:<role>`."""
    return f"{ACCESS_GROUPS}{check_tenant_id(tenant)}:{role}"


def tenant_stack(cell: str, tenant: str) -> str:
    """The tenant's Pulumi stack: `tenant.<cell>.<id>`."""
    return f"tenant.{cell}.{check_tenant_id(tenant)}"
