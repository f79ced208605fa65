"""A Redis on ElastiCache."""

from __future__ import annotations

import pulumi
import pulumi_random as random
from pulumi_aws import cloudwatch, elasticache

from components import tags
from components.aws.cache_user import MEMBERSHIP_TIMEOUTS
from components.aws.enclosure import Enclosure, EnclosureArgs
from components.aws.stored_secret import StoredSecret
from components.contracts.redis import RedisArgs
from components.contracts.stored_secret import StoredSecretArgs
from components.naming import physical_name

PORT = 6379
ADMIN = "freehold"
SWEEPER = "sweeper"
ID_LIMIT = 40
"""https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateReplicationGroup.html"""


class Redis(pulumi.ComponentResource):
    """A replication group in the data subnets that accepts TLS connections from named security groups only.

    Who logs in is decided by a user group: `default` is off, `freehold` administers, `sweeper` removes what deleted
    tenants leave, tenants join later, each by its own stack. There is no AUTH token: ElastiCache takes a token or a
    user group, never both. An alarm rings before the memory is full.
    """

    identifier: pulumi.Output[str]
    host: pulumi.Output[str]
    port: pulumi.Output[int]
    user_group: pulumi.Output[str]
    admin_secret: pulumi.Output[str]
    sweeper_secret: pulumi.Output[str]

    def __init__(self, name: str, args: RedisArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:aws:Redis", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        marks = tags.aws(args.ownership, name=args.identifier)
        subnets = elasticache.SubnetGroup(
            f"{name}-subnets",
            name=args.identifier,
            subnet_ids=list(args.subnet_ids),
            tags=marks,
            opts=child,
        )
        around = Enclosure(
            f"{name}-enclosure",
            EnclosureArgs(
                ownership=args.ownership,
                place=args.place,
                identifier=args.identifier,
                contents="Data, snapshots and secrets of the cache",
                # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/at-rest-encryption.html: both names
                key_services=("elasticache", "dax"),
                network_id=args.network_id,
                port=PORT,
                clients=args.client_security_groups,
                replaced_by={"subnets": subnets.name},
                protect=args.protect,
            ),
            child,
        )
        parameters = elasticache.ParameterGroup(
            f"{name}-parameters",
            name=f"{args.identifier}-redis7",
            family="redis7",
            parameters=[
                # A user hears only the channels that its access string names.
                {"name": "acl-pubsub-default", "value": "resetchannels"},
                # Only keys with an expiry are evicted: a full cache refuses writes, it loses nothing meant to stay.
                {"name": "maxmemory-policy", "value": "volatile-lru"},
            ],
            tags=marks,
            opts=child,
        )
        # A user group must hold a user called `default`; ours can do nothing.
        # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Clusters.RBAC.html
        nobody = self._user(name, args, "default", "default", "off -@all", child)[0]
        admin, password = self._user(name, args, "admin", ADMIN, "on ~* &* +@all", child)
        sweeper, sweepers_password = self._user(
            name, args, "sweeper", SWEEPER, f"on ~{args.tenants_keys}* -@all +ping +scan +unlink", child
        )
        group = elasticache.UserGroup(
            f"{name}-users",
            engine="redis",
            user_group_id=physical_name(args.identifier, limit=ID_LIMIT),
            user_ids=[nobody.user_id, admin.user_id],
            tags=marks,
            # Tenants' stacks add their users by associations of their own.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["userIds"]),
        )
        # Not among the group's own: those of a group that is there already are left alone.
        membership = elasticache.UserGroupAssociation(
            f"{name}-sweeper-membership",
            user_group_id=group.user_group_id,
            user_id=sweeper.user_id,
            opts=pulumi.ResourceOptions(parent=self, custom_timeouts=MEMBERSHIP_TIMEOUTS),
        )
        replication_group = elasticache.ReplicationGroup(
            f"{name}-replication-group",
            replication_group_id=args.identifier,
            description=f"Shared cache {args.identifier}",
            engine="redis",
            engine_version=args.version,
            node_type=args.machine_type,
            port=PORT,
            num_cache_clusters=1 + args.replicas,
            automatic_failover_enabled=args.replicas > 0,
            multi_az_enabled=args.replicas > 0,
            parameter_group_name=parameters.name,
            subnet_group_name=subnets.name,
            security_group_ids=[around.security_group_id],
            user_group_ids=[group.user_group_id],
            transit_encryption_enabled=True,
            transit_encryption_mode="required",
            at_rest_encryption_enabled=True,
            kms_key_id=around.key,
            snapshot_retention_limit=args.snapshot_retention_days,
            snapshot_window="01:00-02:00",
            maintenance_window="sun:04:30-sun:05:30",
            final_snapshot_identifier=around.final_snapshot,
            auto_minor_version_upgrade=True,
            apply_immediately=not args.protect,
            tags=marks,
            # ElastiCache refuses a user group that is being changed: InvalidUserGroupState.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[membership], protect=args.protect),
        )
        for index in range(1 + args.replicas):
            cloudwatch.MetricAlarm(
                f"{name}-memory-alarm-{index + 1}",
                name=f"{args.identifier}-memory-{index + 1}",
                alarm_description=f"More than 80% of the memory of {args.identifier} is taken: docs/alarms.md#memory",
                # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.Redis.html
                namespace="AWS/ElastiCache",
                metric_name="DatabaseMemoryUsagePercentage",
                dimensions={"CacheClusterId": self._member(replication_group, args.identifier, index)},
                statistic="Maximum",
                comparison_operator="GreaterThanThreshold",
                threshold=80,
                period=300,
                evaluation_periods=1,
                alarm_actions=list(args.alarm_topics),
                tags=marks,
                opts=child,
            )
        self.identifier = replication_group.replication_group_id
        self.host = replication_group.primary_endpoint_address
        self.port = replication_group.port.apply(lambda port: port or PORT)
        self.user_group = group.user_group_id

        def login(kind: str, description: str, username: str, password: pulumi.Output[str]) -> pulumi.Output[str]:
            return StoredSecret(
                f"{name}-{kind}",
                StoredSecretArgs(
                    ownership=args.ownership,
                    secret_name=f"{args.identifier}/redis/{kind}",
                    description=description,
                    value={"host": self.host, "port": self.port, "username": username, "password": password},
                    key=around.key,
                    recovery_days=30 if args.protect else 0,
                ),
                child,
            ).reference

        self.admin_secret = login("admin", f"Administrator of the cache {args.identifier}", ADMIN, password)
        self.sweeper_secret = login(
            "sweeper",
            f"Removes the keys of deleted tenants from the cache {args.identifier}",
            SWEEPER,
            # Who takes the password can log in: the user is a member by then.
            pulumi.Output.secret(
                pulumi.Output.all(sweepers_password, membership.id).apply(lambda known: str(known[0]))
            ),
        )
        self.register_outputs(
            {
                "identifier": self.identifier,
                "host": self.host,
                "port": self.port,
                "user_group": self.user_group,
                "admin_secret": self.admin_secret,
                "sweeper_secret": self.sweeper_secret,
            }
        )

    @staticmethod
    def _member(group: elasticache.ReplicationGroup, identifier: str, index: int) -> pulumi.Output[str]:
        """The name of one member. AWS numbers them from 001 on; one that was replaced may have another number."""
        return group.member_clusters.apply(
            lambda members: sorted(members)[index] if index < len(members or ()) else f"{identifier}-{index + 1:03d}"
        )

    def _user(
        self,
        name: str,
        args: RedisArgs,
        kind: str,
        username: str,
        access: str,
        child: pulumi.ResourceOptions,
    ) -> tuple[elasticache.User, pulumi.Output[str]]:
        password = random.RandomPassword(f"{name}-{kind}-password", length=40, special=False, opts=child)
        user = elasticache.User(
            f"{name}-{kind}-user",
            engine="redis",
            # User ids are unique in an account and region, user names only in a group.
            user_id=physical_name(args.identifier, kind, limit=ID_LIMIT),
            user_name=username,
            access_string=access,
            authentication_mode={"type": "password", "passwords": [password.result]},
            tags=tags.aws(args.ownership, name=f"{args.identifier}-{kind}"),
            opts=child,
        )
        return user, pulumi.Output.secret(password.result)
