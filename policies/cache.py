"""Redis and Valkey on ElastiCache and MemoryDB."""

from __future__ import annotations

from policies.rules import UNKNOWN, Finding, Findings, Planned, Settings, must_be

GROUP = "aws:elasticache/replicationGroup:ReplicationGroup"
CLUSTER = "aws:elasticache/cluster:Cluster"
MEMORYDB = "aws:memorydb/cluster:Cluster"
MEMORYDB_REGIONS = "aws:memorydb/multiRegionCluster:MultiRegionCluster"
_ENABLED = "transitEncryptionEnabled"
_WHY = "passwords and data would cross the network in clear"


def redis_transit_encryption(resource: Planned, settings: Settings) -> Findings:
    """Clients are served over TLS alone.

    Absent means unencrypted (`TransitEncryptionEnabled`, default false, in ElastiCache's API reference). A lone
    cluster cannot encrypt Redis or Valkey at all: pulumi.com/registry/packages/aws/api-docs/elasticache/cluster. A
    secondary of a global datastore has its primary's setting and may not have one of its own (api-docs/elasticache/
    replicationgroup, `globalReplicationGroupId`). MemoryDB encrypts unless told otherwise (api-docs/memorydb/cluster);
    of a cluster over several regions its documents name no default.
    """
    properties = resource.properties
    if resource.type == MEMORYDB_REGIONS and properties.get("tlsEnabled") is None:
        yield Finding("tlsEnabled", "is absent, and no default is documented", certain=False)
        return
    if resource.type in (MEMORYDB, MEMORYDB_REGIONS):
        yield from must_be(properties, "tlsEnabled", True, default=True, why=_WHY)
        return
    if properties.get("globalReplicationGroupId") not in (None, "") and properties.get(_ENABLED) is None:
        yield Finding(_ENABLED, "the primary of its global datastore decides", certain=False)
        return
    if resource.type == CLUSTER:
        engine = properties.get("engine")
        if properties.get("replicationGroupId") not in (None, "") or engine == "memcached":
            return  # A member has its group's setting.
        if engine is UNKNOWN:
            yield Finding("engine", "a lone cluster of Redis or Valkey cannot be encrypted", certain=False)
        else:
            yield Finding("engine", "of a lone cluster cannot be encrypted in transit: make a ReplicationGroup")
        return
    yield from must_be(properties, _ENABLED, True, default=False, why=_WHY)
    mode = properties.get("transitEncryptionMode")
    if mode is UNKNOWN:
        yield Finding("transitEncryptionMode", "`preferred` still serves clients without TLS", certain=False)
    elif mode == "preferred":
        yield Finding("transitEncryptionMode", "`preferred` still serves clients without TLS")
