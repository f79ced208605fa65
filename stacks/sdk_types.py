"""Has the SDK read the types of its classes before a program runs: each fork of a process finds them read.

The SDK reads a class' type hints at its first use, some of a millisecond each, and keeps them: a sixth of the run of a
tenant's program. The classes are those that our modules name. One that is missed is read when it is used.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import CodeType, ModuleType
from typing import get_args

from pulumi import CustomResource

# Not public: where they are gone, nothing is read before. A test tells.
from pulumi import _types as sdk

_ARGUMENTS = ("Args", "InitArgs")
"""After a resource's name: what its inputs are held in."""


def read(ours: tuple[str, ...]) -> None:
    """Of the classes that modules of the packages `ours`, imported by now, name."""
    if not all(
        hasattr(sdk, name)
        for name in ("is_input_type", "input_type_types", "is_output_type", "output_type_types", "resource_types")
    ):
        return
    left, seen = set(_classes(ours)), set[type]()
    while left:
        one = left.pop()
        seen.add(one)
        with suppress(Exception):  # a hint that cannot be read is told by the run that uses it
            left |= {kind for hint in _read(one).values() for kind in _within(hint)} - seen


def _read(one: type) -> Mapping[str, object]:
    """The types of its properties, of a class that has any."""
    if issubclass(one, CustomResource):
        return sdk.resource_types(one)
    if sdk.is_input_type(one):
        return sdk.input_type_types(one)
    return sdk.output_type_types(one) if sdk.is_output_type(one) else {}


def _within(hint: object) -> Iterator[type]:
    """The classes in a type hint, such as that of `Sequence[Input[PortArgs]]`."""
    if parts := get_args(hint):
        for part in parts:
            yield from _within(part)
    elif isinstance(hint, type):
        yield hint


def _classes(ours: tuple[str, ...]) -> Iterator[type]:
    mine = [module for name, module in list(sys.modules.items()) if name.partition(".")[0] in ours]
    names = {name for module in mine for name in _names(module)}
    named = (value for module in mine for value in vars(module).values() if isinstance(value, ModuleType))
    for module in {module for one in named for module in (one, *_below(one, names))}:
        for name in names & vars(module).keys():
            value = vars(module)[name]
            if isinstance(value, type):
                yield value
                beside = vars(sys.modules.get(value.__module__, module))
                yield from (beside[value.__name__ + end] for end in _ARGUMENTS if value.__name__ + end in beside)


def _below(module: ModuleType, names: set[str]) -> Iterator[ModuleType]:
    """Those in `module` that are named as `iam` is in `aws.iam.Role`."""
    found = (vars(module).get(name) for name in names)
    return (one for one in found if isinstance(one, ModuleType))


def _names(module: ModuleType) -> Iterator[str]:
    """What its code names, at any depth."""
    loader = module.__spec__.loader if module.__spec__ else None
    code = None
    with suppress(ImportError, SyntaxError):  # it is being edited
        code = getattr(loader, "get_code", lambda _: None)(module.__name__)
    left = [code] if code is not None else []
    while left:
        code = left.pop()
        yield from code.co_names
        left += [one for one in code.co_consts if isinstance(one, CodeType)]
