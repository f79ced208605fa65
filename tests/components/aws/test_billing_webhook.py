"""The billing webhook: a function with an address, what its role may do, and its alarms."""

from __future__ import annotations

from dataclasses import replace

import pytest

from components.aws.billing_webhook import BillingWebhook
from components.aws.function_guard import FunctionGuard
from tests.components import samples
from tests.components.recording import ACCOUNT, declare


def test_the_signing_secrets_are_in_no_state() -> None:
    recording = declare(lambda: BillingWebhook("webhook", samples.billing_webhook()))
    secret = recording.one("aws:secretsmanager/secret:Secret")
    assert not recording.of("aws:secretsmanager/secretVersion:SecretVersion")
    variables = recording.inputs("aws:lambda/function:Function")["environment"]["variables"]
    assert sorted(variables) == [
        "DATABASE_SECRET_ARN",
        "FREEHOLD_PRODUCT",
        "PGSSLROOTCERT",
        "STRIPE_LIVEMODE",
        "STRIPE_WEBHOOK_SECRET_ARN",
    ]
    assert secret.plain()["recoveryWindowInDays"] == 7


def test_its_role_may_do_what_it_needs_on_named_things() -> None:
    recording = declare(lambda: BillingWebhook("webhook", samples.billing_webhook()))
    allowed = [
        s for s in recording.one("aws:iam/rolePolicy:RolePolicy").document()["Statement"] if s["Effect"] == "Allow"
    ]
    actions = [
        action for one in allowed for action in ([one["Action"]] if isinstance(one["Action"], str) else one["Action"])
    ]
    assert sorted(actions) == [
        "ec2:DescribeSubnets",
        "kms:Decrypt",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "secretsmanager:GetSecretValue",
        "sqs:SendMessage",
    ]
    # EC2 knows no resources for what it only describes; the function itself is denied it.
    assert [one["Action"] for one in allowed if one["Resource"] == "*"] == ["ec2:DescribeSubnets"]
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


def test_everybody_may_call_it_by_its_address_only() -> None:
    recording = declare(lambda: BillingWebhook("webhook", samples.billing_webhook()))
    assert recording.inputs("aws:lambda/functionUrl:FunctionUrl")["authorizationType"] == "NONE"
    permissions = [one.plain() for one in recording.of("aws:lambda/permission:Permission")]
    assert {
        (one["action"], one.get("functionUrlAuthType"), one.get("invokedViaFunctionUrl")) for one in permissions
    } == {
        ("lambda:InvokeFunctionUrl", "NONE", None),
        ("lambda:InvokeFunction", None, True),
    }
    # Lambda forgets one of two changes at once, and the provider makes some with the address.
    address = recording.one("aws:lambda/functionUrl:FunctionUrl").urn
    assert all(address in one.dependencies for one in recording.of("aws:lambda/permission:Permission"))


def test_alarms_reach_somebody() -> None:
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


def test_the_code_the_limits_and_the_dead_letters() -> None:
    recording = declare(lambda: BillingWebhook("webhook", samples.billing_webhook()))
    function = recording.inputs("aws:lambda/function:Function")
    assert (function["architectures"], function["runtime"]) == (["arm64"], "python3.13")
    assert function["reservedConcurrentExecutions"] == 10
    assert "targetArn" in function["deadLetterConfig"]
    assert recording.inputs("aws:cloudwatch/logGroup:LogGroup")["retentionInDays"] == 30
    assert recording.inputs("aws:sqs/queue:Queue")["sqsManagedSseEnabled"] is True


@pytest.mark.parametrize("live", [False, True])
def test_which_mode_it_takes_is_what_it_was_told(live: bool) -> None:
    args = replace(samples.billing_webhook(), livemode=live)
    function = declare(lambda: BillingWebhook("webhook", args)).inputs("aws:lambda/function:Function")
    assert function["environment"]["variables"]["STRIPE_LIVEMODE"] == ("true" if live else "false")


def test_one_within_five_minutes_rings() -> None:
    recording = declare(lambda: BillingWebhook("webhook", samples.billing_webhook()))
    for alarm in (one.plain() for one in recording.of("aws:cloudwatch/metricAlarm:MetricAlarm")):
        assert (alarm["comparisonOperator"], alarm["threshold"]) == ("GreaterThanThreshold", 0)
        assert (alarm["period"], alarm["evaluationPeriods"]) == (300, 1)
        assert alarm["treatMissingData"] == "notBreaching"


def test_dead_letters_stay_for_two_weeks() -> None:
    recording = declare(lambda: BillingWebhook("webhook", samples.billing_webhook()))
    assert recording.inputs("aws:sqs/queue:Queue")["messageRetentionSeconds"] == 14 * 24 * 3600


def test_its_role_may_do_it_all_before_the_function_is_made() -> None:
    """Lambda checks what the role may do when it attaches the function to a network and a queue."""

    def program() -> None:
        guard = FunctionGuard("guard", samples.function_guard())
        group, role, name = guard.security_group_id, guard.role, guard.role_name
        args = replace(samples.billing_webhook(), security_group_id=group, role=role, role_name=name)
        BillingWebhook("webhook", args)

    recording = declare(program)
    rights = [
        *recording.of("aws:iam/rolePolicy:RolePolicy"),
        *recording.of("aws:iam/rolePolicyAttachment:RolePolicyAttachment"),
    ]
    assert len(rights) == 2
    function = recording.one("aws:lambda/function:Function")
    assert {one.urn for one in rights} <= function.dependencies
    (role,) = recording.of("aws:iam/role:Role")
    assert function.plain()["role"] == f"arn:aws:iam:us-east-1:{ACCOUNT}:{role.name}"
