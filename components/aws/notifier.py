"""What the budget notifier needs on AWS: the queue that the topic writes to, dead letters, alarms, secret, role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi_aws import cloudwatch, secretsmanager, sns, sqs

from components import tags
from components.aws.arn import arn
from components.aws.policy_document import policy_document
from components.aws.workload_role import ANNOTATION, WorkloadRole, WorkloadRoleArgs
from components.contracts.notifier import NotifierArgs
from components.naming import physical_name

# An alert that waits is not lost: 14 days, the longest that SQS keeps a message.
_RETENTION_SECONDS = 14 * 24 * 3600
# Longer than the notifier takes for ten messages, its waits for the database included.
_VISIBILITY_SECONDS = 120
# Nothing is received while the database or a certificate is away: what counts is that one cannot be dealt with.
_RECEIVES = 10
# A queue that is worked off has no message older than this.
_LATE_SECONDS = 900


class Notifier(pulumi.ComponentResource):
    """A queue subscribed to the budget's topic, its dead-letter queue, alarms on both, and the secret of the sinks.

    Only that topic may write to the queue; the notifier itself writes to the dead-letter queue, with a reason. The
    secret is made empty: addresses and keys of sinks are put into it by hand (docs/connect-slack.md), and are never
    part of a configuration or a state. The alarms go to the topic's own subscribers, not through the notifier: it is
    what has failed when they ring.
    """

    queue: pulumi.Output[str]
    queue_url: pulumi.Output[str]
    dead_letter_queue: pulumi.Output[str]
    dead_letter_queue_url: pulumi.Output[str]
    sinks_secret: pulumi.Output[str]
    service_account_annotations: pulumi.Output[Mapping[str, str]]

    def __init__(self, name: str, args: NotifierArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:aws:Notifier", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        queue_name = physical_name(args.queue_name, limit=80)
        dead_name = physical_name(args.queue_name, "dead", limit=80)
        dead = sqs.Queue(
            f"{name}-dead",
            name=dead_name,
            message_retention_seconds=_RETENTION_SECONDS,
            sqs_managed_sse_enabled=True,
            tags=tags.aws(args.ownership, name=dead_name),
            opts=child,
        )
        queue = sqs.Queue(
            f"{name}-queue",
            name=queue_name,
            message_retention_seconds=_RETENTION_SECONDS,
            visibility_timeout_seconds=_VISIBILITY_SECONDS,
            sqs_managed_sse_enabled=True,
            redrive_policy=pulumi.Output.json_dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": _RECEIVES}),
            tags=tags.aws(args.ownership, name=queue_name),
            opts=child,
        )
        # https://docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html
        may_send = sqs.QueuePolicy(
            f"{name}-may-send",
            queue_url=queue.url,
            policy=policy_document(
                {
                    "Sid": "TopicSends",
                    "Effect": "Allow",
                    "Principal": {"Service": "sns.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": queue.arn,
                    # AWS' own example asks for no account beside the topic, whose ARN holds it.
                    "Condition": {"ArnEquals": {"aws:SourceArn": args.topic}},
                }
            ),
            opts=child,
        )
        sns.TopicSubscription(
            f"{name}-subscription",
            topic=args.topic,
            protocol="sqs",
            endpoint=queue.arn,
            # With its envelope, which carries the signature.
            raw_message_delivery=False,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[may_send]),
        )
        visible, undelivered = "ApproximateNumberOfMessagesVisible", "an alert could not be delivered, or be read"
        for key, watched, metric, threshold, what, section in (
            ("dead", dead, visible, 0, undelivered, "dead-letters-of-the-notifier"),
            (
                "late",
                queue,
                "ApproximateAgeOfOldestMessage",
                _LATE_SECONDS,
                "alerts are not being taken",
                "late-alerts",
            ),
        ):
            cloudwatch.MetricAlarm(
                f"{name}-{key}-alarm",
                name=physical_name(args.queue_name, key, limit=255),
                alarm_description=f"Budget notifier: {what}; see docs/alarms.md#{section}",
                namespace="AWS/SQS",
                metric_name=metric,
                dimensions={"QueueName": watched.name},
                statistic="Maximum",
                period=300,
                evaluation_periods=1,
                threshold=threshold,
                comparison_operator="GreaterThanThreshold",
                treat_missing_data="notBreaching",
                alarm_actions=[args.topic],
                tags=tags.aws(args.ownership, name=physical_name(args.queue_name, key, limit=255)),
                opts=child,
            )
        sinks = secretsmanager.Secret(
            f"{name}-sinks",
            name=args.secret_name,
            description="Where budget alerts are sent: addresses and keys of webhook, Slack and mail",
            recovery_window_in_days=args.recovery_days,
            tags=tags.aws(args.ownership, name=args.secret_name),
            opts=child,
        )
        role = WorkloadRole(
            f"{name}-role",
            WorkloadRoleArgs(
                ownership=args.ownership,
                role_name=args.role_name,
                oidc_issuer=args.oidc_issuer,
                oidc_provider=args.oidc_provider,
                service_accounts=(args.service_account,),
                statements=_statements(args, queue.arn, dead.arn, sinks.arn),
            ),
            child,
        )
        self.service_account_annotations = role.arn.apply(lambda known: {ANNOTATION: known})
        self.queue_url = queue.url
        self.queue = queue.arn
        self.dead_letter_queue_url = dead.url
        self.dead_letter_queue = dead.arn
        self.sinks_secret = sinks.arn
        self.register_outputs(
            {
                "queue_url": self.queue_url,
                "dead_letter_queue_url": self.dead_letter_queue_url,
                "sinks_secret": self.sinks_secret,
            }
        )


def _statements(
    args: NotifierArgs, queue: pulumi.Input[str], dead: pulumi.Input[str], sinks: pulumi.Input[str]
) -> list[dict[str, Any]]:
    return [
        {
            "Sid": "TakeAlerts",
            "Effect": "Allow",
            "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage"],
            "Resource": queue,
        },
        {"Sid": "BuryAlerts", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": dead},
        {
            "Sid": "ReadSecrets",
            "Effect": "Allow",
            "Action": "secretsmanager:GetSecretValue",
            "Resource": [args.database_secret, sinks],
        },
        {
            # The key of the database's secret, for that secret only: the encryption context is the secret's ARN.
            # https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
            "Sid": "DecryptSecret",
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "Resource": arn(args.place, "kms", "key/*"),
            "Condition": {
                "StringEquals": {
                    "kms:EncryptionContext:SecretARN": args.database_secret,
                    "kms:ViaService": f"secretsmanager.{args.place.region}.amazonaws.com",
                }
            },
        },
    ]
