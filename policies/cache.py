"""Redis and Valkey on ElastiCache."""

from __future__ import annotations

from policies.rules import UNKNOWN, Finding, Findings, Planned, Settings, must_be

GROUP = "aws:elasticache/replicationGroup:ReplicationGroup"
CLUSTER = "aws:elasticache/cluster:Cluster"


def redis_transit_encryption(resource: Planned, settings: Settings) -> Findings:
    """Clients are served over TLS alone.

    Absent means unencrypted (`TransitEncryptionEnabled`, default false, in ElastiCache's API reference). A lone
    cluster cannot encrypt Redis or Valkey at all: pulumi.com/registry/packages/aws/api-docs/elasticache/cluster.
    """
    properties = resource.properties
    if resource.type == CLUSTER:
        engine = properties.get("engine")
        if properties.get("replicationGroupId") is not None or engine == "memcached":
            return  # A member has its group's setting.
        if engine is UNKNOWN:
            yield Finding("engine", "a lone cluster of Redis or Valkey cannot be encrypted", certain=False)
        else:
            yield Finding("engine", "of a lone cluster cannot be encrypted in transit: make a ReplicationGroup")
        return
    yield from must_be(
        properties,
        "transitEncryptionEnabled",
        True,
        default=False,
        why="passwords and data would cross the network in clear",
    )
    mode = properties.get("transitEncryptionMode")
    if mode is UNKNOWN:
        yield Finding("transitEncryptionMode", "`preferred` still serves clients without TLS", certain=False)
    elif mode == "preferred":
        yield Finding("transitEncryptionMode", "`preferred` still serves clients without TLS")
