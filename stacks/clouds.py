"""Picks a cloud's modules, and imports those only: the SDKs of the clouds take seconds."""

from __future__ import annotations

from components.contracts.platform import PlatformCloud
from components.contracts.tenancy import TenantCloud
from errors import UsageError


def _unknown(cloud: str) -> UsageError:
    return UsageError(f"there are no components for {cloud!r}", where="freehold:cloud", mend="choose aws")


def platform_cloud(cloud: str) -> PlatformCloud:
    """What a platform is made of there. Raises UsageError for an unknown cloud."""
    if cloud == "aws":
        from components.aws.platform import CLOUD

        return CLOUD
    raise _unknown(cloud)


def tenant_cloud(cloud: str) -> TenantCloud:
    """What a tenant's workspace is made of there. Raises UsageError for an unknown cloud."""
    if cloud == "aws":
        from components.aws.tenancy import CLOUD

        return CLOUD
    raise _unknown(cloud)
