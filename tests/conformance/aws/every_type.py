"""A Pulumi program with every AWS type that the stand-in serves; run by the engine, and imported by nothing else."""

from __future__ import annotations

import base64
import json

import pulumi
import pulumi_aws as aws

PASSWORD = pulumi.Output.secret("a password for tests 1")
identity = aws.get_caller_identity()
region = aws.get_region().region
zones = aws.get_availability_zones(state="available").names[:2]
tags = {"product": "chronos", "environment": "test"}


def trust(service: str) -> str:
    principal = aws.iam.GetPolicyDocumentStatementPrincipalArgs(type="Service", identifiers=[service])
    statement = aws.iam.GetPolicyDocumentStatementArgs(actions=["sts:AssumeRole"], principals=[principal])
    return aws.iam.get_policy_document(statements=[statement]).json


def allow(action: str, resource: pulumi.Input[str]) -> pulumi.Output[str]:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": [statement]})


# The network
vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16", enable_dns_hostnames=True, tags=tags)
aws.ec2.DefaultSecurityGroup("default-group", vpc_id=vpc.id, ingress=[], egress=[], tags=tags)
subnets = [
    aws.ec2.Subnet(f"subnet-{i}", vpc_id=vpc.id, cidr_block=f"10.0.{i}.0/24", availability_zone=zone, tags=tags)
    for i, zone in enumerate(zones)
]
subnet_ids = [subnet.id for subnet in subnets]
gateway = aws.ec2.InternetGateway("gateway", vpc_id=vpc.id, tags=tags)
address = aws.ec2.Eip("address", domain="vpc", tags=tags)
nat = aws.ec2.NatGateway("nat", subnet_id=subnet_ids[0], allocation_id=address.id, tags=tags)
table = aws.ec2.RouteTable("table", vpc_id=vpc.id, tags=tags)
aws.ec2.Route("route", route_table_id=table.id, destination_cidr_block="0.0.0.0/0", nat_gateway_id=nat.id)
aws.ec2.RouteTableAssociation("association", route_table_id=table.id, subnet_id=subnet_ids[0])
endpoint = aws.ec2.VpcEndpoint(
    "endpoint", vpc_id=vpc.id, service_name=f"com.amazonaws.{region}.s3", route_table_ids=[table.id], tags=tags
)
group = aws.ec2.SecurityGroup("group", vpc_id=vpc.id, description="everything", tags=tags)
aws.vpc.SecurityGroupIngressRule(
    "ingress", security_group_id=group.id, ip_protocol="tcp", from_port=443, to_port=443, cidr_ipv4="10.0.0.0/8"
)
aws.vpc.SecurityGroupEgressRule("egress", security_group_id=group.id, ip_protocol="-1", cidr_ipv4="0.0.0.0/0")

# Keys, logs, roles
key = aws.kms.Key("key", description="everything", enable_key_rotation=True, deletion_window_in_days=7, tags=tags)
aws.kms.Alias("alias", name="alias/every-type", target_key_id=key.key_id)
logs = aws.cloudwatch.LogGroup("logs", name="/every-type/flow-logs", retention_in_days=30, tags=tags)
role = aws.iam.Role("role", assume_role_policy=trust("vpc-flow-logs.amazonaws.com"), tags=tags)
aws.iam.RolePolicy("inline", role=role.id, policy=allow("logs:PutLogEvents", logs.arn))
policy = aws.iam.Policy("policy", policy=allow("s3:GetObject", "*"), tags=tags)
aws.iam.RolePolicyAttachment("attached", role=role.name, policy_arn=policy.arn)
aws.ec2.FlowLog(
    "flow-log", vpc_id=vpc.id, traffic_type="ALL", log_destination=logs.arn, iam_role_arn=role.arn, tags=tags
)

