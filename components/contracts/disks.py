"""A cluster's disks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class DiskDriver:
    """What makes a cluster's disks, and what it is told of each."""

    provisioner: str
    parameters: Mapping[str, str]
