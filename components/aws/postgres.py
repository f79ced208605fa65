"""A Postgres server on RDS."""

from __future__ import annotations

import pulumi
import pulumi_random as random
from pulumi_aws import cloudwatch, rds

from components import tags
from components.aws.enclosure import Enclosure, EnclosureArgs
from components.aws.postgres_parameters import ceilings, parameters
from components.aws.stored_secret import StoredSecret
from components.contracts.postgres import PostgresArgs, login_record
from components.contracts.stored_secret import StoredSecretArgs

PORT = 5432
USERNAME = "freehold"
"""The administrator: on RDS it may make roles and databases and is no superuser."""


class Postgres(pulumi.ComponentResource):
    """A Postgres instance in the data subnets that accepts TLS connections from named security groups and networks
    only.

    - encrypted by a key of its own, snapshots and backups included
    - daily backups with point-in-time recovery; they outlive the instance
    - a final snapshot when it is deleted, under a name that is new each time; like the backups it is encrypted by the
      key, which goes 30 days later: copy what must stay to another key before
    - deletion protection (the engine's and RDS' own) where `protect` is set
    - a new major version where `major_upgrade` is set, at once and with an outage; RDS takes a snapshot before
    - ceilings for what one session may take, and an alarm before the storage is full
    - its administrator's password only in Secrets Manager and, encrypted, in the stack's state
    """

    identifier: pulumi.Output[str]
    host: pulumi.Output[str]
    port: pulumi.Output[int]
    database: str
    username: str
    password: pulumi.Output[str]
    admin_secret: pulumi.Output[str]
    admin_key: pulumi.Output[str]

    def __init__(self, name: str, args: PostgresArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:aws:Postgres", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        marks = tags.aws(args.ownership, name=args.identifier)
        around = Enclosure(
            f"{name}-enclosure",
            EnclosureArgs(
                ownership=args.ownership,
                place=args.place,
                identifier=args.identifier,
                contents="Storage, backups and secrets of the database",
                key_services=("rds",),
                network_id=args.network_id,
                port=PORT,
                clients=args.client_security_groups,
                cidrs=args.client_cidrs,
                replaced_by={"database": args.database},
                protect=args.protect,
            ),
            child,
        )
        subnets = rds.SubnetGroup(
            f"{name}-subnets",
            name=args.identifier,
            subnet_ids=list(args.subnet_ids),
            tags=marks,
            opts=child,
        )
        group = rds.ParameterGroup(
            f"{name}-parameters",
            name=f"{args.identifier}-{args.version}",
            family=f"postgres{args.version}",
            # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.SSL.html
            parameters=parameters(
                args.version, {"rds.force_ssl": "1", **ceilings(args.storage_gib), **args.parameters}
            ),
            tags=marks,
            opts=child,
        )
        logs = cloudwatch.LogGroup(
            f"{name}-logs",
            # RDS writes to this name and would make a group that never expires.
            name=f"/aws/rds/instance/{args.identifier}/postgresql",
            retention_in_days=90,
            tags=marks,
            opts=child,
        )
        # RDS takes no `/`, `@`, `"` or space; letters and digits also need no quoting in a URL.
        password = random.RandomPassword(f"{name}-password", length=40, special=False, opts=child)
        instance = rds.Instance(
            f"{name}-instance",
            identifier=args.identifier,
            engine="postgres",
            engine_version=args.version,
            instance_class=args.machine_type,
            db_name=args.database,
            username=USERNAME,
            password=password.result,
            port=PORT,
            allocated_storage=args.storage_gib,
            max_allocated_storage=args.storage_limit_gib,
            storage_type="gp3",
            storage_encrypted=True,
            kms_key_id=around.key,
            multi_az=args.highly_available,
            publicly_accessible=False,
            db_subnet_group_name=subnets.name,
            vpc_security_group_ids=[around.security_group_id],
            parameter_group_name=group.name,
            ca_cert_identifier="rds-ca-rsa2048-g1",
            backup_retention_period=args.backup_retention_days,
            backup_window="02:00-03:00",
            maintenance_window="sun:03:30-sun:04:30",
            copy_tags_to_snapshot=True,
            delete_automated_backups=False,
            deletion_protection=args.protect,
            skip_final_snapshot=False,
            final_snapshot_identifier=around.final_snapshot,
            enabled_cloudwatch_logs_exports=["postgresql"],
            auto_minor_version_upgrade=True,
            # A new major version takes a parameter group of its own family, and the old one is deleted in the same run,
            # which RDS refuses while an upgrade waits for the maintenance window:
            # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_UpgradeDBInstance.PostgreSQL.MajorVersion.html
            allow_major_version_upgrade=args.major_upgrade,
            apply_immediately=args.major_upgrade,
            tags=marks,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[logs], protect=args.protect),
        )
        cloudwatch.MetricAlarm(
            f"{name}-storage-alarm",
            name=f"{args.identifier}-storage",
            alarm_description=f"Less than a tenth of {args.identifier}'s first storage is free: docs/alarms.md#storage",
            # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html (in bytes)
            namespace="AWS/RDS",
            metric_name="FreeStorageSpace",
            dimensions={"DBInstanceIdentifier": instance.identifier},
            statistic="Minimum",
            comparison_operator="LessThanThreshold",
            threshold=args.storage_gib * 1024**3 / 10,
            period=300,
            evaluation_periods=1,
            alarm_actions=list(args.alarm_topics),
            tags=marks,
            opts=child,
        )
        secret = StoredSecret(
            f"{name}-admin",
            StoredSecretArgs(
                ownership=args.ownership,
                secret_name=f"{args.identifier}/postgres/admin",
                description=f"Administrator of the Postgres server {args.identifier}",
                value=login_record(instance.address, instance.port, args.database, USERNAME, password.result),
                key=around.key,
                recovery_days=30 if args.protect else 0,
            ),
            child,
        )
        self.identifier = instance.identifier
        self.host = instance.address
        self.port = instance.port
        self.database = args.database
        self.username = USERNAME
        self.password = pulumi.Output.secret(password.result)
        self.admin_secret = secret.reference
        self.admin_key = around.key
        self.register_outputs(
            {
                "identifier": self.identifier,
                "host": self.host,
                "port": self.port,
                "database": self.database,
                "admin_secret": self.admin_secret,
            }
        )
