"""The account and region that a provider works in, and who is asking."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

NO_CONTROL_PLANE = ("cac1-az3", "use1-az3", "usw1-az2")
"""Zones in which EKS refuses subnets, by the id that all accounts share; their letters, and so whether they are among a
region's first, differ: https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html
"""


def provider(
    name: str, region: pulumi.Input[str], accounts: pulumi.Input[Sequence[str]] | None = None
) -> pulumi.ProviderResource:
    """An explicit provider; credentials come from the environment, as for the `aws` command.

    Those of other accounts than `accounts`, where some are named, are refused: also by what runs from the state
    alone: a `pulumi refresh` in another account would find nothing there, and forget everything.
    """
    return aws.Provider(name, region=region, allowed_account_ids=accounts)


def account(provider: pulumi.ProviderResource) -> str:
    """The id of the account that the provider's credentials belong to."""
    return aws.get_caller_identity(opts=pulumi.InvokeOptions(provider=provider)).account_id


def deployer(provider: pulumi.ProviderResource) -> str:
    """The ARN of the IAM user or role that the program runs as.

    A session of an assumed role is resolved to its role, with the role's path: access entries name roles.
    """
    arn = aws.get_caller_identity(opts=pulumi.InvokeOptions(provider=provider)).arn
    if ":assumed-role/" not in arn:
        return arn
    from pulumi_aws import iam  # only here: it takes long to import, and most callers are users or already roles

    return iam.get_session_context(arn=arn, opts=pulumi.InvokeOptions(provider=provider)).issuer_arn


def zones(provider: pulumi.ProviderResource, chosen: tuple[str, ...], count: int) -> tuple[str, ...]:
    """The chosen zones, or without a choice the region's first `count` by name that are available.

    Raises RunError for zones that cannot hold everything: Local Zones and Wavelength, and those that EKS refuses. One
    that was chosen may be impaired: what lies in it stays where it is.
    """
    found = aws.get_availability_zones(
        state=None if chosen else "available",
        exclude_zone_ids=list(NO_CONTROL_PLANE),
        filters=[{"name": "opt-in-status", "values": ["opt-in-not-required"]}],
        opts=pulumi.InvokeOptions(provider=provider),
    )
    names = sorted(found.names)
    if refused := [zone for zone in chosen if zone not in names]:
        raise pulumi.RunError(
            f"freehold:network.zones: {', '.join(refused)} cannot hold a cluster in this account; "
            f"choose among {', '.join(names)}"
        )
    if chosen:
        return chosen
    if len(names) < count:
        raise pulumi.RunError(
            f"region {found.region} has {len(names)} availability zones that EKS takes, {count} are needed; "
            "choose another region"
        )
    return tuple(names[:count])
