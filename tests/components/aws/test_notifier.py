"""The notifier's queues, and what its role may do with them."""

from __future__ import annotations

from components.aws.notifier import Notifier
from tests.components import samples
from tests.components.recording import ACCOUNT, declare


def test_only_the_topic_writes_to_the_queue() -> None:
    recording = declare(lambda: Notifier("notifier", samples.notifier()))
    (send,) = recording.one("aws:sqs/queuePolicy:QueuePolicy").document()["Statement"]
    assert (send["Principal"], send["Action"]) == ({"Service": "sns.amazonaws.com"}, "sqs:SendMessage")
    # The topic's ARN holds the account. A key that SNS does not send would keep everything out.
    assert send["Condition"] == {"ArnEquals": {"aws:SourceArn": samples.TOPIC}}
    assert f":{ACCOUNT}:" in samples.TOPIC


def test_both_queues_are_encrypted_and_keep_what_waits_for_two_weeks() -> None:
    queues = declare(lambda: Notifier("notifier", samples.notifier())).of("aws:sqs/queue:Queue")
    assert len(queues) == 2
    for queue in queues:
        inputs = queue.plain()
        assert (inputs["sqsManagedSseEnabled"], inputs["messageRetentionSeconds"]) == (True, 1209600)


def test_a_message_is_tried_ten_times_with_time_for_each() -> None:
    recording = declare(lambda: Notifier("notifier", samples.notifier()))
    (queue,) = (one for one in recording.of("aws:sqs/queue:Queue") if "redrivePolicy" in one.plain())
    redrive = queue.document("redrivePolicy")
    assert redrive["deadLetterTargetArn"].endswith(":notifier-dead")
    assert redrive["maxReceiveCount"] == 10
    # Ten messages at once, and what the database may let each wait.
    assert queue.plain()["visibilityTimeoutSeconds"] == 120


def test_the_subscription_keeps_the_signature() -> None:
    recording = declare(lambda: Notifier("notifier", samples.notifier()))
    subscription = recording.inputs("aws:sns/topicSubscription:TopicSubscription")
    assert (subscription["protocol"], subscription["rawMessageDelivery"]) == ("sqs", False)


def test_dead_letters_and_delay_ring_where_the_topic_goes() -> None:
    alarms = declare(lambda: Notifier("notifier", samples.notifier())).of("aws:cloudwatch/metricAlarm:MetricAlarm")
    assert {alarm.plain()["metricName"] for alarm in alarms} == {
        "ApproximateNumberOfMessagesVisible",
        "ApproximateAgeOfOldestMessage",
    }
    assert all(alarm.plain()["alarmActions"] == [samples.TOPIC] for alarm in alarms)


def test_its_role_takes_from_one_queue_writes_to_the_other_and_reads_two_secrets() -> None:
    recording = declare(lambda: Notifier("notifier", samples.notifier()))
    statements = {one["Sid"]: one for one in recording.one("aws:iam/rolePolicy:RolePolicy").document()["Statement"]}
    assert statements["TakeAlerts"]["Resource"].endswith(":notifier-queue")
    assert statements["BuryAlerts"]["Resource"].endswith(":notifier-dead")
    database, sinks = statements["ReadSecrets"]["Resource"]
    assert database == samples.DATABASE_SECRET
    assert "notifier-sinks" in sinks
    assert statements["DecryptSecret"]["Condition"]["StringEquals"] == {
        "kms:EncryptionContext:SecretARN": samples.DATABASE_SECRET,
        "kms:ViaService": "secretsmanager.us-east-1.amazonaws.com",
    }


def test_the_secret_of_the_sinks_is_made_without_a_value() -> None:
    recording = declare(lambda: Notifier("notifier", samples.notifier()))
    assert recording.of("aws:secretsmanager/secret:Secret")
    assert not recording.of("aws:secretsmanager/secretVersion:SecretVersion")
