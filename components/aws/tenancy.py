"""What a tenant's workspace is made of on AWS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi_aws import secretsmanager

from components.aws import account
from components.aws.cache_user import CacheUser
from components.aws.object_access import ObjectAccess
from components.aws.stored_secret import StoredSecret
from components.contracts.tenancy import TenantCloud


def read_secret(reference: pulumi.Input[str], provider: pulumi.ProviderResource) -> pulumi.Output[Mapping[str, Any]]:
    """The current JSON of the secret with this ARN."""
    found = secretsmanager.get_secret_version_output(
        secret_id=reference, opts=pulumi.InvokeOutputOptions(provider=provider)
    )
    text: pulumi.Output[str] = pulumi.Output.secret(found.secret_string)
    return text.apply(_parse)


def _parse(text: str) -> Mapping[str, Any]:
    document: Mapping[str, Any] = json.loads(text)
    return document


CLOUD = TenantCloud(
    provider=account.provider,
    read_secret=read_secret,
    cache_user=CacheUser,
    object_access=ObjectAccess,
    stored_secret=StoredSecret,
)
