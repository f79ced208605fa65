"""Where an environment is built, and on which cloud."""

from __future__ import annotations

from enum import StrEnum


class Target(StrEnum):
    """Where an environment is built."""

    SANDBOX = "sandbox"
    CLOUD = "cloud"


class Cloud(StrEnum):
    """The clouds that there are components for."""

    AWS = "aws"
