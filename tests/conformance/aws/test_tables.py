"""The tables agree with the SDK and with botocore's models, and say which types are live."""

from __future__ import annotations

import pytest

from sandbox.providers.aws.table import AwsType
from sandbox.providers.aws.tables import OPERATIONS, TABLE
from sandbox.providers.typed import Kind, installed_sdk

SDK = installed_sdk("aws")

LIVE = {
    "aws:budgets/budget:Budget",
    "aws:cloudwatch/logGroup:LogGroup",
    "aws:cloudwatch/logMetricFilter:LogMetricFilter",
    "aws:cloudwatch/metricAlarm:MetricAlarm",
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
    "aws:ec2/eip:Eip",
    "aws:ec2/flowLog:FlowLog",
    "aws:ec2/internetGateway:InternetGateway",
    "aws:ec2/launchTemplate:LaunchTemplate",
    "aws:ec2/natGateway:NatGateway",
    "aws:ec2/route:Route",
    "aws:ec2/routeTable:RouteTable",
    "aws:ec2/routeTableAssociation:RouteTableAssociation",
    "aws:ec2/securityGroup:SecurityGroup",
    "aws:ec2/subnet:Subnet",
    "aws:ec2/vpc:Vpc",
    "aws:ec2/vpcEndpoint:VpcEndpoint",
    "aws:eks/cluster:Cluster",
    "aws:eks/nodeGroup:NodeGroup",
    "aws:elasticache/replicationGroup:ReplicationGroup",
    "aws:elasticache/subnetGroup:SubnetGroup",
    "aws:elasticache/user:User",
    "aws:elasticache/userGroup:UserGroup",
    "aws:elasticache/userGroupAssociation:UserGroupAssociation",
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
    "aws:iam/policy:Policy",
    "aws:iam/role:Role",
    "aws:iam/rolePolicy:RolePolicy",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    "aws:kms/alias:Alias",
    "aws:kms/key:Key",
    "aws:lambda/function:Function",
    "aws:lambda/functionUrl:FunctionUrl",
    "aws:lambda/permission:Permission",
    "aws:rds/instance:Instance",
    "aws:rds/parameterGroup:ParameterGroup",
    "aws:rds/subnetGroup:SubnetGroup",
    "aws:s3/bucket:Bucket",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
    "aws:s3/bucketPolicy:BucketPolicy",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "aws:s3/bucketVersioning:BucketVersioning",
    "aws:secretsmanager/secret:Secret",
    "aws:secretsmanager/secretVersion:SecretVersion",
    "aws:sns/topic:Topic",
    "aws:sns/topicPolicy:TopicPolicy",
    "aws:sns/topicSubscription:TopicSubscription",
    "aws:sqs/queue:Queue",
    "aws:sqs/queuePolicy:QueuePolicy",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
}
RECORDED = {
    "aws:eks/accessEntry:AccessEntry",
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
    "aws:eks/addon:Addon",
    "aws:elasticache/parameterGroup:ParameterGroup",
}


def test_which_types_are_live() -> None:
    assert {entry.token for entry in TABLE if entry.kind is Kind.LIVE} == LIVE
    assert {entry.token for entry in TABLE if entry.kind is Kind.RECORDED} == RECORDED
    assert len(TABLE) == len(LIVE | RECORDED), "a type is declared once"


@pytest.mark.parametrize("entry", TABLE, ids=lambda entry: entry.token)
def test_an_entry_names_only_what_the_sdk_has(entry: AwsType) -> None:
    inputs, outputs = set(SDK.inputs(entry.token)), set(SDK.outputs(entry.token))
    sent = {name for call in (entry.create, *entry.modifies) for name in call.fields}
    named = (
        sent | entry.replace_on | entry.computed | entry.sets | entry.documents | entry.settings | entry.hooked
        | entry.placed | set(entry.defaults) | {name for group in entry.conflicts for name in group}
    )  # fmt: skip
    assert {name.split(".")[0] for name in named} <= inputs
    assert {name for read in entry.reads for name in read.fields} | set(entry.computed_outputs) <= outputs
    required = {name for name, known in SDK.inputs(entry.token).items() if known.required}
    assert entry.served is None or required <= entry.served
    assert entry.documentation.startswith("https://www.pulumi.com/registry/packages/aws/api-docs/")


@pytest.mark.parametrize("entry", [e for e in TABLE if e.kind is Kind.LIVE], ids=lambda entry: entry.token)
def test_no_change_goes_unnoticed(entry: AwsType) -> None:
    """Each input replaces, is sent by an update, or is known to need no call."""
    replaced = {name.split(".")[0] for name in entry.replace_on}
    sent = {name for modify in entry.modifies for name in modify.fields}
    steering = entry.settings | entry.placed | {"region", "tags"}
    assert entry.served is not None
    assert entry.served <= replaced | sent | entry.hooked | steering


@pytest.mark.parametrize("service", sorted(OPERATIONS))
def test_every_operation_is_one_of_botocores(service: str) -> None:
    import botocore.session
    from botocore import xform_name

    model = botocore.session.Session().get_service_model(service)
    assert OPERATIONS[service] <= {xform_name(name) for name in model.operation_names}
