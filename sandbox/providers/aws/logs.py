"""CloudWatch Logs: log groups, and the metrics that are counted in them."""

from __future__ import annotations

from sandbox.providers.aws.context import Context
from sandbox.providers.aws.table import AwsType, Call, Modify, Read, Tags, page
from sandbox.providers.interface import CheckFailure, Properties
from sandbox.providers.typed import Autoname, Kind, one_of

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html; 0 is for ever.
_RETENTION = (
    0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip


def _retention(inputs: Properties) -> list[CheckFailure]:
    days = inputs.get("retentionInDays")
    if isinstance(days, int) and days not in _RETENTION:
        return [CheckFailure("retentionInDays", f"expected one of {', '.join(map(str, _RETENTION))}; got {days}")]
    return []


def _changed(context: Context, changed: frozenset[str]) -> None:
    group = {"logGroupName": context.id}
    if "retentionInDays" in changed:
        if context.inputs.get("retentionInDays"):
            context.call("put_retention_policy", retentionInDays=context.inputs["retentionInDays"], **group)
        else:
            context.call("delete_retention_policy", **group)
    if "kmsKeyId" in changed:
        if context.inputs.get("kmsKeyId"):
            context.call("associate_kms_key", kmsKeyId=context.inputs["kmsKeyId"], **group)
        else:
            context.call("disassociate_kms_key", **group)


def _first_retention(context: Context) -> None:
    if context.inputs.get("retentionInDays"):
        _changed(context, frozenset({"retentionInDays"}))


def _delete(context: Context) -> None:
    if not context.inputs.get("skipDestroy"):
        context.call("delete_log_group", logGroupName=context.id)


LOG_GROUP = AwsType(
    token="aws:cloudwatch/logGroup:LogGroup",
    kind=Kind.LIVE,
    documentation=page("cloudwatch/loggroup"),
    service="logs",
    autoname=Autoname("name", 512, "namePrefix"),
    conflicts=(frozenset({"name", "namePrefix"}),),
    defaults={"retentionInDays": 0, "skipDestroy": False},
    create=Call("create_log_group", {"name": "logGroupName", "kmsKeyId": "kmsKeyId", "logGroupClass": "logGroupClass"}),
    id_form="{name}",
    computed=frozenset({"logGroupClass"}),
    replace_on=frozenset({"name", "namePrefix", "logGroupClass"}),
    rules=(_retention, one_of("logGroupClass", "STANDARD", "INFREQUENT_ACCESS", "DELIVERY")),
    settings=frozenset({"skipDestroy"}),
    hooked=frozenset({"kmsKeyId", "retentionInDays"}),
    told=frozenset({"kmsKeyId"}),
    reads=(
        Read(
            "describe_log_groups",
            {"logGroupNamePrefix": "{id}"},
            "logGroups[?logGroupName=='{id}'] | [0]",
            {
                "name": "logGroupName",
                "arn": "logGroupArn || arn",
                "kmsKeyId": "kmsKeyId",
                "retentionInDays": "retentionInDays",
                "logGroupClass": "logGroupClass",
            },
        ),
    ),
    observe=lambda context, found: found.update(
        arn=str(found["arn"]).removesuffix(":*"), retentionInDays=found.get("retentionInDays", 0)
    ),
    after_create=_first_retention,
    after_update=_changed,
    delete_hook=_delete,
    missing=("ResourceNotFoundException",),
    tags=Tags(
        "tag_resource",
        "untag_resource",
        {"resourceArn": "arn:{partition}:logs:{region}:{account}:log-group:{id}"},
        in_create="tags",
        tags="tags",
        keys="tagKeys",
        as_map=True,
        read="tags",
        read_operation="list_tags_for_resource",
    ),
    operations=(
        "put_retention_policy", "delete_retention_policy", "associate_kms_key", "disassociate_kms_key",
        "delete_log_group",
    ),
)  # fmt: skip

_FILTER = {
    "logGroupName": "logGroupName",
    "metricTransformation": "metricTransformations",
    "name": "filterName",
    "pattern": "filterPattern",
}

METRIC_FILTER = AwsType(
    token="aws:cloudwatch/logMetricFilter:LogMetricFilter",
    kind=Kind.LIVE,
    documentation=page("cloudwatch/logmetricfilter"),
    note="Kept; nothing is counted",
    service="logs",
    autoname=Autoname("name", 512),
    renames={
        "metricTransformation.name": "metricName",
        "metricTransformation.namespace": "metricNamespace",
        "metricTransformation.value": "metricValue",
    },
    create=Call("put_metric_filter", _FILTER),
    id_form="{name}",
    import_form="{logGroupName}:{name}",
    # PutMetricFilter overwrites a filter of this name.
    probe=True,
    replace_on=frozenset({"name", "logGroupName"}),
    reads=(
        Read(
            "describe_metric_filters",
            {"logGroupName": "{logGroupName}", "filterNamePrefix": "{name}"},
            # An import gives both names.
            "metricFilters[?filterName=='{id}' || join(':', [logGroupName, filterName])=='{id}'] | [0]",
            _FILTER,
        ),
    ),
    modifies=(Modify("put_metric_filter", _FILTER, whole=True),),
    delete=Call("delete_metric_filter", fixed={"logGroupName": "{logGroupName}", "filterName": "{id}"}),
    missing=("ResourceNotFoundException",),
)

TYPES = (LOG_GROUP, METRIC_FILTER)
