"""Imports all that a program needs before it runs: at its start, or in a process that many runs are forked from."""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Iterator
from types import ModuleType

from stacks import clouds

_PICKED = {"platform": clouds.platform_cloud, "tenant": clouds.tenant_cloud}
_OURS = ("components", "stacks")


def preload(program: str, cloud: str) -> None:
    """Import `program` (platform, tenant) and what it is made of on `cloud`. Raises UsageError for an unknown cloud."""
    gc.disable()  # an import leaves no garbage; collections, which look at all that is there, were a third of the time
    try:
        importlib.import_module("stacks.configuration")
        importlib.import_module(f"stacks.{program}")
        _PICKED[program](cloud)
        for module in list(_named_by_us()):
            hasattr(module, "__all__")  # the SDKs put an import off to the first look at the module
        gc.freeze()
    finally:
        gc.enable()


def _named_by_us() -> Iterator[ModuleType]:
    """The modules that ours have imported by name."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in _OURS:
            yield from (value for value in vars(module).values() if isinstance(value, ModuleType))