# A bucket
bucket = aws.s3.Bucket("bucket", force_destroy=True, tags=tags)
closed = aws.s3.BucketPublicAccessBlock("closed", bucket=bucket.id, block_public_acls=True, block_public_policy=True)
aws.s3.BucketOwnershipControls("owned", bucket=bucket.id, rule={"object_ownership": "BucketOwnerEnforced"})
aws.s3.BucketServerSideEncryptionConfiguration(
    "encrypted",
    bucket=bucket.id,
    rules=[
        {
            "apply_server_side_encryption_by_default": {"sse_algorithm": "aws:kms", "kms_master_key_id": key.arn},
            "bucket_key_enabled": True,
        }
    ],
)
versioned = aws.s3.BucketVersioning("versioned", bucket=bucket.id, versioning_configuration={"status": "Enabled"})
aws.s3.BucketLifecycleConfiguration(
    "ageing",
    bucket=bucket.id,
    rules=[
        {
            "id": "old",
            "status": "Enabled",
            "filter": {},
            "noncurrent_version_expiration": {"noncurrent_days": 90},
            "abort_incomplete_multipart_upload": {"days_after_initiation": 7},
        }
    ],
    opts=pulumi.ResourceOptions(depends_on=[versioned]),
)
aws.s3.BucketPolicy(
    "bucket-policy",
    bucket=bucket.id,
    policy=allow("s3:GetObject", pulumi.Output.concat(bucket.arn, "/*")),
    opts=pulumi.ResourceOptions(depends_on=[closed]),
)

# Alerts
topic = aws.sns.Topic("topic", display_name="Alerts", kms_master_key_id=key.arn, tags=tags)
aws.sns.TopicPolicy("topic-policy", arn=topic.arn, policy=allow("sns:Publish", topic.arn))
aws.sns.TopicSubscription("subscription", topic=topic.arn, protocol="email", endpoint="ops@example.test")
queue = aws.sqs.Queue("queue", message_retention_seconds=1209600, sqs_managed_sse_enabled=True, tags=tags)
aws.sqs.QueuePolicy("queue-policy", queue_url=queue.url, policy=allow("sqs:SendMessage", queue.arn))
aws.cloudwatch.MetricAlarm(
    "alarm",
    namespace="AWS/SQS",
    metric_name="ApproximateNumberOfMessagesVisible",
    dimensions={"QueueName": queue.name},
    statistic="Maximum",
    period=60,
    evaluation_periods=1,
    threshold=0,
    comparison_operator="GreaterThanThreshold",
    alarm_actions=[topic.arn],
    tags=tags,
)
aws.budgets.Budget(
    "budget",
    budget_type="COST",
    time_unit="MONTHLY",
    limit_amount="1200",
    limit_unit="USD",
    notifications=[
        {
            "comparison_operator": "GREATER_THAN",
            "threshold": 80,
            "threshold_type": "PERCENTAGE",
            "notification_type": "ACTUAL",
            "subscriber_sns_topic_arns": [topic.arn],
        }
    ],
    tags=tags,
)

# Secrets
secret = aws.secretsmanager.Secret("secret", recovery_window_in_days=0, tags=tags)
version = aws.secretsmanager.SecretVersion("version", secret_id=secret.id, secret_string=PASSWORD)
read_back = aws.secretsmanager.get_secret_version_output(secret_id=version.secret_id)

# A function
function = aws.lambda_.Function(
    "function",
    code=pulumi.AssetArchive({"handler.py": pulumi.StringAsset("def main(event, context): ...")}),
    handler="handler.main",
    runtime="python3.13",
    role=role.arn,
    vpc_config={"subnet_ids": subnet_ids, "security_group_ids": [group.id]},
    dead_letter_config={"target_arn": queue.arn},
    tags=tags,
)
aws.lambda_.Permission(
    "callers", function=function.name, action="lambda:InvokeFunctionUrl", principal="*", function_url_auth_type="NONE"
)
aws.lambda_.FunctionUrl("address-of-function", function_name=function.name, authorization_type="NONE")
aws.cloudwatch.LogMetricFilter(
    "counted",
    log_group_name=logs.name,
    pattern="ERROR",
    metric_transformation={"name": "errors", "namespace": "EveryType", "value": "1"},
)

