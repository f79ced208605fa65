"""Property paths, and what differs between two sets of properties.

Path syntax: `spec.replicas`, `tags["a.b"]`, `rules[0].port`, `rules[*]`
(Pulumi: sdk/go/common/resource/property_path.go).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from sandbox.providers.interface import Diff, DiffKind, Properties, Unknown, Value

Segment = str | int
Path = tuple[Segment, ...]

_PLAIN = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*\Z")
_TOKEN = re.compile(r"""\.?([^.\[\]"]+)|\[(\d+|\*)\]|\["((?:[^"\\]|\\.)*)"\]""")


def text(path: Sequence[Segment]) -> str:
    """The path as the engine writes it."""
    parts: list[str] = []
    for segment in path:
        if isinstance(segment, int):
            parts.append(f"[{segment}]")
        elif _PLAIN.match(segment):
            parts.append(f".{segment}" if parts else segment)
        else:
            parts.append(f"[{json.dumps(segment, ensure_ascii=False)}]")
    return "".join(parts)


def parse(path: str) -> Path:
    """The segments of a path; `*` stands for any one segment. Raises ValueError for what is no path."""
    segments: list[Segment] = []
    at = 0
    while at < len(path):
        found = _TOKEN.match(path, at)
        if found is None:
            raise ValueError(f"{path!r} is not a property path")
        name, index, quoted = found.groups()
        if name is not None:
            segments.append(name)
        elif index is not None:
            segments.append(index if index == "*" else int(index))
        else:
            segments.append(str(json.loads(f'"{quoted}"')))
        at = found.end()
    return tuple(segments)


def below(path: Path, prefix: Path) -> bool:
    """Whether `path` is `prefix` or inside it."""
    return len(path) >= len(prefix) and all(want in ("*", have) for want, have in zip(prefix, path, strict=False))


def differences(old: Value, new: Value, at: Path = ()) -> Iterator[tuple[Path, DiffKind]]:
    """Each leaf that was added, deleted or changed; null is the same as not being there."""
    if old is new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in {**old, **new}:
            yield from differences(old.get(key), new.get(key), (*at, key))
    elif _is_list(old) and _is_list(new):
        assert isinstance(old, Sequence) and isinstance(new, Sequence)
        for index in range(max(len(old), len(new))):
            left = old[index] if index < len(old) else None
            right = new[index] if index < len(new) else None
            yield from differences(left, right, (*at, index))
    elif old is None:
        yield at, DiffKind.ADD
    elif new is None:
        yield at, DiffKind.DELETE
    elif isinstance(new, Unknown) or old != new or isinstance(old, bool) is not isinstance(new, bool):
        yield at, DiffKind.UPDATE


def _is_list(value: Value) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def diff(
    old: Properties, new: Properties, replaces: Sequence[Path] = (), *, delete_before_replace: bool = False
) -> Diff:
    """A `Diff` of two sets of inputs; a change below one of the paths in `replaces` makes a new resource."""
    changes = {
        text(path): kind.replacing() if any(below(path, prefix) for prefix in replaces) else kind
        for path, kind in differences(old, new)
    }
    return Diff(changes, delete_before_replace)


def without(changes: Mapping[str, DiffKind], ignored: Sequence[str]) -> dict[str, DiffKind]:
    """The changes that are not below one of the ignored paths."""
    prefixes = [parse(path) for path in ignored]
    return {path: kind for path, kind in changes.items() if not any(below(parse(path), prefix) for prefix in prefixes)}
