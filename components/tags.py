"""Who owns a resource: one record, and one function that writes it in each cloud's way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

MANAGER: Final = "freehold"
MANAGER_LABEL: Final = "app.kubernetes.io/managed-by"
"""Kubernetes' own: https://kubernetes.io/docs/reference/labels-annotations-taints/#app-kubernetes-io-managed-by"""
_VALUE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Ownership:
    """What every resource is marked with. `tenant` is None for what a whole cell shares, `cell` for what is in none.

    Costs go by the marks in the cloud: two cells of one environment can be told apart there, and a cluster is in one
    cell, so that labels do not tell it.

    Each value is a lower-case label of at most 63 characters, which AWS tags (256), GCP labels (63) and
    Kubernetes labels (63) all take as it is. Raises ValueError for any other.
    """

    product: str
    environment: str
    cost_centre: str
    tenant: str | None = None
    cell: str | None = None

    def __post_init__(self) -> None:
        for name in ("product", "environment", "cost_centre", "tenant", "cell"):
            value = getattr(self, name)
            if value is not None and not _VALUE.fullmatch(value):
                raise ValueError(
                    f"{name} {value!r} cannot be a tag: lower-case letters, digits and inner hyphens, at most 63"
                )


class Dialect(Enum):
    """Where the marks are written: AWS tags and GCP labels have the same keys, Kubernetes labels carry a domain."""

    AWS = "aws"
    GCP = "gcp"
    KUBERNETES = "kubernetes"


def tags(ownership: Ownership, dialect: Dialect, *, name: str | None = None) -> dict[str, str]:
    """`ownership` as tags or labels; `name` becomes AWS' `Name` tag and is left out elsewhere."""
    values = {
        "product": ownership.product,
        "environment": ownership.environment,
        "cost-centre": ownership.cost_centre,
    }
    if ownership.tenant is not None:
        values["tenant"] = ownership.tenant
    if dialect is Dialect.KUBERNETES:
        return {f"freehold.dev/{key}": value for key, value in values.items()} | {MANAGER_LABEL: MANAGER}
    if ownership.cell is not None:
        values["cell"] = ownership.cell
    values["managed-by"] = MANAGER
    if dialect is Dialect.AWS and name is not None:
        values["Name"] = name
    return values


def aws(ownership: Ownership, *, name: str | None = None) -> dict[str, str]:
    """AWS tags of `ownership`."""
    return tags(ownership, Dialect.AWS, name=name)


def kubernetes(ownership: Ownership) -> dict[str, str]:
    """Kubernetes labels of `ownership`."""
    return tags(ownership, Dialect.KUBERNETES)
