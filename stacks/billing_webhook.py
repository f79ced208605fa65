"""What receives Stripe's events: a function in the private network that the control database lets in."""

from __future__ import annotations

from pathlib import Path

import pulumi

from components.contracts.billing_webhook import BillingWebhook, BillingWebhookArgs
from components.contracts.function_guard import FunctionGuard, FunctionGuardArgs
from components.contracts.network import Network
from components.contracts.postgres import Postgres
from services import package
from stacks import billing_archive
from stacks.settings.platform import BillingSettings
from stacks.site import Site


def guard(site: Site, network: Network) -> FunctionGuard:
    """Declares what the function may reach, and its role; before the database, which lets in whoever is behind it."""
    return site.cloud.function_guard(
        "billing-guard",
        FunctionGuardArgs(
            ownership=site.ownership,
            place=site.place,
            function_name=site.named("billing"),
            network_id=network.network_id,
            data_cidrs=tuple(network.data_cidrs),
        ),
        site.opts,
    )


def run(
    site: Site,
    settings: BillingSettings,
    archive: Path,
    behind: FunctionGuard,
    network: Network,
    control: Postgres,
    login: pulumi.Input[str],
    alarm_topic: pulumi.Input[str],
) -> BillingWebhook:
    """Declares the function; `login` refers to its way into the control database."""
    return site.cloud.billing_webhook(
        "billing",
        BillingWebhookArgs(
            ownership=site.ownership,
            place=site.place,
            function_name=site.named("billing"),
            archive=archive,
            handler=package.HANDLER,
            architecture=billing_archive.TARGET.architecture,
            runtime=billing_archive.TARGET.runtime,
            livemode=settings.livemode,
            subnet_ids=tuple(network.private_subnet_ids),
            security_group_id=behind.security_group_id,
            role=behind.role,
            role_name=behind.role_name,
            database_secret=login,
            database_key=control.admin_key,
            authority=package.AUTHORITY,
            log_retention_days=settings.log_retention_days,
            concurrency=settings.concurrency,
            recovery_days=site.recovery_days,
            alarm_topics=(alarm_topic,),
        ),
        site.opts,
    )
