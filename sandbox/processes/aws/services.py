"""A service of moto's, with what moto lacks of it, made when it is first asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from sandbox.processes.aws.determinism import deterministic

EXTENDED = frozenset({"budgets", "ec2", "eks", "elasticache", "iam", "kms", "rds"})
"""Services with a module of that name here; its `install` puts our operations in place of moto's routes."""


def service_factory(seed: str, moment: float) -> Callable[[Any], Any]:
    """The factory of services for moto's dispatcher.

    It imports them late, because all of them take seconds and a sandbox uses a few; and with dice of their own, because
    EKS rolls some when it is imported, and a service may be imported for a read.
    """
    from moto.moto_server.werkzeug_app import create_backend_app

    def create(service: Any) -> Any:
        with deterministic(f"{seed} {service}", moment):
            if service in EXTENDED:
                importlib.import_module(f"sandbox.processes.aws.{service}").install()
            return create_backend_app(service)

    return create
