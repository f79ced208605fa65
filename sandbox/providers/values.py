"""Property values on the wire (protobuf Struct) and as a provider sees them (plain Python).

A secret, an unknown, an asset, a reference and an output value travel as a marked mapping or a reserved
string (Pulumi: sdk/go/common/resource/plugin/rpc.go and sdk/go/common/resource/properties.go).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from google.protobuf.struct_pb2 import Struct
from google.protobuf.struct_pb2 import Value as WireValue

from sandbox.providers.interface import UNKNOWN, Properties, Unknown, Value

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
ASSET = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"
REFERENCE = "5cf8f73096256a8f31e491e813e4eb8e"
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
UNKNOWN_STRING = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_UNKNOWNS = frozenset(
    {
        UNKNOWN_STRING,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)


@dataclass(frozen=True)
class HashedAsset(pulumi.Asset):
    """An asset from the engine. Two are equal where their hashes are: a diff gets the hash without the content."""

    hash: str
    fields: tuple[tuple[str, str], ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HashedAsset) and other.hash == self.hash

    def __hash__(self) -> int:
        return hash(self.hash)


@dataclass(frozen=True)
class HashedArchive(pulumi.Archive):
    """An archive from the engine: its hash, and `path`, `uri` or `assets` where the engine sent them."""

    hash: str
    fields: tuple[tuple[str, Any], ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HashedArchive) and other.hash == self.hash

    def __hash__(self) -> int:
        return hash(self.hash)


@dataclass(frozen=True)
class Marks:
    """Which parts of a value are secret: the value as a whole, or some of its members."""

    whole: bool = False
    value: Any = None
    members: Mapping[str | int, Marks] | None = None


NO_MARKS = Marks()


@dataclass(frozen=True)
class Decoded:
    """Plain properties and what was secret in them."""

    properties: dict[str, Any]
    marks: Marks


def decode(struct: Struct) -> Decoded:
    """The plain form of what the engine sent."""
    properties, marks = _decode_members(struct.fields.items())
    return Decoded(properties, marks or NO_MARKS)


def _decode_members(items: Iterable[tuple[str, WireValue]]) -> tuple[dict[str, Any], Marks | None]:
    plain: dict[str, Any] = {}
    members: dict[str | int, Marks] | None = None
    for key, wire in items:
        plain[key], marks = _decode(wire)
        if marks is not None:
            members = members or {}
            members[key] = marks
    return plain, None if members is None else Marks(members=members)


def _decode(wire: WireValue) -> tuple[Any, Marks | None]:
    kind = wire.WhichOneof("kind")
    if kind == "string_value":
        text = wire.string_value
        return (UNKNOWN if len(text) == 36 and text in _UNKNOWNS else text), None
    if kind == "number_value":
        number = wire.number_value
        return (int(number) if number.is_integer() else number), None
    if kind == "bool_value":
        return wire.bool_value, None
    if kind == "struct_value":
        fields = wire.struct_value.fields
        signature = fields[SIGNATURE].string_value if SIGNATURE in fields else None
        return _decode_members(fields.items()) if signature is None else _decode_marked(signature, fields)
    if kind == "list_value":
        items: list[Any] = []
        members: dict[str | int, Marks] = {}
        for index, item in enumerate(wire.list_value.values):
            plain, marks = _decode(item)
            items.append(plain)
            if marks is not None:
                members[index] = marks
        return items, Marks(members=members) if members else None
    return None, None


def _decode_marked(signature: str, fields: Any) -> tuple[Any, Marks | None]:
    if signature == SECRET:
        plain, _ = _decode(fields["value"])
        return plain, Marks(whole=True, value=plain)
    if signature == OUTPUT:
        plain, marks = _decode(fields["value"]) if "value" in fields else (UNKNOWN, None)
        secret = "secret" in fields and fields["secret"].bool_value
        return plain, Marks(whole=True, value=plain) if secret else marks
    if signature == REFERENCE:
        identity = _decode(fields["id"])[0] if "id" in fields else None
        return (identity if identity not in (None, "") else fields["urn"].string_value), None
    rest = {key: _decode(value)[0] for key, value in fields.items() if key != SIGNATURE}
    digest = str(rest.pop("hash", ""))
    if signature == ASSET:
        return HashedAsset(digest, tuple(sorted((key, str(value)) for key, value in rest.items()))), None
    if signature == ARCHIVE:
        return HashedArchive(digest, tuple(sorted(rest.items()))), None
    raise ValueError(f"a property value has the unknown signature {signature}")


def encode(properties: Properties, *marks: Marks, secret: frozenset[str] = frozenset()) -> Struct:
    """The wire form of `properties`, secret where one of `marks` or the top-level names in `secret` say so."""
    struct = Struct()
    present = [mark for mark in marks if mark.members]
    for key, value in properties.items():
        below = [mark.members[key] for mark in present if mark.members is not None and key in mark.members]
        if key in secret and value is not None:
            below.append(Marks(whole=True, value=value))
        _encode(value, struct.fields[key], below)
    return struct


def _encode(value: Value, wire: WireValue, marks: Sequence[Marks]) -> None:
    if marks and _covers(value, marks):
        fields = wire.struct_value.fields
        fields[SIGNATURE].string_value = SECRET
        wire, marks = fields["value"], ()
    if isinstance(value, str):
        wire.string_value = value
    elif value is None:
        wire.null_value = 0
    elif isinstance(value, bool):
        wire.bool_value = value
    elif isinstance(value, int | float):
        wire.number_value = value
    elif isinstance(value, Mapping):
        fields = wire.struct_value.fields
        if not value:
            wire.struct_value.SetInParent()
        for key, member in value.items():
            below = [mark.members[key] for mark in marks if mark.members and key in mark.members] if marks else ()
            _encode(member, fields[key], below)
    elif isinstance(value, Unknown):
        wire.string_value = UNKNOWN_STRING
    elif isinstance(value, HashedAsset | HashedArchive):
        fields = wire.struct_value.fields
        fields[SIGNATURE].string_value = ASSET if isinstance(value, HashedAsset) else ARCHIVE
        fields["hash"].string_value = value.hash
        for key, part in value.fields:
            _encode(part, fields[key], ())
    elif isinstance(value, Sequence):
        items = wire.list_value.values
        if not value:
            wire.list_value.SetInParent()
        for index, item in enumerate(value):
            below = [mark.members[index] for mark in marks if mark.members and index in mark.members] if marks else ()
            _encode(item, items.add(), below)
    else:
        raise TypeError(f"a {type(value).__name__} is not a property value")


def _covers(value: Value, marks: Sequence[Marks]) -> bool:
    """Whether the whole of `value` is to be secret: it was, or a secret inside it may have moved."""
    for mark in marks:
        if mark.whole:
            return True
        if mark.members is None:
            continue
        if isinstance(value, Mapping):
            continue
        if not isinstance(value, Sequence) or isinstance(value, str):
            return True
        # An API may sort or drop items: a secret stays at its index only where the same secret is still there.
        if not all(isinstance(at, int) and at < len(value) and _holds(value[at], m) for at, m in mark.members.items()):
            return True
    return False


def _holds(value: Value, mark: Marks) -> bool:
    if mark.whole:
        return bool(value == mark.value)
    if mark.members is None:
        return True
    for key, member in mark.members.items():
        if isinstance(value, Mapping) and isinstance(key, str):
            if key not in value or not _holds(value[key], member):
                return False
        elif isinstance(value, Sequence) and not isinstance(value, str) and isinstance(key, int):
            if key >= len(value) or not _holds(value[key], member):
                return False
        else:
            return False
    return True


def has_unknown(value: Value) -> bool:
    """Whether anything in `value` is not known yet."""
    if isinstance(value, Unknown):
        return True
    if isinstance(value, Mapping):
        return any(has_unknown(member) for member in value.values())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return any(has_unknown(item) for item in value)
    return False
