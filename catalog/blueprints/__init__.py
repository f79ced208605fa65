"""One file for each product; a file `chronos_cloud.py` holds the blueprint `chronos-cloud`."""

from __future__ import annotations

import importlib
import pkgutil

from catalog.plans import Blueprint


def names() -> tuple[str, ...]:
    """The names of all blueprints, sorted."""
    return tuple(sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__)))


def load(name: str) -> Blueprint:
    """The blueprint called `name`. Raises KeyError, whose text lists the blueprints, where there is none."""
    if name not in names():
        raise KeyError(f"there is no blueprint {name!r}; there are {', '.join(names())}")
    blueprint = importlib.import_module(f"{__name__}.{name.replace('-', '_')}").BLUEPRINT
    assert isinstance(blueprint, Blueprint)
    return blueprint
