"""Judges a request as IAM would, as far as our policies go: statements that allow; actions, resources, conditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any


@dataclass(frozen=True)
class Request:
    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.action} on {self.resource.split(':', 5)[-1]}"


def several(value: Any) -> list[str]:
    """A policy writes a single value without a list around it."""
    return [value] if isinstance(value, str) else list(value)


def _holds(condition: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    for operator, wanted in condition.items():
        assert operator in ("StringEquals", "StringEqualsIfExists", "StringLike"), operator
        for key, values in wanted.items():
            if key not in context:
                if operator.endswith("IfExists"):
                    continue
                return False
            if not any(fnmatchcase(context[key], value) for value in several(values)):
                return False
    return True


def allows(statements: list[dict[str, Any]], request: Request) -> bool:
    return any(
        request.action in several(one["Action"])
        and any(fnmatchcase(request.resource, pattern) for pattern in several(one["Resource"]))
        and _holds(one.get("Condition", {}), request.context)
        for one in statements
    )
