"""What our moto has beyond moto: budgets that change, user groups, decided addresses, presigned callers."""

from __future__ import annotations

import http.server
import threading
import time
import urllib.error
import urllib.request
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from tests.sandbox.aws_process import AwsProcess, data_home

ACCOUNT = "123456789012"
NAME = {"AccountId": ACCOUNT, "BudgetName": "monthly"}
EIGHTY = {"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 80.0}
FORECAST = {"NotificationType": "FORECASTED", "ComparisonOperator": "GREATER_THAN", "Threshold": 100.0}
MAIL = {"SubscriptionType": "EMAIL", "Address": "ops@example.com"}
TOPIC = {"SubscriptionType": "SNS", "Address": "arn:aws:sns:us-east-1:123456789012:alerts"}


def budget(amount: str) -> dict[str, Any]:
    return {
        "BudgetName": "monthly",
        "BudgetType": "COST",
        "TimeUnit": "MONTHLY",
        "BudgetLimit": {"Amount": amount, "Unit": "USD"},
    }


def refused(code: str) -> Any:
    return pytest.raises(ClientError, match=rf"\({code}\)")


def test_a_budget_its_notifications_and_subscribers_change(aws: AwsProcess) -> None:
    budgets = aws.client("budgets")
    with refused("NotFoundException"):
        budgets.update_budget(AccountId=ACCOUNT, NewBudget=budget("1"))
    budgets.create_budget(
        AccountId=ACCOUNT,
        Budget=budget("100"),
        NotificationsWithSubscribers=[{"Notification": EIGHTY, "Subscribers": [MAIL]}],
    )
    made = budgets.describe_budget(**NAME)["Budget"]
    budgets.update_budget(AccountId=ACCOUNT, NewBudget=budget("250"))
    changed = budgets.describe_budget(**NAME)["Budget"]
    assert changed["BudgetLimit"]["Amount"] == "250"
    assert changed["TimePeriod"] == made["TimePeriod"]

    with refused("DuplicateRecordException"):
        budgets.create_notification(**NAME, Notification={**EIGHTY, "ThresholdType": "PERCENTAGE"}, Subscribers=[MAIL])
    budgets.create_notification(**NAME, Notification=FORECAST, Subscribers=[TOPIC])
    told = budgets.describe_notifications_for_budget(**NAME)["Notifications"]
    assert [(one["NotificationType"], one["Threshold"], one["ThresholdType"]) for one in told] == [
        ("ACTUAL", 80.0, "PERCENTAGE"),
        ("FORECASTED", 100.0, "PERCENTAGE"),
    ]

    budgets.create_subscriber(**NAME, Notification=EIGHTY, Subscriber=TOPIC)
    asked = {**NAME, "Notification": EIGHTY}
    assert budgets.describe_subscribers_for_notification(**asked)["Subscribers"] == [MAIL, TOPIC]
    other = {"SubscriptionType": "EMAIL", "Address": "finance@example.com"}
    budgets.update_subscriber(**asked, OldSubscriber=MAIL, NewSubscriber=other)
    budgets.delete_subscriber(**asked, Subscriber=TOPIC)
    assert budgets.describe_subscribers_for_notification(**asked)["Subscribers"] == [other]
    with refused("NotFoundException"):
        budgets.delete_subscriber(**asked, Subscriber=TOPIC)

    ninety = {**EIGHTY, "Threshold": 90.0}
    budgets.update_notification(**NAME, OldNotification=EIGHTY, NewNotification=ninety)
    assert budgets.describe_subscribers_for_notification(**NAME, Notification=ninety)["Subscribers"] == [other]
    budgets.delete_notification(**NAME, Notification=ninety)
    with refused("NotFoundException"):
        budgets.delete_notification(**NAME, Notification=ninety)
    budgets.delete_budget(**NAME)


def test_cache_users_and_groups(aws: AwsProcess) -> None:
    cache = aws.client("elasticache")
    cache.create_user(
        UserId="off", UserName="default", Engine="redis", NoPasswordRequired=True, AccessString="off ~keys* -@all"
    )
    cache.create_user(
        UserId="acme",
        UserName="t-acme",
        Engine="redis",
        Passwords=["p4ssword-p4ssword"],
        AccessString="on ~t:acme:* +@all",
    )
    with refused("DefaultUserRequired"):
        cache.create_user_group(UserGroupId="tenants", Engine="redis", UserIds=["acme"])
    with refused("UserNotFound"):
        cache.create_user_group(UserGroupId="tenants", Engine="redis", UserIds=["off", "nobody"])
    group = cache.create_user_group(
        UserGroupId="tenants", Engine="redis", UserIds=["off"], Tags=[{"Key": "product", "Value": "chronos"}]
    )
    assert group["ARN"] == f"arn:aws:elasticache:us-east-1:{ACCOUNT}:usergroup:tenants"
    with refused("UserGroupAlreadyExists"):
        cache.create_user_group(UserGroupId="tenants", Engine="redis", UserIds=["off"])
    cache.modify_user_group(UserGroupId="tenants", UserIdsToAdd=["acme"])
    assert cache.describe_user_groups(UserGroupId="tenants")["UserGroups"][0]["UserIds"] == ["off", "acme"]
    assert cache.describe_users(UserId="acme")["Users"][0]["UserGroupIds"] == ["tenants"]
    assert cache.list_tags_for_resource(ResourceName=group["ARN"])["TagList"] == [
        {"Key": "product", "Value": "chronos"}
    ]

    cache.modify_user(UserId="acme", AccessString="off -@all")
    assert cache.describe_users(UserId="acme")["Users"][0]["AccessString"] == "off -@all"
    cache.modify_user(UserId="acme", Passwords=["one-p4ssword-16c", "two-p4ssword-16c"])
    assert cache.describe_users(UserId="acme")["Users"][0]["Authentication"] == {"Type": "password", "PasswordCount": 2}
    with refused("InvalidParameterValue"):
        cache.modify_user(UserId="acme", Passwords=["short"])

    cache.create_replication_group(ReplicationGroupId="main", ReplicationGroupDescription="main", Engine="redis")
    cache.modify_replication_group(ReplicationGroupId="main", UserGroupIdsToAdd=["tenants"])
    assert cache.describe_replication_groups(ReplicationGroupId="main")["ReplicationGroups"][0]["UserGroupIds"] == [
        "tenants"
    ]
    with refused("InvalidUserGroupState"):
        cache.delete_user_group(UserGroupId="tenants")
    with refused("DefaultUserAssociatedToUserGroup"):
        cache.delete_user(UserId="off")
    cache.create_user(
        UserId="twin", UserName="t-acme", Engine="redis", NoPasswordRequired=True, AccessString="on -@all"
    )
    with refused("DuplicateUserName"):
        cache.modify_user_group(UserGroupId="tenants", UserIdsToAdd=["twin"])
    with refused("DefaultUserRequired"):
        cache.modify_user_group(UserGroupId="tenants", UserIdsToRemove=["off"])
    with refused("InvalidParameterCombination"):
        cache.modify_user(UserId="twin", Passwords=["one-p4ssword-16c"], NoPasswordRequired=True)
    cache.delete_replication_group(ReplicationGroupId="main")
    with refused("ReplicationGroupNotFoundFault"):
        cache.describe_replication_groups(ReplicationGroupId="main")
    cache.delete_user(UserId="acme")
    assert cache.describe_user_groups(UserGroupId="tenants")["UserGroups"][0]["UserIds"] == ["off"]
    cache.delete_user_group(UserGroupId="tenants")
    with refused("UserGroupNotFound"):
        cache.describe_user_groups(UserGroupId="tenants")
    # The name is free again at once.
    cache.create_user(UserId="acme", UserName="acme", Engine="redis", NoPasswordRequired=True, AccessString="on -@all")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("eks/missing", {"endpoint": "https://127.0.0.1:1", "certificate_authority": "", "issuer": "https://x"}, 404),
        ("rds/missing", {"address": "127.0.0.1", "port": 5432}, 404),
        ("elasticache/missing", {"address": "127.0.0.1", "port": 6379}, 404),
        ("rds/missing", {"address": "127.0.0.1", "port": 0}, 400),
        ("rds/missing", {"address": "127.0.0.1", "port": 1, "prot": 1}, 400),
        ("s3/bucket", {}, 404),
    ],
)
def test_a_decision_about_nothing_or_without_sense_is_refused(
    aws: AwsProcess, path: str, body: dict[str, Any], status: int
) -> None:
    assert aws.decide(path, **body) == status


