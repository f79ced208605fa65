"""The logins of the services that work in the control database, and the secrets that they are kept in."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_random as random

from catalog.services import Service
from components.contracts.postgres import Postgres, login_record
from components.contracts.stored_secret import StoredSecretArgs
from components.service_login import ServiceLogin, ServiceLoginArgs
from components.shared_database import SharedDatabase
from stacks.site import Site


def service_logins(
    site: Site, control: Postgres, closed: SharedDatabase | None
) -> Mapping[Service, pulumi.Output[str]]:
    """Of each service the reference to its secret: JSON like the administrator's, under the same key.

    `closed` is what closed the database; None from outside the network: then there are secrets alone, so that what
    refers to them is the same, and the next run from inside makes the roles.
    """
    identifier = site.named("control")
    references: dict[Service, pulumi.Output[str]] = {}
    earlier: pulumi.Resource | None = closed
    for service in Service:
        name = f"control-{service}"
        password = random.RandomPassword(f"{name}-password", length=40, special=False).result
        if closed is not None:
            # One after the other: their grants are all on the same database.
            login = ServiceLogin(
                f"{name}-login",
                ServiceLoginArgs(control.database, service.role, password),
                pulumi.ResourceOptions(provider=closed.admin, depends_on=earlier),
            )
            earlier, password = login, login.password
        references[service] = site.cloud.stored_secret(
            name,
            StoredSecretArgs(
                ownership=site.ownership,
                secret_name=f"{identifier}/postgres/{service}",
                description=f"Login of the {service} service on the Postgres server {identifier}",
                value=login_record(control.host, control.port, control.database, service.role, password),
                key=control.admin_key,
                recovery_days=site.recovery_days,
            ),
            site.opts,
        ).reference
    return references
