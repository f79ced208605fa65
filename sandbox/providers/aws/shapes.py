"""Between Pulumi's camelCase properties and the API's structures, guided by botocore's shapes and the SDK's types.

Names are matched without regard to case (`kmsMasterKeyId` is `KMSMasterKeyID`); a table's `renames` says the rest.
"""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from sandbox.providers.interface import ProviderError, Value
from sandbox.providers.sdk_source import ListOf, MapOf, OneOf, Scalar, Type
from sandbox.providers.sdk_types import SdkTypes


def to_api(shape: Shape, value: Value, path: str, renames: Mapping[str, str]) -> Any:
    """A property value as the request's shape wants it; `path` (without indices) names the property in errors."""
    if isinstance(shape, StructureShape):
        if not isinstance(value, Mapping):
            raise ProviderError(f"{path}: expected an object")
        return {
            member: to_api(shape.members[member], item, f"{path}.{name}", renames)
            for name, item in value.items()
            if item is not None
            for member in [_member(shape, f"{path}.{name}", name, renames)]
        }
    if isinstance(shape, ListShape):
        items = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        return [to_api(shape.member, item, path, renames) for item in items]
    if isinstance(shape, MapShape):
        if not isinstance(value, Mapping):
            raise ProviderError(f"{path}: expected a map")
        return {key: to_api(shape.value, item, f"{path}.{key}", renames) for key, item in value.items()}
    try:
        return _scalar(shape.type_name, value)
    except ValueError:
        wanted = "base64" if shape.type_name == "blob" else "a number"
        raise ProviderError(f"{path}: expected {wanted}") from None


def _member(shape: StructureShape, path: str, name: str, renames: Mapping[str, str]) -> str:
    wanted = renames.get(path, name).lower()
    for member in shape.members:
        if member.lower() == wanted:
            return str(member)
    raise ProviderError(f"{path}: the API's {shape.name} has no such member; the sandbox does not serve this property")


def _scalar(kind: str, value: Value) -> Any:
    if kind == "boolean" and isinstance(value, str):
        return value.lower() == "true"
    if kind in ("integer", "long"):
        return int(value) if isinstance(value, int | float | str) else value
    if kind in ("float", "double") and isinstance(value, str):
        return float(value)
    if kind == "string" and isinstance(value, bool):
        return "true" if value else "false"
    if kind == "string" and isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if kind == "blob" and isinstance(value, str):
        return base64.b64decode(value, validate=True)
    return value


def to_pulumi(sdk: SdkTypes, type: Type, value: Any, path: str, renames: Mapping[str, str]) -> Value:
    """A value of an answer as the SDK's type has it; members that the SDK does not know are left out."""
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(type, OneOf):
        return to_pulumi(sdk, type.options[0], value, path, renames)
    if isinstance(type, ListOf):
        items = value if isinstance(value, list | tuple) else [value]
        return [to_pulumi(sdk, type.item, item, path, renames) for item in items]
    if isinstance(type, MapOf):
        return {
            str(key): to_pulumi(sdk, type.value, item, f"{path}.{key}", renames) for key, item in dict(value).items()
        }
    if isinstance(type, Scalar):
        return _plain(type, value)
    nested = sdk.nested(type)
    if isinstance(nested, frozenset):
        return str(value)
    if isinstance(value, list):  # a block that the provider allows once is a list of one in the API
        value = value[0] if value else {}
    members = {name.lower(): item for name, item in dict(value).items() if item is not None}
    found: dict[str, Value] = {}
    for name, member in nested.items():
        item = members.get(renames.get(f"{path}.{name}", name).lower())
        if item is not None:
            found[name] = to_pulumi(sdk, member.type, item, f"{path}.{name}", renames)
    return found


def _plain(type: Scalar, value: Any) -> Value:
    if type.name == "string" and isinstance(value, bool):
        return "true" if value else "false"
    if type.name == "string" and isinstance(value, bytes):
        return value.decode()
    if type.name == "string" and isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"))
    if type.name == "string" and not isinstance(value, str):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if type.name == "integer" and isinstance(value, str | float):
        return int(float(value))
    if type.name == "number" and isinstance(value, str):
        return float(value)
    if type.name == "boolean" and isinstance(value, str):
        return value.lower() == "true"
    return value  # type: ignore[no-any-return]
