"""The billing webhook's function as `up` makes it, read back through AWS' own client."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
import sqlalchemy as sa

from fleet.cloud import client
from stacks import billing_archive
from tests.rehearsal.freehold import Freehold

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(1500)]

NAME = "chronos-cloud-sandbox-billing"


@pytest.fixture
def function(built: Freehold) -> dict[str, Any]:
    found: dict[str, Any] = client("lambda", "us-east-1", built.variables).get_function(FunctionName=NAME)
    return found


def test_its_code_is_the_archive_that_was_built(function: dict[str, Any]) -> None:
    archive = billing_archive.build(None).read_bytes()
    assert function["Configuration"]["CodeSha256"] == base64.b64encode(hashlib.sha256(archive).digest()).decode()
    assert function["Configuration"]["CodeSize"] == len(archive)


def test_its_role_may_do_what_it_needs_and_on_named_things_only(built: Freehold, function: dict[str, Any]) -> None:
    role = function["Configuration"]["Role"].rsplit("/", 1)[-1]
    iam = client("iam", "us-east-1", built.variables)
    (policy,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    statements = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]["Statement"]
    allowed = [one for one in statements if one["Effect"] == "Allow"]
    assert "*" not in json.dumps([one["Action"] for one in allowed])
    assert [one["Action"] for one in allowed if one["Resource"] == "*"] == ["ec2:DescribeSubnets"]  # EC2 knows no other
    (secrets,) = (one["Resource"] for one in allowed if one["Action"] == "secretsmanager:GetSecretValue")
    contract = built.state().outputs["contract"]
    assert secrets == [contract["billing"]["signing_secret"], contract["database"]["control"]["logins"]["billing"]]


def test_it_is_limited_and_is_told_of_secrets_by_reference_only(built: Freehold, function: dict[str, Any]) -> None:
    made = function["Configuration"]
    assert (made["Runtime"], made["Architectures"], made["Timeout"]) == ("python3.13", ["arm64"], 20)
    assert function["Concurrency"] == {"ReservedConcurrentExecutions": 10}
    contract = built.state().outputs["contract"]
    assert made["Environment"]["Variables"] == {
        "DATABASE_SECRET_ARN": contract["database"]["control"]["logins"]["billing"],
        "FREEHOLD_PRODUCT": "chronos-cloud",
        "PGSSLROOTCERT": "/var/task/database-authority.pem",
        "STRIPE_LIVEMODE": "false",
        "STRIPE_WEBHOOK_SECRET_ARN": contract["billing"]["signing_secret"],
    }
    secrets = client("secretsmanager", "us-east-1", built.variables)
    assert not secrets.describe_secret(SecretId=contract["billing"]["signing_secret"]).get("VersionIdsToStages")


def test_what_it_is_told_logs_in_to_the_database_and_sees_no_other_s_tables(built: Freehold) -> None:
    control = built.state().outputs["contract"]["database"]["control"]
    secrets = client("secretsmanager", "us-east-1", built.variables)
    record = json.loads(secrets.get_secret_value(SecretId=control["logins"]["billing"])["SecretString"])
    query = {"sslmode": "verify-full", "sslrootcert": built.variables["PGSSLROOTCERT"]}
    url = sa.URL.create(
        "postgresql+psycopg",
        record["username"],
        record["password"],
        record["host"],
        record["port"],
        record["database"],
        query,
    )
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT current_user")) == "freehold_billing"
        assert connection.scalar(sa.text("SELECT count(*) FROM billing_inbox"))
    with engine.connect() as connection, pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
        connection.execute(sa.text("SELECT 1 FROM budget_alerts"))
    engine.dispose()


def test_everybody_may_call_it_by_its_address_only(built: Freehold) -> None:
    policy = client("lambda", "us-east-1", built.variables).get_policy(FunctionName=NAME)["Policy"]
    statements = json.loads(policy)["Statement"]
    assert {(one["Action"], json.dumps(one["Condition"])) for one in statements} == {
        ("lambda:InvokeFunctionUrl", '{"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}'),
        ("lambda:InvokeFunction", '{"Bool": {"lambda:InvokedViaFunctionUrl": true}}'),
    }


def test_what_needs_somebody_is_counted_in_its_log(built: Freehold, function: dict[str, Any]) -> None:
    group = function["Configuration"]["LoggingConfig"]["LogGroup"]
    logs = client("logs", "us-east-1", built.variables)
    (found,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert found["retentionInDays"] == 7
    filters = logs.describe_metric_filters(logGroupName=group)["metricFilters"]
    assert {(one["filterPattern"], one["metricTransformations"][0]["metricName"]) for one in filters} == {
        ('{ $.state = "unmatched" }', f"{NAME}-unmatched"),
        ('{ $.refused = "effect" }', f"{NAME}-waiting"),
    }


def test_dead_letters_and_alarms_are_there(built: Freehold, function: dict[str, Any]) -> None:
    letters = function["Configuration"]["DeadLetterConfig"]["TargetArn"]
    sqs = client("sqs", "us-east-1", built.variables)
    url = sqs.get_queue_url(QueueName=letters.rsplit(":", 1)[-1])["QueueUrl"]
    assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"] == {"QueueArn": letters}
    alarms = client("cloudwatch", "us-east-1", built.variables).describe_alarms(AlarmNamePrefix=NAME)["MetricAlarms"]
    assert {one["MetricName"] for one in alarms} == {
        "Errors",
        "Throttles",
        "Url5xxCount",
        "ApproximateNumberOfMessagesVisible",
        f"{NAME}-unmatched",
        f"{NAME}-waiting",
    }
    topic = built.state().outputs["contract"]["alerts"]["topic_arn"]
    assert all(one["AlarmActions"] == [topic] for one in alarms)


def test_stripe_is_told_the_functions_address(built: Freehold) -> None:
    found = client("lambda", "us-east-1", built.variables).get_function_url_config(FunctionName=NAME)
    assert built.state().outputs["contract"]["billing"]["url"] == f"{found['FunctionUrl']}webhooks/stripe"


def test_the_control_database_lets_the_function_in(built: Freehold, function: dict[str, Any]) -> None:
    (group,) = function["Configuration"]["VpcConfig"]["SecurityGroupIds"]
    rds = client("rds", "us-east-1", built.variables)
    identifier = built.state().outputs["contract"]["database"]["control"]["identifier"]
    (instance,) = rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"]
    guards = [one["VpcSecurityGroupId"] for one in instance["VpcSecurityGroups"]]
    found = client("ec2", "us-east-1", built.variables).describe_security_groups(GroupIds=guards)["SecurityGroups"]
    let_in = [pair["GroupId"] for one in found for rule in one["IpPermissions"] for pair in rule["UserIdGroupPairs"]]
    assert group in let_in


def test_without_its_archive_the_engine_ends_in_one_line(built: Freehold, tmp_path: Any) -> None:
    run = built.by_hand("pulumi preview -s sandbox --non-interactive", XDG_CACHE_HOME=str(tmp_path))
    assert run.returncode != 0
    assert "billing webhook: its archive is not built; run: .venv/bin/python -m services.package" in run.stdout
