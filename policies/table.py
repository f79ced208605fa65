"""Every policy of the pack. To add one: write the function in its theme's module and give it a row here."""

from __future__ import annotations

from typing import Final

from policies import cache, cost, database, network, storage, tagging, templates, tenancy
from policies.rules import Policy

POLICIES: Final[tuple[Policy, ...]] = (
    Policy(
        name="bucket-public-access-blocked",
        description="Every bucket blocks every way of public access.",
        mend="give the bucket a BucketPublicAccessBlock with all four flags true",
        stack=templates.beside_stack(
            storage.bucket_public_access_blocked, "AWS::S3::Bucket", "AWS::S3::AccountPublicAccessBlock"
        ),
    ),
    Policy(
        name="rds-encrypted",
        description="Databases are encrypted at rest.",
        mend="set storageEncrypted (Redshift: encrypted) to true",
        types=database.STORED | templates.TYPES,
        resource=templates.beside(
            database.rds_encrypted, "AWS::RDS::", "AWS::DocDB::", "AWS::Neptune::", "AWS::Redshift::"
        ),
    ),
    Policy(
        name="rds-private",
        description="Databases have no public address.",
        mend="set publiclyAccessible (Neptune Analytics: publicConnectivity) to false",
        types=frozenset(database.REACHED) | templates.TYPES,
        resource=templates.beside(
            database.rds_private,
            "AWS::RDS::",
            "AWS::Lightsail::Database",
            "AWS::Neptune",
            "AWS::Redshift",
            "AWS::Timestream::InfluxDB",
        ),
    ),
    Policy(
        name="redis-transit-encryption",
        description="Redis and Valkey are reached over TLS alone.",
        mend="set transitEncryptionEnabled (MemoryDB: tlsEnabled) to true and transitEncryptionMode to required",
        types=frozenset({cache.GROUP, cache.CLUSTER, cache.MEMORYDB, cache.MEMORYDB_REGIONS}) | templates.TYPES,
        resource=templates.beside(cache.redis_transit_encryption, "AWS::ElastiCache::", "AWS::MemoryDB::"),
    ),
    Policy(
        name="security-group-no-world-ingress",
        description="Nothing but HTTPS is open to the whole internet.",
        mend="narrow the CIDR blocks, or name a security group as the source",
        types=network.GROUPS
        | {network.RULE, network.INGRESS_RULE, network.PREFIX_LIST, network.PREFIX_LIST_ENTRY}
        | templates.TYPES,
        resource=templates.beside(
            network.security_group_no_world_ingress, "AWS::EC2::SecurityGroup", "AWS::EC2::PrefixList"
        ),
        settings={
            "ports": {
                "type": "array",
                "items": {"type": "integer", "minimum": 1, "maximum": 65535},
                "description": "Ports that may be open to the whole internet.",
                "default": [443],
            }
        },
    ),
    Policy(
        name="tenant-namespace-has-quota-and-default-deny",
        description="A tenant's namespace has a quota and denies all traffic that is not allowed by name.",
        mend="make the namespace by TenantWorkspace, or add a ResourceQuota and default-deny NetworkPolicies",
        stack=tenancy.tenant_namespace_has_quota_and_default_deny,
        settings={
            "privateAddressesAtMost": {
                "type": "integer",
                "minimum": 0,
                "maximum": 16383,
                "description": "Private IPv4 addresses that a tenant's policies may let through in one direction.",
                # What the three data subnets of a network of /16 have, and single ones beside them.
                "default": 3 * 1024 + 256,
            }
        },
    ),
    Policy(
        name="required-tags",
        description="Every resource says whose it is and who pays for it.",
        mend="pass the component's ownership tags on to the resource",
        resource=tagging.required_tags,
        settings={
            "tags": {
                "type": "array",
                "items": {"type": "string", "minLength": 1},
                "minItems": 1,
                "description": "Tags (in Kubernetes labels of namespaces) that must be there.",
                "default": ["product", "environment", "cost-centre", "managed-by"],
            }
        },
    ),
    Policy(
        name="every-stack-has-a-budget-with-alerts",
        description="Every platform stack has a budget that tells someone in time.",
        mend="add BudgetAlerts with an e-mail address or a topic",
        stack=cost.every_stack_has_a_budget_with_alerts,
        settings={
            "actualAtMost": {
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": 100,
                "description": "Percent of the limit at which actual spend must have been told.",
                "default": 100,
            },
            "forecastAtMost": {
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": 100,
                "description": "Percent of the limit at which forecast spend must have been told.",
                "default": 100,
            },
        },
    ),
)
