"""botocore's models of AWS services, cut down to what is called of them."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from threading import RLock
from typing import Any

import botocore.loaders
from botocore import xform_name


class PrunedLoader(botocore.loaders.Loader):  # type: ignore[misc]
    """Loads service models without documentation and with only the operations asked for, each once in this process.

    EC2's model alone is 16 MB of objects; what the tables call of it is less than one.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = RLock()
        self._wanted: dict[str, set[str]] = {}
        self._models: dict[tuple[str, str, str | None], Any] = {}

    def want(self, service: str, operations: Iterable[str]) -> None:
        """From now on the service's model has these operations too."""
        with self._lock:
            known = self._wanted.setdefault(service, set())
            if not known.issuperset(operations):
                known.update(operations)
                self._models = {key: model for key, model in self._models.items() if key[0] != service}

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        key = (service_name, type_name, api_version)
        with self._lock:
            if key not in self._models:
                loader = botocore.loaders.Loader()  # a throw-away: its cache would keep the whole model
                loader.search_paths[:] = self.search_paths
                model = loader.load_service_model(service_name, type_name, api_version)
                if type_name == "service-2" and service_name in self._wanted:
                    _prune(model, self._wanted[service_name])
                    _return_memory()
                self._models[key] = model
            return self._models[key]


LOADER = PrunedLoader()
"""Of this process."""


def _prune(model: dict[str, Any], wanted: set[str]) -> None:
    model["operations"] = {name: body for name, body in model["operations"].items() if xform_name(name) in wanted}
    kept: dict[str, Any] = {}

    def keep(node: Any) -> None:
        if isinstance(node, dict):
            node.pop("documentation", None) if isinstance(node.get("documentation"), str) else None
            name = node.get("shape")
            if isinstance(name, str) and name not in kept:
                kept[name] = model["shapes"][name]
                keep(kept[name])
            for value in node.values():
                keep(value)
        elif isinstance(node, list):
            for value in node:
                keep(value)

    keep(model["operations"])
    model["shapes"] = kept


def _return_memory() -> None:
    """Gives the pages of a model that was cut down back to the system; the C library keeps them otherwise."""
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):  # another C library: only memory is at stake
        return
