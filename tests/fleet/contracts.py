"""A platform's contract as far as a test needs one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.environment import REGION
from stacks.contract import PlatformContract


def contract(**parts: Mapping[str, Any]) -> PlatformContract:
    """With `parts` (cache, bucket, ...) in place of ones that lead nowhere."""
    server: dict[str, Any] = {"port": 5432, **dict.fromkeys(("identifier", "host", "database", "admin_secret"), "x")}
    return PlatformContract.model_validate(
        {
            **dict.fromkeys(("product", "environment", "cell", "cost_centre", "cloud", "account"), "x"),
            "version": 1,
            "region": REGION,
            "admits_tenants": True,
            "network": {"cidr": "", "data_cidrs": (), "service_cidr": ""},
            "cluster": dict.fromkeys(("name", "endpoint", "kubeconfig", "oidc_issuer", "oidc_provider_arn"), ""),
            "database": {"tenants": server, "control": server},
            "cache": {"port": 6379, **dict.fromkeys(("replication_group", "host", "user_group", "admin_secret"), "")},
            "bucket": {"name": "", "arn": "", "kms_key_arn": ""},
            "alerts": {"topic_arn": ""},
            "budget": {"name": "", "limit": 1},
            **parts,
        }
    )
