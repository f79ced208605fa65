"""moto's services, each with what moto lacks of it, made when it is first asked for."""

from __future__ import annotations

import functools
import importlib
from typing import Any

from sandbox.processes.aws.determinism import deterministic

EXTENDED = frozenset(
    {
        "awslambda", "budgets", "cloudwatch", "ec2", "eks", "elasticache", "iam", "kms", "logs", "rds", "s3",
        "secretsmanager",
    }
)  # fmt: skip
"""Services, as moto calls them, with a module here; its `install` puts our operations in place of moto's routes."""

# Names that a request can ask for come from the request: they are remembered, not without bound.
_REMEMBERED_HOSTS = 1000


def dispatcher(seed: str, moment: float) -> Any:
    """moto's WSGI application over all services.

    It imports a service late, because all of them take seconds and a sandbox uses a few; and with dice of their own,
    because EKS rolls some when it is imported, and a service may be imported for a read.
    """
    from moto.core import responses
    from moto.core.utils import method_names_from_class
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    def create(service: Any) -> Any:
        with deterministic(f"{seed} {service}", moment):
            if service in EXTENDED:
                importlib.import_module(f"sandbox.processes.aws.{service}").install()
            return create_backend_app(service)

    class Dispatcher(DomainDispatcherApplication):
        # moto reads its folder of services, and tries a pattern for each, at every request.
        get_backend_for_host = functools.lru_cache(_REMEMBERED_HOSTS)(DomainDispatcherApplication.get_backend_for_host)

    # And looks through all members of a service's class.
    vars(responses)["method_names_from_class"] = functools.cache(method_names_from_class)
    return Dispatcher(create)