# A cluster
cluster = aws.eks.Cluster(
    "cluster",
    role_arn=role.arn,
    vpc_config={"subnet_ids": subnet_ids, "endpoint_private_access": True},
    access_config={"authentication_mode": "API", "bootstrap_cluster_creator_admin_permissions": False},
    enabled_cluster_log_types=["audit"],
    tags=tags,
)
issuer = cluster.identities[0].oidcs[0].issuer
aws.iam.OpenIdConnectProvider("oidc", url=issuer, client_id_lists=["sts.amazonaws.com"], tags=tags)
template = aws.ec2.LaunchTemplate(
    "template",
    instance_type="m6i.large",
    metadata_options={"http_tokens": "required", "http_put_response_hop_limit": 1},
    user_data=base64.b64encode(json.dumps({}).encode()).decode(),
    update_default_version=True,
    tags=tags,
)
aws.eks.NodeGroup(
    "nodes",
    cluster_name=cluster.name,
    node_role_arn=role.arn,
    subnet_ids=subnet_ids,
    scaling_config={"min_size": 1, "desired_size": 1, "max_size": 2},
    launch_template={"id": template.id, "version": template.latest_version.apply(str)},
    labels={"pool": "general"},
    tags=tags,
)
aws.eks.Addon("addon", cluster_name=cluster.name, addon_name="vpc-cni", tags=tags)
entry = aws.eks.AccessEntry("entry", cluster_name=cluster.name, principal_arn=role.arn, tags=tags)
aws.eks.AccessPolicyAssociation(
    "association-of-policy",
    cluster_name=cluster.name,
    principal_arn=entry.principal_arn,
    policy_arn="arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy",
    access_scope={"type": "cluster"},
)

# A database
database_subnets = aws.rds.SubnetGroup("database-subnets", subnet_ids=subnet_ids, tags=tags)
settings = aws.rds.ParameterGroup(
    "settings", family="postgres18", parameters=[{"name": "work_mem", "value": "8192"}], tags=tags
)
database = aws.rds.Instance(
    "database",
    engine="postgres",
    engine_version="18",
    instance_class="db.t4g.medium",
    allocated_storage=20,
    db_name="app",
    username="admin_user",
    password=PASSWORD,
    storage_encrypted=True,
    kms_key_id=key.arn,
    skip_final_snapshot=True,
    db_subnet_group_name=database_subnets.name,
    parameter_group_name=settings.name,
    vpc_security_group_ids=[group.id],
    tags=tags,
)

# A cache
cache_subnets = aws.elasticache.SubnetGroup("cache-subnets", subnet_ids=subnet_ids, tags=tags)
cache_settings = aws.elasticache.ParameterGroup(
    "cache-settings", family="redis7", parameters=[{"name": "maxmemory-policy", "value": "noeviction"}], tags=tags
)
nobody = aws.elasticache.User(
    "nobody",
    user_id="every-type-default",
    user_name="default",
    engine="redis",
    access_string="off -@all",
    passwords=[PASSWORD],
    tags=tags,
)
member = aws.elasticache.User(
    "member",
    user_id="every-type-app",
    user_name="app",
    engine="redis",
    access_string="on ~app:* +@all -@dangerous",
    authentication_mode={"type": "password", "passwords": [PASSWORD]},
    tags=tags,
)
users = aws.elasticache.UserGroup(
    "users",
    user_group_id="every-type",
    engine="redis",
    user_ids=[nobody.user_id],
    tags=tags,
    opts=pulumi.ResourceOptions(ignore_changes=["userIds"]),
)
cache = aws.elasticache.ReplicationGroup(
    "cache",
    description="everything",
    node_type="cache.t4g.small",
    num_cache_clusters=1,
    engine="redis",
    engine_version="7.1",
    transit_encryption_enabled=True,
    at_rest_encryption_enabled=True,
    parameter_group_name=cache_settings.name,
    subnet_group_name=cache_subnets.name,
    security_group_ids=[group.id],
    user_group_ids=[users.id],
    tags=tags,
)
aws.elasticache.UserGroupAssociation("joined", user_group_id=users.user_group_id, user_id=member.user_id)

pulumi.export("account", identity.account_id)
pulumi.export("secret", read_back.secret_string)
pulumi.export("bucket", bucket.bucket)
pulumi.export("cluster", cluster.endpoint)
pulumi.export("database", database.endpoint)
pulumi.export("cache", cache.primary_endpoint_address)
