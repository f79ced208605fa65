"""The billing webhook on AWS: a Lambda function behind an address of its own."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

import pulumi
from pulumi_aws import cloudwatch, iam, lambda_, secretsmanager, sqs

from components import tags
from components.aws.arn import arn
from components.aws.policy_document import policy_document
from components.contracts.billing_webhook import BillingWebhookArgs
from components.naming import physical_name

_PERIOD_SECONDS = 300
_METRICS = "Freehold/Billing"
_TIMEOUT_SECONDS = 20
"""Longer than the service itself waits for its database. Who has given up by then sends the event again."""


class BillingWebhook(pulumi.ComponentResource):
    """A function in the private network, its public address, and what watches it:

    - a function URL without AWS' authentication: Stripe cannot sign as AWS wants, and each request carries Stripe's own
      signature, which the function checks before anything else; an HTTP API would add a hop and a price, and no check
    - a secret for the signing secrets, without a value: it is put in by hand, so that no state ever holds it
    - what its role may: write its own log, read the two secrets
    - a dead-letter queue for asynchronous calls, which are made by hand at most: a call by the address is synchronous,
      what fails there is answered with 5xx, and Stripe sends it again
    - alarms: errors, throttled calls, answers of 5xx, dead letters, events without tenant or plan, events that wait
    """

    url: pulumi.Output[str]
    signing_secret: pulumi.Output[str]
    """Reference into the secret manager."""

    def __init__(self, name: str, args: BillingWebhookArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:aws:BillingWebhook", name, None, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        self._marks = tags.aws(args.ownership, name=args.function_name)
        secret = secretsmanager.Secret(
            f"{name}-signing",
            name=f"{args.function_name}/stripe-signing-secrets",
            description="Signing secrets of Stripe's webhook endpoint, with commas between",
            recovery_window_in_days=args.recovery_days,
            tags=self._marks,
            opts=self._child,
        )
        group = cloudwatch.LogGroup(
            f"{name}-log",
            name=f"/aws/lambda/{args.function_name}",
            retention_in_days=args.log_retention_days,
            tags=self._marks,
            opts=self._child,
        )
        letters = sqs.Queue(
            f"{name}-dead-letters",
            name=physical_name(args.function_name, "dead-letters", limit=80),
            message_retention_seconds=14 * 24 * 3600,
            sqs_managed_sse_enabled=True,
            tags=self._marks,
            opts=self._child,
        )
        may = self._may(secret.arn, group.arn, letters.arn)
        function = lambda_.Function(
            f"{name}-function",
            name=args.function_name,
            description="Billing webhook: events of Stripe",
            code=pulumi.FileArchive(str(args.archive)),
            source_code_hash=base64.b64encode(hashlib.sha256(args.archive.read_bytes()).digest()).decode(),
            handler=args.handler,
            runtime=args.runtime,
            architectures=[args.architecture],
            memory_size=512,
            timeout=_TIMEOUT_SECONDS,
            role=args.role,
            reserved_concurrent_executions=args.concurrency,
            environment={
                "variables": {
                    "STRIPE_WEBHOOK_SECRET_ARN": secret.arn,
                    "STRIPE_LIVEMODE": "true" if args.livemode else "false",
                    "DATABASE_SECRET_ARN": args.database_secret,
                    "PGSSLROOTCERT": f"/var/task/{args.authority}",
                    "FREEHOLD_PRODUCT": args.ownership.product,
                }
            },
            vpc_config={"subnet_ids": list(args.subnet_ids), "security_group_ids": [args.security_group_id]},
            dead_letter_config={"target_arn": letters.arn},
            # The service writes JSON by itself.
            logging_config={"log_format": "Text", "log_group": group.name},
            tags=self._marks,
            # Lambda checks what its role may do when it attaches a function to a network and a queue.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[may]),
        )
        address = lambda_.FunctionUrl(
            f"{name}-address", function_name=function.name, authorization_type="NONE", opts=self._child
        )
        self._let_everybody_call(function, address)
        self._alarms(function, letters, group)
        # The address ends with a slash.
        self.url = pulumi.Output.concat(address.function_url, "webhooks/stripe")
        self.signing_secret = secret.arn
        self.register_outputs({"url": self.url, "signing_secret": self.signing_secret})

    def _may(self, signing: pulumi.Output[str], log: pulumi.Output[str], letters: pulumi.Output[str]) -> iam.RolePolicy:
        args, own = self._args, arn(self._args.place, "lambda", f"function:{self._args.function_name}")
        return iam.RolePolicy(
            f"{self._name}-may",
            role=args.role_name,
            policy=policy_document(
                {
                    "Effect": "Allow",
                    "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                    "Resource": pulumi.Output.concat(log, ":*"),
                },
                {
                    "Effect": "Allow",
                    "Action": "secretsmanager:GetSecretValue",
                    "Resource": [signing, args.database_secret],
                },
                {
                    "Effect": "Allow",
                    "Action": "kms:Decrypt",
                    "Resource": args.database_key,
                    # For that secret only: the encryption context is the secret's ARN.
                    # https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
                    "Condition": {
                        "StringEquals": {
                            "kms:EncryptionContext:SecretARN": args.database_secret,
                            "kms:ViaService": f"secretsmanager.{args.place.region}.amazonaws.com",
                        }
                    },
                },
                {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": letters},
                # Lambda asks for it since 2024, the managed policy for networks alone has not got it. It names no
                # resource: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
                {"Effect": "Allow", "Action": "ec2:DescribeSubnets", "Resource": "*"},
                # Lambda attaches the function to the network with the function's role; the code itself needs none
                # of it: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-best-practice
                {
                    "Effect": "Deny",
                    "Action": [
                        "ec2:CreateNetworkInterface",
                        "ec2:DeleteNetworkInterface",
                        "ec2:DescribeNetworkInterfaces",
                        "ec2:DescribeSubnets",
                        "ec2:AssignPrivateIpAddresses",
                        "ec2:UnassignPrivateIpAddresses",
                    ],
                    "Resource": "*",
                    "Condition": {"ArnEquals": {"lambda:SourceFunctionArn": [own]}},
                },
            ),
            opts=self._child,
        )

    def _let_everybody_call(self, function: lambda_.Function, address: lambda_.FunctionUrl) -> None:
        """By the address, and by nothing else.

        Both are asked for since October 2025: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html. The provider
        adds such statements by itself when it makes the address, outside of any state; these are in it. They come
        afterwards: of two changes of one function's policy at once Lambda may forget one.
        """
        afterwards = pulumi.ResourceOptions(parent=self, depends_on=[address])
        lambda_.Permission(
            f"{self._name}-by-address",
            function=function.name,
            action="lambda:InvokeFunctionUrl",
            principal="*",
            function_url_auth_type="NONE",
            opts=afterwards,
        )
        lambda_.Permission(
            f"{self._name}-invoked-by-address",
            function=function.name,
            action="lambda:InvokeFunction",
            principal="*",
            invoked_via_function_url=True,
            opts=afterwards,
        )

    def _alarms(self, function: lambda_.Function, letters: sqs.Queue, log: cloudwatch.LogGroup) -> None:
        of_function = {"FunctionName": function.name}
        self._alarm(
            "errors", "AWS/Lambda", "Errors", of_function, "The function fails: docs/alarms.md#errors-of-the-webhook"
        )
        throttled = "More events at once than concurrency allows: docs/alarms.md#throttled-calls"
        self._alarm("throttles", "AWS/Lambda", "Throttles", of_function, throttled)
        refused = "Events are not taken, and Stripe sends again: docs/alarms.md#answers-of-5xx"
        self._alarm("answers", "AWS/Lambda", "Url5xxCount", of_function, refused)
        visible, queue = "ApproximateNumberOfMessagesVisible", {"QueueName": letters.name}
        self._alarm(
            "letters", "AWS/SQS", visible, queue, "Dead letters: docs/alarms.md#dead-letters-of-the-webhook", "Maximum"
        )
        # What the service logs: an event that nobody can use, and one that is stored and waits (`received`)
        for what, pattern, description in (
            (
                "unmatched",
                '{ $.state = "unmatched" }',
                "Events find no tenant or plan: docs/alarms.md#unmatched-events",
            ),
            ("waiting", '{ $.refused = "effect" }', "Events are stored without effect: docs/alarms.md#waiting-events"),
        ):
            metric = f"{self._args.function_name}-{what}"
            cloudwatch.LogMetricFilter(
                f"{self._name}-{what}",
                name=metric,
                log_group_name=log.name,
                pattern=pattern,
                metric_transformation={"name": metric, "namespace": _METRICS, "value": "1"},
                opts=self._child,
            )
            self._alarm(f"{what}-events", _METRICS, metric, {}, description)

    def _alarm(
        self,
        what: str,
        namespace: str,
        metric: str,
        dimensions: Mapping[str, pulumi.Input[str]],
        description: str,
        statistic: str = "Sum",
    ) -> None:
        """Rings where there was one within five minutes."""
        cloudwatch.MetricAlarm(
            f"{self._name}-alarm-{what}",
            name=f"{self._args.function_name}-{what}",
            alarm_description=description,
            namespace=namespace,
            metric_name=metric,
            dimensions=dict(dimensions),
            statistic=statistic,
            comparison_operator="GreaterThanThreshold",
            threshold=0,
            period=_PERIOD_SECONDS,
            evaluation_periods=1,
            treat_missing_data="notBreaching",
            alarm_actions=list(self._args.alarm_topics),
            tags=self._marks,
            opts=self._child,
        )
