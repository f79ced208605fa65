"""A private bucket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import pulumi

from components.contracts.place import Place
from components.tags import Ownership


@dataclass(frozen=True)
class BucketArgs:
    """A private, encrypted, versioned bucket."""

    ownership: Ownership
    place: Place
    bucket_name: str
    noncurrent_retention_days: int
    """How long a replaced or deleted object can still be brought back."""
    protect: bool


class Bucket(Protocol):
    """A bucket and the key that encrypts it."""

    bucket_name: pulumi.Output[str]
    bucket: pulumi.Output[str]
    """The cloud's own identity of the bucket (AWS: its ARN)."""
    key: pulumi.Output[str]
