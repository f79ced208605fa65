"""SQS: queues and their policies."""

from __future__ import annotations

from typing import Any

from sandbox.providers.aws.api import ApiError
from sandbox.providers.aws.context import Context
from sandbox.providers.aws.requests import parameters
from sandbox.providers.aws.table import AwsType, Call, Modify, Read, Tags, page
from sandbox.providers.interface import ProviderError
from sandbox.providers.typed import Autoname, Kind

_MISSING = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
_ATTRIBUTES = {
    "delaySeconds": "DelaySeconds",
    "kmsDataKeyReusePeriodSeconds": "KmsDataKeyReusePeriodSeconds",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "maxMessageSize": "MaximumMessageSize",
    "messageRetentionSeconds": "MessageRetentionPeriod",
    "receiveWaitTimeSeconds": "ReceiveMessageWaitTimeSeconds",
    "redriveAllowPolicy": "RedriveAllowPolicy",
    "redrivePolicy": "RedrivePolicy",
    "sqsManagedSseEnabled": "SqsManagedSseEnabled",
    "visibilityTimeoutSeconds": "VisibilityTimeout",
}
_NUMBERS = frozenset(name for name in _ATTRIBUTES if name.endswith("Seconds")) | {"maxMessageSize"}
_REQUEST = {name: f"Attributes.{api}" for name, api in _ATTRIBUTES.items()}


def _observe(context: Context, found: dict[str, Any]) -> None:
    found.update(name=context.id.rsplit("/", 1)[-1], url=context.id)
    for name in _NUMBERS & found.keys():
        found[name] = int(found[name])
    # moto tells it only where it was set.
    found["sqsManagedSseEnabled"] = str(found.get("sqsManagedSseEnabled", "true")).lower() == "true"


def _create(context: Context) -> str:
    name = context.inputs["name"]
    try:
        # CreateQueue returns a queue of this name that is there already.
        context.call("get_queue_url", QueueName=name)
    except ApiError as error:
        if error.code not in _MISSING:
            raise
    else:
        raise ProviderError(f"{name} exists already; import it, or choose another name")
    request: dict[str, Any] = {}
    parameters(context, Call("create_queue", {"name": "QueueName", **_REQUEST}), context.inputs, into=request)
    if tags := context.inputs.get("tags"):
        request["tags"] = dict(tags)
    return str(context.call("create_queue", **request)["QueueUrl"])


QUEUE = AwsType(
    token="aws:sqs/queue:Queue",
    kind=Kind.LIVE,
    documentation=page("sqs/queue"),
    note="Standard queues; encryption is kept as a setting",
    service="sqs",
    autoname=Autoname("name", 80, "namePrefix"),
    conflicts=(frozenset({"name", "namePrefix"}), frozenset({"kmsMasterKeyId", "sqsManagedSseEnabled"})),
    create_hook=_create,
    hooked=frozenset({"name"}),
    told=frozenset({"redrivePolicy"}),
    # https://www.pulumi.com/registry/packages/aws/api-docs/sqs/queue/#inputs; the rest is as it was when not given.
    defaults={
        "delaySeconds": 0, "maxMessageSize": 262144, "messageRetentionSeconds": 345600, "receiveWaitTimeSeconds": 0,
        "visibilityTimeoutSeconds": 30,
    },
    computed=frozenset(
        {
            "kmsDataKeyReusePeriodSeconds", "kmsMasterKeyId", "redriveAllowPolicy", "redrivePolicy",
            "sqsManagedSseEnabled",
        }
    ),
    documents=frozenset({"redrivePolicy", "redriveAllowPolicy"}),
    replace_on=frozenset({"name", "namePrefix"}),
    reads=(
        Read(
            "get_queue_attributes",
            {"QueueUrl": "{id}", "AttributeNames": ["All"]},
            "Attributes",
            {"arn": "QueueArn", **_ATTRIBUTES},
        ),
    ),
    observe=_observe,
    modifies=(
        Modify(
            "set_queue_attributes",
            _REQUEST,
            {"QueueUrl": "{id}"},
            clear={"redrivePolicy": "", "redriveAllowPolicy": "", "kmsMasterKeyId": ""},
        ),
    ),
    delete=Call("delete_queue", fixed={"QueueUrl": "{id}"}),
    missing=_MISSING,
    tags=Tags(
        "tag_queue",
        "untag_queue",
        {"QueueUrl": "{id}"},
        in_create="tags",
        as_map=True,
        read="Tags",
        read_operation="list_queue_tags",
    ),
    operations=("get_queue_url", "create_queue"),
)  # fmt: skip


def _put_policy(context: Context, changed: frozenset[str]) -> None:
    if "policy" in changed:
        context.call(
            "set_queue_attributes",
            QueueUrl=context.inputs["queueUrl"],
            Attributes={"Policy": context.inputs["policy"]},
        )


def _create_policy(context: Context) -> str:
    _put_policy(context, frozenset({"policy"}))
    return str(context.inputs["queueUrl"])


def _read_policy(context: Context) -> dict[str, Any] | None:
    try:
        answer = context.call("get_queue_attributes", QueueUrl=context.id, AttributeNames=["Policy"])
    except ApiError as error:
        if error.code in _MISSING:
            return None
        raise
    policy = answer.get("Attributes", {}).get("Policy")
    return {"queueUrl": context.id, "policy": policy} if policy else None


def _drop_policy(context: Context) -> None:
    context.call("set_queue_attributes", QueueUrl=context.id, Attributes={"Policy": ""})


QUEUE_POLICY = AwsType(
    token="aws:sqs/queuePolicy:QueuePolicy",
    kind=Kind.LIVE,
    documentation=page("sqs/queuepolicy"),
    note="Kept, and not enforced",
    service="sqs",
    documents=frozenset({"policy"}),
    id_form="{queueUrl}",
    probe=True,
    replace_on=frozenset({"queueUrl"}),
    hooked=frozenset({"queueUrl", "policy"}),
    create_hook=_create_policy,
    read_hook=_read_policy,
    after_update=_put_policy,
    delete_hook=_drop_policy,
    missing=_MISSING,
    operations=("set_queue_attributes", "get_queue_attributes"),
)

TYPES = (QUEUE, QUEUE_POLICY)
