"""moto is killed with SIGKILL between creates of many kinds, and comes back with the same ids, times and contents."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.aws_process import AwsProcess, data_home, scrubbed


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[AwsProcess]:
    process = AwsProcess(data_home(tmp_path))
    process.start()
    yield process
    process.stop()


TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)


class World:
    """Creates things one after the other, and describes them all."""

    def __init__(self, aws: AwsProcess) -> None:
        self.aws = aws
        self.ids: dict[str, str] = {}

    def client(self, service: str) -> Any:
        return self.aws.client(service)

    def network(self) -> None:
        ec2 = self.client("ec2")
        self.ids["vpc"] = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        made = [
            ec2.create_subnet(VpcId=self.ids["vpc"], CidrBlock=block, AvailabilityZone=zone)
            for block, zone in (("10.9.0.0/24", "us-east-1a"), ("10.9.1.0/24", "us-east-1b"))
        ]
        self.ids["subnets"] = ",".join(one["Subnet"]["SubnetId"] for one in made)

    def security_group(self) -> None:
        ec2 = self.client("ec2")
        group = ec2.create_security_group(GroupName="web", Description="web", VpcId=self.ids["vpc"])["GroupId"]
        ec2.authorize_security_group_ingress(
            GroupId=group,
            IpPermissions=[
                {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.9.0.0/16"}]}
            ],
        )

    def identity(self) -> None:
        iam = self.client("iam")
        self.ids["role"] = iam.create_role(RoleName="eks", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
        iam.attach_role_policy(RoleName="eks", PolicyArn="arn:aws:iam::aws:policy/AmazonEKSClusterPolicy")
        iam.create_open_id_connect_provider(
            Url="https://oidc.eks.us-east-1.amazonaws.com/id/ABC",
            ThumbprintList=["0" * 40],
            ClientIDList=["sts.amazonaws.com"],
        )

    def key(self) -> None:
        kms = self.client("kms")
        self.ids["key"] = kms.create_key(Description="data")["KeyMetadata"]["KeyId"]
        self.ciphertext = kms.encrypt(KeyId=self.ids["key"], Plaintext=b"attack at dawn")["CiphertextBlob"]

    def bucket(self) -> None:
        s3 = self.client("s3")
        s3.create_bucket(Bucket="freehold-journal-test")
        s3.put_bucket_versioning(Bucket="freehold-journal-test", VersioningConfiguration={"Status": "Enabled"})
        for text in ("one", "two"):
            s3.put_object(
                Bucket="freehold-journal-test",
                Key="tenants/acme/a b.txt",
                Body=text.encode(),
                Metadata={"owner": "acme"},
            )

    def topic(self) -> None:
        sns = self.client("sns")
        self.ids["topic"] = sns.create_topic(Name="alerts")["TopicArn"]
        sns.subscribe(TopicArn=self.ids["topic"], Protocol="email", Endpoint="ops@example.com")

    def secret(self) -> None:
        self.client("secretsmanager").create_secret(Name="db", SecretString='{"password": "hunter2hunter2"}')

    def database(self) -> None:
        rds = self.client("rds")
        rds.create_db_subnet_group(
            DBSubnetGroupName="data", DBSubnetGroupDescription="data", SubnetIds=self.ids["subnets"].split(",")
        )
        rds.create_db_instance(
            DBInstanceIdentifier="tenants",
            DBInstanceClass="db.t4g.micro",
            Engine="postgres",
            AllocatedStorage=20,
            MasterUsername="freehold",
            MasterUserPassword="p4ssword-p4ssword",
            DBSubnetGroupName="data",
        )
        assert self.aws.decide("rds/tenants", address="127.0.0.1", port=25432) == 200

    def cache(self) -> None:
        elasticache = self.client("elasticache")
        elasticache.create_user(
            UserId="app",
            UserName="app",
            Engine="redis",
            Passwords=["p4ssword-p4ssword"],
            AccessString="on ~app:* +@read",
        )
        elasticache.create_user_group(UserGroupId="users", Engine="redis", UserIds=["default", "app"])
        elasticache.create_replication_group(
            ReplicationGroupId="cache",
            ReplicationGroupDescription="cache",
            Engine="redis",
            UserGroupIds=["users"],
            TransitEncryptionEnabled=True,
        )
        assert self.aws.decide("elasticache/cache", address="127.0.0.1", port=26379) == 200

    def cluster(self) -> None:
        self.client("eks").create_cluster(
            name="first", roleArn=self.ids["role"], resourcesVpcConfig={"subnetIds": self.ids["subnets"].split(",")}
        )
        assert (
            self.aws.decide(
                "eks/first",
                endpoint="https://127.0.0.1:26443",
                certificate_authority="Q0E=",
                issuer="https://oidc.eks.us-east-1.amazonaws.com/id/ABC",
            )
            == 200
        )

    def budget(self) -> None:
        self.client("budgets").create_budget(
            AccountId="123456789012",
            Budget={
                "BudgetName": "monthly",
                "BudgetType": "COST",
                "TimeUnit": "MONTHLY",
                "BudgetLimit": {"Amount": "100", "Unit": "USD"},
            },
        )

    def session(self) -> None:
        made = self.client("sts").assume_role(RoleArn=self.ids["role"], RoleSessionName="test")["Credentials"]
        self.session_credentials = {
            "aws_access_key_id": made["AccessKeyId"],
            "aws_secret_access_key": made["SecretAccessKey"],
            "aws_session_token": made["SessionToken"],
        }

    steps: tuple[Callable[[World], None], ...] = (
        network,
        security_group,
        identity,
        key,
        bucket,
        topic,
        secret,
        database,
        cache,
        cluster,
        budget,
        session,
    )

    def described(self) -> dict[str, Any]:
        """Everything that AWS would tell, ids and times of creation included; what there is not yet is left out."""
        calls: dict[str, Callable[[], Any]] = {
            "vpcs": lambda: self.client("ec2").describe_vpcs(),
            "subnets": lambda: self.client("ec2").describe_subnets(),
            "security groups": lambda: self.client("ec2").describe_security_groups(),
            "rules": lambda: self.client("ec2").describe_security_group_rules(),
            "route tables": lambda: self.client("ec2").describe_route_tables(),
            "roles": lambda: self.client("iam").list_roles(),
            "users": lambda: self.client("iam").list_users(),
            "keys of users": lambda: self.client("iam").list_access_keys(UserName="freehold-operator"),
            "oidc": lambda: self.client("iam").list_open_id_connect_providers(),
            "keys": lambda: self.client("kms").list_keys(),
            "key": lambda: self.client("kms").describe_key(KeyId=self.ids["key"]),
            "plaintext": lambda: self.client("kms").decrypt(CiphertextBlob=self.ciphertext),
            "buckets": lambda: self.client("s3").list_buckets(),
            "versions": lambda: self.client("s3").list_object_versions(Bucket="freehold-journal-test"),
            "topics": lambda: self.client("sns").list_subscriptions(),
            "secrets": lambda: self.client("secretsmanager").list_secrets(),
            "secret": lambda: self.client("secretsmanager").get_secret_value(SecretId="db"),
            "databases": lambda: self.client("rds").describe_db_instances(),
            "caches": lambda: self.client("elasticache").describe_replication_groups(),
            "cache users": lambda: self.client("elasticache").describe_users(),
            "user groups": lambda: self.client("elasticache").describe_user_groups(),
            "clusters": lambda: self.client("eks").describe_cluster(name="first"),
            "budgets": lambda: self.client("budgets").describe_budgets(AccountId="123456789012"),
            "session": lambda: self.aws.client("sts", **self.session_credentials).get_caller_identity(),
        }
        found = {}
        for name, call in calls.items():
            try:
                found[name] = scrubbed(call())
            except (ClientError, KeyError, AttributeError):
                continue
        for instance in found.get("databases", {}).get("DBInstances", ()):
            instance.pop("LatestRestorableTime")  # is the time of asking
        return found


def test_nothing_is_lost_or_changed_by_kills_between_creates(aws: AwsProcess) -> None:
    world = World(aws)
    # Two kinds between one kill and the next, because moto takes two seconds to come back.
    for first, second in zip(World.steps[::2], World.steps[1::2], strict=True):
        first(world)
        second(world)
        before = world.described()
        aws.kill()
        report = aws.start()
        assert world.described() == before, second.__name__
        assert report["diverged"] == [], second.__name__
    final = world.described()
    assert len(final) == 24, "every call of `described` has something to tell by now"
    assert final["plaintext"]["Plaintext"] == b"attack at dawn"
    assert len(final["versions"]["Versions"]) == 2
    assert final["databases"]["DBInstances"][0]["Endpoint"]["Port"] == 25432
    assert final["clusters"]["cluster"]["endpoint"] == "https://127.0.0.1:26443"
    nodes = final["caches"]["ReplicationGroups"][0]["NodeGroups"][0]
    assert nodes["PrimaryEndpoint"] == {"Address": "127.0.0.1", "Port": 26379}
    assert final["session"]["Arn"] == "arn:aws:sts::123456789012:assumed-role/eks/test"


def test_a_read_comes_first_or_not_the_default_network_is_the_same(aws: AwsProcess) -> None:
    """EC2's backend is made by its first request; its ids may not depend on which one that is."""
    first = scrubbed(aws.client("ec2").describe_vpcs())
    aws.client("ec2").create_vpc(CidrBlock="10.1.0.0/16")
    aws.kill()
    aws.start()
    # The replay has made the backend by a write this time.
    assert first["Vpcs"][0] in scrubbed(aws.client("ec2").describe_vpcs())["Vpcs"]


