"""SNS: topics, their policies and subscriptions."""

from __future__ import annotations

import json
from typing import Any

from sandbox.providers.aws.api import ApiError
from sandbox.providers.aws.context import Context
from sandbox.providers.aws.table import AwsType, Call, Read, Tags, page
from sandbox.providers.interface import ProviderError
from sandbox.providers.property_diff import same_document
from sandbox.providers.typed import Autoname, Kind, one_of

_TOPIC_ATTRIBUTES = {
    "displayName": "DisplayName",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "policy": "Policy",
    "deliveryPolicy": "DeliveryPolicy",
    "fifoTopic": "FifoTopic",
    "contentBasedDeduplication": "ContentBasedDeduplication",
    "signatureVersion": "SignatureVersion",
    "tracingConfig": "TracingConfig",
}
# https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
_ON_CREATE = {"fifoTopic", "contentBasedDeduplication", "displayName", "kmsMasterKeyId", "policy"}


def _attribute(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _set_topic(context: Context, names: frozenset[str]) -> None:
    for name in sorted(names & set(_TOPIC_ATTRIBUTES)):
        value = context.inputs.get(name)
        if value is None and name == "policy":
            value = _default_policy(context)
        context.call(
            "set_topic_attributes",
            TopicArn=context.id,
            AttributeName=_TOPIC_ATTRIBUTES[name],
            AttributeValue="" if value is None else _attribute(value),
        )


def _rest_of_topic(context: Context) -> None:
    _set_topic(context, frozenset(n for n in context.inputs if n in _TOPIC_ATTRIBUTES and n not in _ON_CREATE))


def _default_policy(context: Context) -> str:
    """What SNS gives a new topic: its own account may use it."""
    actions = (
        "GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission", "DeleteTopic", "Subscribe",
        "ListSubscriptionsByTopic", "Publish",
    )  # fmt: skip
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{action}" for action in actions],
        "Resource": context.id,
        "Condition": {"StringEquals": {"AWS:SourceOwner": context.api.account}},
    }
    return json.dumps({"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]})


TOPIC = AwsType(
    token="aws:sns/topic:Topic",
    kind=Kind.LIVE,
    documentation=page("sns/topic"),
    service="sns",
    autoname=Autoname("name", 256, "namePrefix"),
    conflicts=(frozenset({"name", "namePrefix"}),),
    defaults={"fifoTopic": False},
    create=Call(
        "create_topic",
        {"name": "Name", **{name: f"Attributes.{_TOPIC_ATTRIBUTES[name]}" for name in sorted(_ON_CREATE)}},
    ),
    id_answer="TopicArn",
    id_form="arn:{partition}:sns:{region}:{account}:{name}",
    probe=True,  # CreateTopic returns a topic of this name that is there already
    computed=frozenset({"policy", "signatureVersion", "tracingConfig"}),
    documents=frozenset({"policy", "deliveryPolicy"}),
    replace_on=frozenset({"name", "namePrefix", "fifoTopic"}),
    rules=(one_of("tracingConfig", "Active", "PassThrough"),),
    hooked=frozenset(_TOPIC_ATTRIBUTES),
    told=frozenset({"kmsMasterKeyId"}),
    reads=(
        Read(
            "get_topic_attributes",
            {"TopicArn": "{id}"},
            "Attributes",
            {"arn": "TopicArn", "owner": "Owner", **_TOPIC_ATTRIBUTES},
        ),
    ),
    observe=lambda context, found: found.update(name=context.id.rsplit(":", 1)[-1]),
    after_create=_rest_of_topic,
    after_update=_set_topic,
    delete=Call("delete_topic", fixed={"TopicArn": "{id}"}),
    missing=("NotFound", "NotFoundException"),
    tags=Tags(
        "tag_resource",
        "untag_resource",
        {"ResourceArn": "{id}"},
        in_create="Tags",
        read_operation="list_tags_for_resource",
    ),
    operations=("set_topic_attributes",),
)


def _create_policy(context: Context) -> str:
    _put_policy(context, frozenset({"policy"}))
    return str(context.inputs["arn"])


def _put_policy(context: Context, changed: frozenset[str]) -> None:
    if "policy" in changed:
        context.call(
            "set_topic_attributes",
            TopicArn=context.inputs["arn"],
            AttributeName="Policy",
            AttributeValue=context.inputs["policy"],
        )


def _reset_policy(context: Context) -> None:
    context.call(
        "set_topic_attributes", TopicArn=context.id, AttributeName="Policy", AttributeValue=_default_policy(context)
    )


def _read_policy(context: Context) -> dict[str, Any] | None:
    try:
        found = context.call("get_topic_attributes", TopicArn=context.id)["Attributes"]
    except ApiError as error:
        if error.code in TOPIC.missing:
            return None
        raise
    # By the whole of it: the provider's page names its statement as SNS names that of a new topic.
    if same_document(found["Policy"], _default_policy(context)):
        return None
    return {"arn": context.id, "policy": found["Policy"], "owner": found["Owner"]}


TOPIC_POLICY = AwsType(
    token="aws:sns/topicPolicy:TopicPolicy",
    kind=Kind.LIVE,
    documentation=page("sns/topicpolicy"),
    service="sns",
    documents=frozenset({"policy"}),
    id_form="{arn}",
    probe=True,
    replace_on=frozenset({"arn"}),
    hooked=frozenset({"arn", "policy"}),
    create_hook=_create_policy,
    read_hook=_read_policy,
    after_update=_put_policy,
    delete_hook=_reset_policy,
    missing=TOPIC.missing,
    operations=("set_topic_attributes", "get_topic_attributes"),
)

_SUBSCRIPTION_ATTRIBUTES = {
    "deliveryPolicy": "DeliveryPolicy",
    "filterPolicy": "FilterPolicy",
    "filterPolicyScope": "FilterPolicyScope",
    "rawMessageDelivery": "RawMessageDelivery",
    "redrivePolicy": "RedrivePolicy",
    "subscriptionRoleArn": "SubscriptionRoleArn",
}


def _subscribe(context: Context) -> str:
    topic, protocol, endpoint = (context.inputs[name] for name in ("topic", "protocol", "endpoint"))
    # Subscribe returns a subscription of this endpoint that is there already.
    for there in context.api.all("sns", "list_subscriptions_by_topic", "Subscriptions", TopicArn=topic):
        if (there["Protocol"], there["Endpoint"]) == (protocol, endpoint):
            raise ProviderError(f"{endpoint} is subscribed to {topic} already ({there['SubscriptionArn']}); import it")
    attributes = {
        api: _attribute(context.inputs[wire])
        for wire, api in _SUBSCRIPTION_ATTRIBUTES.items()
        if wire in context.inputs
    }
    answer = context.call(
        "subscribe",
        TopicArn=topic,
        Protocol=protocol,
        Endpoint=endpoint,
        ReturnSubscriptionArn=True,
        **({"Attributes": attributes} if attributes else {}),
    )
    return str(answer["SubscriptionArn"])


def _set_subscription(context: Context, changed: frozenset[str]) -> None:
    for name in sorted(changed & set(_SUBSCRIPTION_ATTRIBUTES)):
        value = context.inputs.get(name)
        context.call(
            "set_subscription_attributes",
            SubscriptionArn=context.id,
            AttributeName=_SUBSCRIPTION_ATTRIBUTES[name],
            AttributeValue="" if value is None else _attribute(value),
        )


TOPIC_SUBSCRIPTION = AwsType(
    token="aws:sns/topicSubscription:TopicSubscription",
    kind=Kind.LIVE,
    documentation=page("sns/topicsubscription"),
    note="Confirmed at once where AWS waits for the subscriber",
    service="sns",
    defaults={"confirmationTimeoutInMinutes": 1, "endpointAutoConfirms": False, "rawMessageDelivery": False},
    computed=frozenset({"filterPolicyScope"}),
    documents=frozenset({"deliveryPolicy", "filterPolicy", "redrivePolicy"}),
    replace_on=frozenset({"topic", "protocol", "endpoint"}),
    rules=(
        one_of("protocol", "application", "firehose", "lambda", "sms", "sqs", "email", "email-json", "http", "https"),
    ),
    hooked=frozenset({"topic", "protocol", "endpoint", *_SUBSCRIPTION_ATTRIBUTES}),
    settings=frozenset({"confirmationTimeoutInMinutes", "endpointAutoConfirms"}),
    create_hook=_subscribe,
    reads=(
        Read(
            "get_subscription_attributes",
            {"SubscriptionArn": "{id}"},
            "Attributes",
            {
                "arn": "SubscriptionArn",
                "topic": "TopicArn",
                "protocol": "Protocol",
                "endpoint": "Endpoint",
                "ownerId": "Owner",
                "pendingConfirmation": "PendingConfirmation",
                "confirmationWasAuthenticated": "ConfirmationWasAuthenticated",
                **_SUBSCRIPTION_ATTRIBUTES,
            },
        ),
    ),
    after_update=_set_subscription,
    delete=Call("unsubscribe", fixed={"SubscriptionArn": "{id}"}),
    missing=("NotFound", "NotFoundException"),
    operations=("subscribe", "list_subscriptions_by_topic", "set_subscription_attributes"),
)

TYPES = (TOPIC, TOPIC_POLICY, TOPIC_SUBSCRIPTION)
