"""How strict the pack is, by environment."""

from __future__ import annotations

from typing import Final, Literal

Level = Literal["advisory", "mandatory"]

ENVIRONMENTS: Final = frozenset({"sandbox", "dev", "staging", "prod"})
"""What Freehold's programs take; another stack may go through the pack as well, and be called anything."""
ADVISORY_ENVIRONMENTS: Final = frozenset({"dev"})


def environment_of(stack: str) -> str:
    """The environment that a stack belongs to: `prod` for `prod`, `prod-eu1` and `tenant.prod-eu1.acme`."""
    return cell_of(stack).split("-", 1)[0]


def cell_of(stack: str) -> str:
    """The cell that a stack belongs to: `prod-eu1` for `prod-eu1` and `tenant.prod-eu1.acme`."""
    parts = stack.split(".")
    return parts[1] if parts[0] == "tenant" and len(parts) > 1 else parts[0]


def level_for(stack: str) -> Level:
    """Advisory in dev, mandatory in every other environment, an unknown one included."""
    return "advisory" if environment_of(stack) in ADVISORY_ENVIRONMENTS else "mandatory"
