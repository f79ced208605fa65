"""The billing webhook as a process: the container entry of `services.billing`, where AWS runs it as a function."""

from __future__ import annotations

from sandbox.processes.http_check import http_check
from sandbox.processes.postgres import database_url
from sandbox.processes.python_process import python_command, python_environment
from sandbox.processes.site import Site
from sandbox.supervisor.definitions import DatabaseDefinition, WebhookDefinition
from sandbox.supervisor.spec import ProcessSpec
from services.billing import PATH

NAME = "billing-webhook"


def webhook_url(site: Site) -> str:
    """Where Stripe's events are POSTed."""
    return f"http://127.0.0.1:{site.ports.assign(NAME)}{PATH}"


def billing_webhook(site: Site, definition: WebhookDefinition, database: DatabaseDefinition) -> ProcessSpec:
    """It lives as long as its process: a database that is down is answered 503, and is no reason to start it anew."""
    port, port_is_free = site.port(NAME)
    return ProcessSpec(
        name=NAME,
        kind=NAME,
        port=port,
        command=python_command("services.billing"),
        environment={
            **python_environment(),
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "STRIPE_WEBHOOK_SECRET": definition.secret,
            "STRIPE_LIVEMODE": "false",
            "FREEHOLD_PRODUCT": definition.product,
            "DATABASE_URL": database_url(
                site, database, definition.username or database.username, definition.password or database.password
            ),
        },
        after=(f"postgres-{database.name}",),
        prepare=port_is_free,
        check=http_check(port, "/healthz"),
    )
