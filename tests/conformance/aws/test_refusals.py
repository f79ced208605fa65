"""What the AWS stand-in refuses, and how it says so: one line that names the resource and the property."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from sandbox.providers.aws.provider import AwsProvider
from sandbox.providers.interface import UNKNOWN, ProviderError, Resource

ENVIRONMENT = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",  # the discard port: nothing here may need an answer
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "a",
    "AWS_SECRET_ACCESS_KEY": "b",
}


@pytest.fixture(scope="module")
def provider() -> AwsProvider:
    made = AwsProvider()
    made.configure({}, ENVIRONMENT)
    return made


def _resource(token: str) -> Resource:
    return Resource(f"urn:pulumi:stack::project::{token}::thing", token, "thing")


def _refused(provider: AwsProvider, token: str, inputs: Mapping[str, Any]) -> dict[str, str]:
    failures = provider.check(_resource(token), inputs, None, b"seed").failures
    assert all("\n" not in failure.reason for failure in failures)
    return {failure.property: failure.reason for failure in failures}


CACHE = {"description": "x", "transitEncryptionEnabled": True}
PASSWORD = "0123456789abcdef"
USER = {"userId": "u", "userName": "u", "engine": "redis", "accessString": "on"}
NODES = {
    "clusterName": "c", "nodeRoleArn": "r", "subnetIds": ["s"],
    "scalingConfig": {"minSize": 1, "desiredSize": 1, "maxSize": 1},
}  # fmt: skip
INSTANCE = {
    "engine": "postgres", "instanceClass": "db.t4g.small", "allocatedStorage": 20, "username": "a",
    "password": "12345678",
}  # fmt: skip


@pytest.mark.parametrize(
    ("token", "inputs", "property", "reason"),
    [
        ("aws:ec2/vpc:Vpc", {"cidrBlok": "10.0.0.0/16"}, "cidrBlok", "did you mean `cidrBlock`?"),
        ("aws:ec2/vpc:Vpc", {"enableDnsSupport": "yes"}, "enableDnsSupport", "expected a boolean"),
        ("aws:ec2/vpc:Vpc", {"ipv4IpamPoolId": "pool"}, "ipv4IpamPoolId", "is not served"),
        ("aws:ec2/vpc:Vpc", {"instanceTenancy": "mine"}, "instanceTenancy", "expected one of default, dedicated"),
        ("aws:ec2/vpc:Vpc", {"region": "eu-west-1"}, "region", "the sandbox's region is us-east-1"),
        ("aws:ec2/subnet:Subnet", {}, "vpcId", "missing required property"),
        ("aws:s3/bucket:Bucket", {"bucket": "Capitals"}, "bucket", "lower-case"),
        ("aws:s3/bucket:Bucket", {"bucket": "a-b", "bucketPrefix": "a"}, "bucket", "conflicts with `bucketPrefix`"),
        ("aws:kms/key:Key", {"deletionWindowInDays": 3}, "deletionWindowInDays", "expected 7 to 30"),
        ("aws:kms/alias:Alias", {"name": "mine", "targetKeyId": "k"}, "name", "begins with alias/"),
        ("aws:cloudwatch/logGroup:LogGroup", {"retentionInDays": 31}, "retentionInDays", "expected one of"),
        ("aws:iam/role:Role", {"assumeRolePolicy": "{}", "maxSessionDuration": 60}, "maxSessionDuration", "3600"),
        ("aws:secretsmanager/secret:Secret", {"recoveryWindowInDays": 3}, "recoveryWindowInDays", "7 to 30"),
        ("aws:secretsmanager/secretVersion:SecretVersion", {"secretId": "s"}, "secretString", "exactly one of"),
        ("aws:secretsmanager/secretVersion:SecretVersion", {"secretId": "s", "secretBinary": "no base64!"},
         "secretBinary", "expected base64"),
        ("aws:cloudwatch/logMetricFilter:LogMetricFilter",
         {"logGroupName": "g", "pattern": "",
          "metricTransformation": {"name": "n", "namespace": "s", "value": "1", "defaultValue": "none"}},
         "metricTransformation", "defaultValue: expected a number"),
        ("aws:sns/topicSubscription:TopicSubscription", {"topic": "t", "protocol": "fax", "endpoint": "1"},
         "protocol", "expected one of application"),
        ("aws:elasticache/replicationGroup:ReplicationGroup",
         {**CACHE, "authToken": "0123456789abcdef", "userGroupIds": ["a"]},
         "authToken", "conflicts with `userGroupIds`"),
        ("aws:elasticache/replicationGroup:ReplicationGroup",
         {"description": "x", "transitEncryptionEnabled": False}, "transitEncryptionEnabled", "TLS only"),
        ("aws:elasticache/replicationGroup:ReplicationGroup",
         {**CACHE, "automaticFailoverEnabled": True, "numCacheClusters": 1}, "numCacheClusters", "at least 2"),
        ("aws:elasticache/replicationGroup:ReplicationGroup", {**CACHE, "engine": "memcached"}, "engine", "redis or"),
        ("aws:elasticache/replicationGroup:ReplicationGroup",
         {"description": "x", "userGroupIds": ["a"]}, "userGroupIds", "requires transitEncryptionEnabled"),
        ("aws:elasticache/replicationGroup:ReplicationGroup",
         {"description": "x", "authToken": "0123456789abcdef"}, "authToken", "requires transitEncryptionEnabled"),
        ("aws:elasticache/replicationGroup:ReplicationGroup", {**CACHE, "authToken": "0123456789abcde"},
         "authToken", "16 to 128"),
        ("aws:elasticache/replicationGroup:ReplicationGroup", {**CACHE, "authToken": "a" * 129},
         "authToken", "16 to 128"),
        ("aws:elasticache/replicationGroup:ReplicationGroup", {**CACHE, "multiAzEnabled": True},
         "multiAzEnabled", "requires automaticFailoverEnabled"),
        ("aws:elasticache/user:User", {**USER, "passwords": [PASSWORD], "noPasswordRequired": True},
         "passwords", "conflicts with `noPasswordRequired`"),
        ("aws:elasticache/user:User",
         {**USER, "noPasswordRequired": True, "authenticationMode": {"type": "no-password-required"}},
         "noPasswordRequired", "conflicts with `authenticationMode`"),
        ("aws:elasticache/user:User", USER, "passwords", "one of passwords, noPasswordRequired and"),
        ("aws:elasticache/user:User", {**USER, "passwords": [PASSWORD] * 3}, "passwords", "at most 2"),
        ("aws:elasticache/user:User",
         {**USER, "authenticationMode": {"type": "password", "passwords": [PASSWORD, "short"]}},
         "authenticationMode.passwords[1]", "16 to 128"),
        ("aws:rds/instance:Instance", {k: v for k, v in INSTANCE.items() if k != "allocatedStorage"},
         "allocatedStorage", "missing required property"),
        ("aws:eks/nodeGroup:NodeGroup",
         {**NODES, "scalingConfig": {"minSize": 1, "desiredSize": 3, "maxSize": 2}},
         "scalingConfig.desiredSize", "1 to 2"),
        ("aws:eks/nodeGroup:NodeGroup",
         {**NODES, "launchTemplate": {"id": "lt-1", "name": "one", "version": "1"}}, "launchTemplate", "exactly one"),
        ("aws:eks/nodeGroup:NodeGroup", {**NODES, "launchTemplate": {"version": "1"}}, "launchTemplate", "exactly one"),
        ("aws:eks/cluster:Cluster",
         {"roleArn": "r", "vpcConfig": {"subnetIds": ["a", "b"]}, "enabledClusterLogTypes": ["api", "kubelet"]},
         "enabledClusterLogTypes[1]", "expected one of api, audit"),
        ("aws:elasticache/user:User",
         {"userId": "u", "userName": "u", "engine": "redis", "accessString": "on", "passwords": ["short"]},
         "passwords[0]", "16 to 128"),
        ("aws:rds/instance:Instance", {**INSTANCE, "engine": "mysql"}, "engine", "real Postgres"),
        ("aws:rds/instance:Instance", {**INSTANCE, "backupRetentionPeriod": 36}, "backupRetentionPeriod", "0 to 35"),
        ("aws:rds/instance:Instance", {**INSTANCE, "password": "short"}, "password", "8 to 128"),
        ("aws:eks/cluster:Cluster", {"roleArn": "r", "vpcConfig": {"subnetIds": ["subnet-1"]}},
         "vpcConfig.subnetIds", "at least two"),
        ("aws:eks/nodeGroup:NodeGroup",
         {"clusterName": "c", "nodeRoleArn": "r", "subnetIds": ["s"],
          "scalingConfig": {"minSize": 2, "desiredSize": 1, "maxSize": 3}}, "scalingConfig.desiredSize", "2 to 3"),
        ("aws:eks/nodeGroup:NodeGroup", {**NODES, "instanceTypes": ["t4g.large"], "amiType": "AL2023_x86_64_STANDARD"},
         "instanceTypes[0]", "t4g.large has an Arm processor"),
        ("aws:eks/nodeGroup:NodeGroup", {**NODES, "instanceTypes": ["m7g.large", "g5.xlarge"],
                                         "amiType": "AL2023_ARM_64_STANDARD"},
         "instanceTypes[1]", "g5.xlarge has an x86 processor"),
        ("aws:eks/addon:Addon", {"clusterName": "c", "addonName": "coredns", "addonVersion": "1.13.2"},
         "addonVersion", "such as v1.20.0-eksbuild.1"),
        ("aws:ec2/securityGroup:SecurityGroup", {"description": "the cluster's nodes"}, "description", "EC2 takes"),
        ("aws:ec2/securityGroup:SecurityGroup", {"description": "a" * 256}, "description", "at most 255"),
        ("aws:ec2/securityGroup:SecurityGroup",
         {"ingress": [{"protocol": "tcp", "fromPort": 1, "toPort": 1, "description": "für alle"}]},
         "ingress[0].description", "EC2 takes"),
        ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
         {"securityGroupId": "sg", "ipProtocol": "tcp", "cidrIpv4": "10.0.0.0/8", "description": 'a "name"'},
         "description", "EC2 takes"),
        ("aws:rds/parameterGroup:ParameterGroup",
         {"family": "postgres18", "parameters": [{"name": "work_mem", "value": "1"},
                                                 {"name": "max_connections", "value": "500"}]},
         "parameters[1].applyMethod", "max_connections is static"),
        ("aws:eks/accessEntry:AccessEntry",
         {"clusterName": "c", "principalArn": "arn:aws:iam::123456789012:role/r",
          "kubernetesGroups": ["system:masters"]}, "kubernetesGroups[0]", "reserved prefix"),
        ("aws:budgets/budget:Budget",
         {"budgetType": "COST", "timeUnit": "MONTHLY", "notifications": [
             {"comparisonOperator": "GREATER_THAN", "threshold": 80, "thresholdType": "PERCENTAGE",
              "notificationType": "ACTUAL"}]}, "notifications[0]", "no subscriber"),
        ("aws:budgets/budget:Budget", {"budgetType": "MOOD", "timeUnit": "MONTHLY"}, "budgetType", "expected one of"),
        ("aws:ec2/route:Route", {"routeTableId": "r", "destinationCidrBlock": "0.0.0.0/0"},
         "gatewayId", "none was given"),
        ("aws:ec2/route:Route", {"routeTableId": "r", "destinationCidrBlock": "0.0.0.0/0", "gatewayId": "g",
                                 "natGatewayId": "n"}, "natGatewayId", "exclude each other"),
    ],
)  # fmt: skip
def test_an_input_is_refused_by_name(
    provider: AwsProvider, token: str, inputs: Mapping[str, Any], property: str, reason: str
) -> None:
    found = _refused(provider, token, inputs)
    assert reason in found.get(property, ""), found


def test_no_secret_is_told(provider: AwsProvider) -> None:
    for found in (
        _refused(provider, "aws:rds/instance:Instance", {**INSTANCE, "password": "geheim"}),
        _refused(provider, "aws:elasticache/replicationGroup:ReplicationGroup", {**CACHE, "authToken": "geheim"}),
    ):
        assert found and "geheim" not in str(found)


def test_what_is_not_known_yet_is_not_refused(provider: AwsProvider) -> None:
    inputs = {"name": UNKNOWN, "targetKeyId": UNKNOWN}
    assert _refused(provider, "aws:kms/alias:Alias", inputs) == {}
    assert _refused(provider, "aws:ec2/subnet:Subnet", {"vpcId": UNKNOWN, "cidrBlock": UNKNOWN, "tags": UNKNOWN}) == {}
    for later in (
        {"transitEncryptionEnabled": UNKNOWN, "userGroupIds": ["a"]},
        {"transitEncryptionEnabled": UNKNOWN, "authToken": UNKNOWN},
        {"multiAzEnabled": UNKNOWN, "automaticFailoverEnabled": False},
        {"automaticFailoverEnabled": UNKNOWN, "numCacheClusters": 1},
    ):
        assert _refused(provider, "aws:elasticache/replicationGroup:ReplicationGroup", {**CACHE, **later}) == {}


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        ("aws:eks/nodeGroup:NodeGroup", {**NODES, "instanceTypes": ["is4gen.large", "g5g.xlarge", "a1.large"],
                                         "amiType": "AL2023_ARM_64_STANDARD"}),
        ("aws:eks/nodeGroup:NodeGroup", {**NODES, "instanceTypes": ["g4dn.xlarge", "m7i-flex.large"],
                                         "amiType": "AL2023_x86_64_STANDARD"}),
        ("aws:elasticache/replicationGroup:ReplicationGroup",
         {**CACHE, "authToken": PASSWORD, "automaticFailoverEnabled": True, "multiAzEnabled": True,
          "numCacheClusters": 2, "engine": "valkey"}),
        ("aws:elasticache/replicationGroup:ReplicationGroup", {**CACHE, "authToken": "a" * 128}),
        ("aws:elasticache/user:User", {**USER, "passwords": [PASSWORD, "a" * 128]}),
        ("aws:ec2/securityGroup:SecurityGroup", {"description": "a-z A-Z 0-9 ._-:/()#,@[]+=&;{}!$*"}),
        ("aws:rds/parameterGroup:ParameterGroup",
         {"family": "postgres18",
          "parameters": [{"name": "max_connections", "value": "500", "applyMethod": "pending-reboot"}]}),
    ],
)  # fmt: skip
def test_what_aws_takes_is_taken(provider: AwsProvider, token: str, inputs: Mapping[str, Any]) -> None:
    assert _refused(provider, token, inputs) == {}


def test_a_type_in_no_table_is_named(provider: AwsProvider) -> None:
    token = "aws:dynamodb/table:Table"
    with pytest.raises(ProviderError, match=r"aws:dynamodb/table:Table: .* does not serve this type"):
        provider.check(_resource(token), {}, None, b"seed")
    with pytest.raises(ProviderError, match=r"aws:ec2/getAmi:getAmi: .* does not serve this function"):
        provider.invoke("aws:ec2/getAmi:getAmi", {})


def test_names_are_generated_within_each_types_limits(provider: AwsProvider) -> None:
    long = Resource("urn:pulumi:s::p::aws:s3/bucket:Bucket::X", "aws:s3/bucket:Bucket", "An-Extraordinarily-" * 5)
    name = provider.check(long, {}, None, b"seed").inputs["bucket"]
    assert isinstance(name, str) and len(name) <= 63 and name == name.lower()
    alias = provider.check(_resource("aws:kms/alias:Alias"), {"targetKeyId": "k"}, None, b"seed").inputs
    assert str(alias["name"]).startswith("alias/thing-")
    kept = provider.check(_resource("aws:kms/alias:Alias"), {"targetKeyId": "k"}, alias, b"another seed").inputs
    assert kept["name"] == alias["name"]


def test_default_tags_are_merged_under_the_resources_own() -> None:
    provider = AwsProvider()
    provider.configure({"defaultTags": '{"tags": {"product": "chronos", "owner": "platform"}}'}, ENVIRONMENT)
    inputs = provider.check(_resource("aws:ec2/vpc:Vpc"), {"tags": {"owner": "me"}}, None, b"seed").inputs
    assert inputs["tags"] == {"product": "chronos", "owner": "me"}
    planned = provider.create(_resource("aws:ec2/vpc:Vpc"), inputs, preview=True, timeout=0).outputs
    assert planned["tagsAll"] == inputs["tags"] and planned["arn"] is UNKNOWN


@pytest.mark.parametrize(
    ("config", "property"),
    [({"assumeRoles": '[{"roleArn": "r"}]'}, "assumeRoles"), ({"ignoreTags": '{"keys": ["a"]}'}, "ignoreTags")],
)
def test_a_setting_without_effect_is_refused(provider: AwsProvider, config: Mapping[str, Any], property: str) -> None:
    assert {failure.property for failure in provider.check_config(config).failures} == {property}


@pytest.mark.parametrize(
    ("environment", "reason"),
    [({}, "no region"), ({"AWS_REGION": "us-east-1"}, "no endpoint; the stand-in serves the sandbox alone")],
)
def test_without_the_sandbox_there_is_nothing_to_serve(environment: Mapping[str, str], reason: str) -> None:
    with pytest.raises(ProviderError, match=reason):
        AwsProvider().configure({}, environment)
