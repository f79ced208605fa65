"""Provider configuration: the engine hands values that are not strings over as JSON text.

Source: https://github.com/pulumi/pulumi/issues/4219 (first-class providers' properties are JSON-encoded).
"""

from __future__ import annotations

import json
from typing import Any

from sandbox.providers.interface import Properties, ProviderError


def boolean(config: Properties, key: str, default: bool = False) -> bool:
    """`config[key]` as true or false."""
    value = config.get(key)
    if value is None or value == "":
        return default
    text = str(value).lower()
    if text in ("true", "1"):
        return True
    if text in ("false", "0"):
        return False
    raise ProviderError(f"{key} is {value!r}; it is true or false")


def integer(config: Properties, key: str, default: int) -> int:
    """`config[key]` as a whole number."""
    value = config.get(key)
    if value is None or value == "":
        return default
    try:
        return int(str(value))
    except ValueError:
        raise ProviderError(f"{key} is {value!r}; it is a whole number") from None


def text(config: Properties, key: str) -> str | None:
    """`config[key]` where it is set and not empty."""
    value = config.get(key)
    return None if value is None or value == "" else str(value)


def structure(config: Properties, key: str) -> Any:
    """`config[key]` as a list or mapping, None where it is not set."""
    value = config.get(key)
    if not isinstance(value, str):
        return value
    if not value:
        return None
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        raise ProviderError(f"{key} is not the JSON of a list or an object") from None
