"""The Postgres servers of a cell: its tenants', and the one with what Freehold itself keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from catalog.services import Service
from components.contracts.cluster import Cluster
from components.contracts.network import Network
from components.contracts.postgres import Postgres, PostgresArgs
from components.shared_database import SharedDatabase, SharedDatabaseArgs
from stacks.service_logins import service_logins
from stacks.settings.platform import PlatformSettings, PostgresSettings
from stacks.site import Site

TENANTS_DATABASE = "tenants"
CONTROL_DATABASE = "control"


@dataclass(frozen=True)
class Databases:
    """The servers, and the ways into the control database."""

    tenants: Postgres
    control: Postgres | None
    """None where the settings leave it out."""
    logins: Mapping[Service, pulumi.Output[str]]
    """Of the services in the control database: references to their secrets."""


@dataclass(frozen=True)
class Surroundings:
    """Where the servers stand, who may reach them, and who hears of their trouble."""

    network: Network
    cluster: Cluster
    functions: Mapping[str, pulumi.Input[str]]
    """Security groups of functions that reach the control database, by name."""
    alarm_topic: pulumi.Input[str]


def run(site: Site, settings: PlatformSettings, around: Surroundings) -> Databases:
    """Declares the servers and, from inside the network, closes their databases to everybody and makes the logins."""
    tenants = _server(site, settings, around, "postgres", TENANTS_DATABASE, settings.postgres)
    if settings.inside_network:
        _closed("postgres", tenants)
    if settings.control is None:
        return Databases(tenants, None, {})
    control = _server(site, settings, around, "control", CONTROL_DATABASE, settings.control, around.functions)
    closed = _closed("control", control) if settings.inside_network else None
    return Databases(tenants, control, service_logins(site, control, closed))


def _server(
    site: Site,
    settings: PlatformSettings,
    around: Surroundings,
    name: str,
    database: str,
    chosen: PostgresSettings,
    clients: Mapping[str, pulumi.Input[str]] | None = None,
) -> Postgres:
    return site.cloud.postgres(
        name,
        PostgresArgs(
            ownership=site.ownership,
            place=site.place,
            identifier=site.named(name),
            database=database,
            version=chosen.version,
            machine_type=chosen.machine_type,
            storage_gib=chosen.storage_gib,
            storage_limit_gib=chosen.storage_limit_gib,
            highly_available=chosen.highly_available,
            backup_retention_days=chosen.backup_retention_days,
            network_id=around.network.network_id,
            subnet_ids=tuple(around.network.data_subnet_ids),
            client_security_groups={"nodes": around.cluster.security_group_id, **(clients or {})},
            protect=settings.protect,
            client_cidrs=settings.network.operators,
            alarm_topics=(around.alarm_topic,),
            major_upgrade=chosen.major_upgrade,
        ),
        site.opts,
    )


def _closed(name: str, server: Postgres) -> SharedDatabase:
    return SharedDatabase(
        f"{name}-closed",
        SharedDatabaseArgs(server.host, server.port, server.username, server.password, server.database),
    )