def test_requests_at_once_are_replayed_in_their_order(aws: AwsProcess) -> None:
    sqs = aws.client("sqs")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: sqs.create_queue(QueueName=f"q{number}"), range(40)))
        list(pool.map(lambda number: aws.client("ec2").create_vpc(CidrBlock=f"10.{number}.0.0/16"), range(8)))
    before = scrubbed(aws.client("ec2").describe_vpcs())
    aws.kill()
    assert aws.start()["diverged"] == []
    assert scrubbed(aws.client("ec2").describe_vpcs()) == before


def test_a_line_that_was_cut_short_is_left_out(aws: AwsProcess) -> None:
    aws.client("sqs").create_queue(QueueName="whole")
    aws.kill()
    journal = aws.home.data / "aws" / "journal.jsonl"
    with open(journal, "ab") as file:
        file.write(b'{"number": 99, "moment": 1, "se')
    aws.start()
    assert [url.rpartition("/")[2] for url in aws.client("sqs").list_queues()["QueueUrls"]] == ["whole"]
    aws.client("sqs").create_queue(QueueName="after")
    aws.kill()
    aws.start()
    assert len(aws.client("sqs").list_queues()["QueueUrls"]) == 2


def test_journal_and_key_are_for_the_owner_alone(aws: AwsProcess) -> None:
    for path in (aws.home.data / "aws" / "journal.jsonl", aws.home.credentials / "aws.json"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_full_disk_refuses_the_request_and_changes_nothing(aws: AwsProcess) -> None:
    sqs = aws.client("sqs")
    sqs.create_queue(QueueName="before")
    journal = aws.home.data / "aws" / "journal.jsonl"
    with aws.files_limited_to(journal.stat().st_size + 100):
        with pytest.raises(ClientError, match=r"507"):
            sqs.create_queue(QueueName="refused")
        assert len(sqs.list_queues()["QueueUrls"]) == 1
    sqs.create_queue(QueueName="after")
    aws.kill()
    assert aws.start()["diverged"] == []
    assert [url.rpartition("/")[2] for url in aws.client("sqs").list_queues()["QueueUrls"]] == ["before", "after"]


def test_a_call_that_is_sent_again_is_done_once(aws: AwsProcess) -> None:
    """As a client does whose endpoint was killed before it could answer: all attempts carry one invocation id."""
    ec2 = aws.client("ec2")
    invocation: list[str] = ["11111111-2222-3333-4444-555555555555"]
    ec2.meta.events.register(
        "before-call", lambda context, **_: context.setdefault("retries", {}).update({"invocation-id": invocation[0]})
    )
    first = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    assert ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"] == first
    aws.kill()
    aws.start()
    assert ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"] == first
    invocation[0] = "another"
    assert ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"] != first
