"""Where resources are made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """Where resources are made: the account (GCP: the project) and the region."""

    account: str
    region: str
