"""Imports all that a program needs before it runs: at its start, or in a process that many runs are forked from."""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from types import ModuleType

from catalog import blueprints
from stacks import clouds, sdk_types

_PICKED = {"platform": clouds.platform_cloud, "tenant": clouds.tenant_cloud}
_OURS = ("components", "stacks")


def preload(program: str, cloud: str) -> None:
    """For a process that runs of `program` are forked from: what it imports, and what the SDK would read in each."""
    import_program(program, cloud)
    for blueprint in blueprints.names():
        with suppress(Exception):  # a tenant of a broken one is told by its own run
            blueprints.load(blueprint)
    sdk_types.read(_OURS)


@cache
def import_program(program: str, cloud: str) -> None:
    """Import `program` (platform, tenant) and what it is made of on `cloud`, once in a process and its forks. Raises
    UsageError for an unknown cloud."""
    gc.disable()  # an import leaves no garbage; collections, which look at all that is there, were a third of the time
    try:
        for module in ("stacks.configuration", "stacks.stack_traces"):
            importlib.import_module(module)
        importlib.import_module(f"stacks.{program}")
        _PICKED[program](cloud)
        for named in list(_named_by_us()):
            hasattr(named, "__all__")  # the SDKs put an import off to the first look at the module
        gc.freeze()
    finally:
        gc.enable()


def _named_by_us() -> Iterator[ModuleType]:
    """The modules that ours have imported by name."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in _OURS:
            yield from (value for value in vars(module).values() if isinstance(value, ModuleType))