def presigned(client: BaseClient) -> str:
    return str(client.generate_presigned_url("get_caller_identity", HttpMethod="GET"))


def answer(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_presigned_request_is_its_signers_and_its_signature_is_checked(aws: AwsProcess) -> None:
    key = aws.key()

    def sts(**changes: str) -> Any:
        return aws.client(
            "sts",
            **{"aws_access_key_id": key["access_key_id"], "aws_secret_access_key": key["secret_access_key"], **changes},
        )

    status, text = answer(presigned(sts()))
    assert status == 200
    assert "user/freehold-operator" in text
    for forged, code in (
        (presigned(sts(aws_secret_access_key="x" * 40)), "SignatureDoesNotMatch"),
        (presigned(sts(aws_access_key_id="AKIA0000000000000000")), "InvalidClientTokenId"),
        (presigned(sts(aws_session_token="stolen")), "InvalidClientTokenId"),
        (presigned(sts()).replace("2011-06-15", "2011-06-16"), "SignatureDoesNotMatch"),
        (presigned(sts()).replace("X-Amz-Date=20", "X-Amz-Date=19"), "ExpiredToken"),
    ):
        status, text = answer(forged)
        assert (status, code in text) == (403, True), text


def test_deliveries_do_not_hold_up_the_publisher_and_are_not_repeated_by_a_replay(tmp_path: Any) -> None:
    received: list[bytes] = []
    arrived = threading.Event()

    class Endpoint(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            # It asks AWS in turn, as a notifier would: the publisher's request must not be waiting for this one.
            identity: Any = boto3.client(
                "sts",
                endpoint_url=process.endpoint,
                region_name="us-east-1",
                aws_access_key_id="x",
                aws_secret_access_key="y",
            )
            identity.get_caller_identity()
            received.append(body)
            self.send_response(200)
            self.end_headers()
            arrived.set()

        def log_message(self, format: str, *args: object) -> None:
            pass

    process = AwsProcess(data_home(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever).start()
    try:
        process.start()
        sns = process.client("sns")
        topic = sns.create_topic(Name="alerts")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=f"http://127.0.0.1:{server.server_port}/hook")
        began = time.monotonic()
        sns.publish(TopicArn=topic, Message="budget exceeded")
        assert time.monotonic() - began < 5
        assert arrived.wait(20)
        assert b"budget exceeded" in received[-1]
        count = len(received)
        process.kill()
        process.start()
        arrived.clear()
        assert not arrived.wait(2), "the replay delivered it again"
        assert len(received) == count
    finally:
        process.stop()
        server.shutdown()
        server.server_close()


def test_what_moto_lacks_is_an_error_and_not_an_empty_answer(aws: AwsProcess) -> None:
    with pytest.raises(ClientError, match=r"not been implemented|501"):
        aws.client("budgets").describe_budget_performance_history(**NAME)
