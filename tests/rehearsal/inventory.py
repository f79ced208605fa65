"""What exists in the sandbox's services, to hold against the states: nothing lost, nothing twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from fleet.cloud import client
from tests.rehearsal.freehold import Freehold

REGION = "us-east-1"


def aws(freehold: Freehold) -> dict[str, set[str]]:
    """The ids of what exists by Pulumi type; what AWS makes by itself (a default network, service keys) is left out."""

    def of(service: str) -> Any:
        return client(service, REGION, freehold.variables)

    ec2, iam = of("ec2"), of("iam")
    ours = {one["VpcId"] for one in ec2.describe_vpcs()["Vpcs"] if not one["IsDefault"]}

    def inside(items: list[Any], key: str) -> set[str]:
        return {item[key] for item in items if item["VpcId"] in ours}

    return {
        "aws:ec2/vpc:Vpc": ours,
        "aws:ec2/subnet:Subnet": inside(ec2.describe_subnets()["Subnets"], "SubnetId"),
        "aws:ec2/natGateway:NatGateway": {
            one["NatGatewayId"] for one in ec2.describe_nat_gateways()["NatGateways"] if one["State"] != "deleted"
        },
        "aws:ec2/eip:Eip": {one["AllocationId"] for one in ec2.describe_addresses()["Addresses"]},
        "aws:ec2/securityGroup:SecurityGroup": {
            one["GroupId"]
            for one in ec2.describe_security_groups()["SecurityGroups"]
            if one["VpcId"] in ours
            and one["GroupName"] != "default"
            and not one["GroupName"].startswith("eks-cluster-sg")
        },
        "aws:iam/role:Role": {
            one["RoleName"] for one in iam.list_roles()["Roles"] if not one["Path"].startswith("/aws-service-role/")
        },
        "aws:rds/instance:Instance": {one["DbiResourceId"] for one in of("rds").describe_db_instances()["DBInstances"]},
        "aws:eks/cluster:Cluster": set(of("eks").list_clusters()["clusters"]),
        "aws:elasticache/replicationGroup:ReplicationGroup": {
            one["ReplicationGroupId"] for one in of("elasticache").describe_replication_groups()["ReplicationGroups"]
        },
        "aws:s3/bucket:Bucket": {one["Name"] for one in of("s3").list_buckets()["Buckets"]},
        "aws:sns/topic:Topic": {one["TopicArn"] for one in of("sns").list_topics()["Topics"]},
        "aws:secretsmanager/secret:Secret": {one["ARN"] for one in of("secretsmanager").list_secrets()["SecretList"]},
        "aws:cloudwatch/logGroup:LogGroup": {
            one["logGroupName"] for one in of("logs").describe_log_groups()["logGroups"]
        },
    }


def in_states(freehold: Freehold, stacks: tuple[str, ...]) -> dict[str, set[str]]:
    """The ids in the states, by type."""
    found: dict[str, set[str]] = {}
    for stack in stacks:
        for resource in freehold.state(stack).managed:
            found.setdefault(resource["type"], set()).add(str(resource["id"]))
    return found


def differences(freehold: Freehold, stacks: tuple[str, ...]) -> list[str]:
    """What exists and no state holds, and what a state holds and does not exist; empty where all is well."""

    def compare() -> Iterator[str]:
        known = in_states(freehold, stacks)
        for kind, existing in aws(freehold).items():
            held = known.get(kind, set())
            yield from (f"{kind} {one} is in no state" for one in sorted(existing - held))
            yield from (f"{kind} {one} does not exist" for one in sorted(held - existing))

    return [*compare(), *doubled(freehold, stacks)]


def doubled(freehold: Freehold, stacks: tuple[str, ...]) -> list[str]:
    """URNs that a state holds more than once."""
    return [
        f"{urn} is {count} times in {stack}"
        for stack in stacks
        for urn, count in Counter(one["urn"] for one in freehold.state(stack).resources).items()
        if count > 1
    ]


def waits(freehold: Freehold, kinds: Callable[[str], bool]) -> bool:
    """Whether an operation on a resource of such a type is pending in the platform's state."""
    state = freehold.state()
    return any(kinds(operation.urn) for operation in state.pending)
