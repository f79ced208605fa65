"""Every AWS type that the stand-in serves, and the operations they call."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.providers.aws import (
    alarms,
    budgets,
    cache_users,
    ec2_launch_templates,
    ec2_network,
    ec2_routes,
    ec2_security,
    ec2_vpc_features,
    eks,
    eks_node_groups,
    elasticache,
    functions,
    iam,
    invokes,
    kms,
    logs,
    rds,
    rds_instances,
    s3,
    secretsmanager,
    sns,
    sqs,
)
from sandbox.providers.aws.table import AwsType

TABLE: tuple[AwsType, ...] = (
    *ec2_network.TYPES,
    *ec2_routes.TYPES,
    *ec2_security.TYPES,
    *ec2_vpc_features.TYPES,
    *ec2_launch_templates.TYPES,
    *iam.TYPES,
    *kms.TYPES,
    *logs.TYPES,
    *s3.TYPES,
    *secretsmanager.TYPES,
    *sns.TYPES,
    *sqs.TYPES,
    *alarms.TYPES,
    *functions.TYPES,
    *budgets.TYPES,
    *eks.TYPES,
    *eks_node_groups.TYPES,
    *rds.TYPES,
    *rds_instances.TYPES,
    *elasticache.TYPES,
    *cache_users.TYPES,
)


def _operations() -> Mapping[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = dict(invokes.OPERATIONS)
    for entry in TABLE:
        if entry.service:
            found[entry.service] = found.get(entry.service, frozenset()) | entry.operation_names()
    return found


OPERATIONS = _operations()
"""Service -> operations: what its model is cut down to."""
