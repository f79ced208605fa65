"""moto is killed with SIGKILL between creates of many kinds, and comes back with the same ids, times and contents."""

from __future__ import annotations

import json
import uuid
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
    for number, step in enumerate(World.steps, start=1):
        step(world)
        # Four kinds between one kill and the next, because moto takes seconds to come back.
        if number % 4:
            continue
        before = world.described()
        aws.kill()
        report = aws.start()
        assert world.described() == before, step.__name__
        assert report["diverged"] == [], step.__name__
    final = world.described()
    assert len(final) == 24, "every call of `described` has something to tell by now"
    assert final["plaintext"]["Plaintext"] == b"attack at dawn"
    assert len(final["versions"]["Versions"]) == 2
    assert final["databases"]["DBInstances"][0]["Endpoint"]["Port"] == 25432
    assert final["clusters"]["cluster"]["endpoint"] == "https://127.0.0.1:26443"
    nodes = final["caches"]["ReplicationGroups"][0]["NodeGroups"][0]
    assert nodes["PrimaryEndpoint"] == {"Address": "127.0.0.1", "Port": 26379}
    assert final["session"]["Arn"] == "arn:aws:sts::123456789012:assumed-role/eks/test"


Check = Callable[[], None]
"""What must hold of an endpoint that was started again, however often."""


def a_read_that_comes_first(aws: AwsProcess) -> Check:
    """EC2's backend is made by its first request; its ids may not depend on which one that is."""
    first = scrubbed(aws.client("ec2").describe_vpcs())["Vpcs"][0]

    def check() -> None:
        # The replay has made the backend by a write this time.
        assert first in aws.client("ec2").describe_vpcs()["Vpcs"]

    return check


def requests_at_once(aws: AwsProcess) -> Check:
    """They are replayed in their order."""
    ec2, sqs = aws.client("ec2"), aws.client("sqs")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: sqs.create_queue(QueueName=f"q{number}"), range(40)))
        list(pool.map(lambda number: ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16"), range(8)))
    before = ec2.describe_vpcs()["Vpcs"]
    assert len(before) == 9

    def check() -> None:
        known = {vpc["VpcId"] for vpc in before}
        assert [vpc for vpc in ec2.describe_vpcs()["Vpcs"] if vpc["VpcId"] in known] == before
        assert {f"q{number}" for number in range(40)} <= queues(aws)

    return check


def a_call_that_is_sent_again(aws: AwsProcess) -> Check:
    """As a client does whose endpoint was killed before it could answer: all attempts carry one invocation id."""

    def create(invocation: str) -> str:
        ec2.meta.events.register(
            "before-call",
            lambda context, **_: context.setdefault("retries", {}).update({"invocation-id": invocation}),
            unique_id="invocation",
        )
        try:
            return str(ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"])
        finally:
            ec2.meta.events.unregister("before-call", unique_id="invocation")

    ec2 = aws.client("ec2")
    first = create("11111111-2222-3333-4444-555555555555")

    def check() -> None:
        assert create("11111111-2222-3333-4444-555555555555") == first
        assert create(str(uuid.uuid4())) != first

    check()
    return check


def a_full_disk(aws: AwsProcess) -> Check:
    """It refuses the request and changes nothing."""
    sqs = aws.client("sqs")
    before = queues(aws)
    journal = aws.home.data / "aws" / "journal.jsonl"
    with aws.files_limited_to(journal.stat().st_size + 100):
        with pytest.raises(ClientError, match=r"507"):
            sqs.create_queue(QueueName="refused")
        assert queues(aws) == before
    sqs.create_queue(QueueName="when-there-was-room")

    def check() -> None:
        assert before | {"when-there-was-room"} <= queues(aws)
        assert "refused" not in queues(aws)

    return check


def queues(aws: AwsProcess) -> set[str]:
    """The names of those that there are."""
    return {url.rpartition("/")[2] for url in aws.client("sqs").list_queues().get("QueueUrls", ())}


def test_what_was_asked_of_an_endpoint_holds_after_each_kill(aws: AwsProcess) -> None:
    """One endpoint for all of it, because moto takes seconds to start."""
    asked = (a_read_that_comes_first, requests_at_once, a_call_that_is_sent_again, a_full_disk)
    checks = [ask(aws) for ask in asked]
    before = queues(aws)
    journal = aws.home.data / "aws" / "journal.jsonl"
    for path in (journal, aws.home.credentials / "aws.json"):
        assert path.stat().st_mode & 0o077 == 0, f"{path} is for the owner alone"

    aws.kill()
    with open(journal, "ab") as file:
        file.write(b'{"number": 999, "moment": 1, "se')  # was cut short, and is left out
    assert aws.start()["diverged"] == []
    assert queues(aws) == before
    for check in checks:
        check()

    aws.client("sqs").create_queue(QueueName="behind-the-line")
    aws.kill()
    assert aws.start()["diverged"] == []
    assert queues(aws) == before | {"behind-the-line"}
    for check in checks:
        check()
