"""CloudWatch: alarms on one metric."""

from __future__ import annotations

from typing import Any

from sandbox.providers.aws.context import Context
from sandbox.providers.aws.requests import parameters
from sandbox.providers.aws.table import AwsType, Call, Read, Tags, page
from sandbox.providers.typed import Autoname, Kind, one_of

_FIELDS = {
    "actionsEnabled": "ActionsEnabled",
    "alarmActions": "AlarmActions",
    "alarmDescription": "AlarmDescription",
    "comparisonOperator": "ComparisonOperator",
    "datapointsToAlarm": "DatapointsToAlarm",
    "evaluationPeriods": "EvaluationPeriods",
    "insufficientDataActions": "InsufficientDataActions",
    "metricName": "MetricName",
    "name": "AlarmName",
    "namespace": "Namespace",
    "okActions": "OKActions",
    "period": "Period",
    "statistic": "Statistic",
    "threshold": "Threshold",
    "treatMissingData": "TreatMissingData",
    "unit": "Unit",
}


def _put(context: Context, changed: frozenset[str]) -> None:
    """PutMetricAlarm replaces the whole alarm."""
    if changed & (_FIELDS.keys() | {"dimensions"}):
        request: dict[str, Any] = {}
        parameters(context, Call("put_metric_alarm", _FIELDS), context.inputs, into=request)
        dimensions = context.inputs.get("dimensions") or {}
        request["Dimensions"] = [{"Name": name, "Value": value} for name, value in sorted(dimensions.items())]
        context.call("put_metric_alarm", **request)


def _create(context: Context) -> str:
    _put(context, frozenset(_FIELDS))
    return str(context.inputs["name"])


def _observe(context: Context, found: dict[str, Any]) -> None:
    record = context.answer
    found["dimensions"] = {one["Name"]: one["Value"] for one in record.get("Dimensions", [])}


METRIC_ALARM = AwsType(
    token="aws:cloudwatch/metricAlarm:MetricAlarm",
    kind=Kind.LIVE,
    documentation=page("cloudwatch/metricalarm"),
    note="Kept, and never raised: there are no metrics",
    service="cloudwatch",
    autoname=Autoname("name", 255),
    defaults={"actionsEnabled": True, "treatMissingData": "missing"},
    id_form="{name}",
    probe=True,
    replace_on=frozenset({"name"}),
    rules=(
        one_of("statistic", "SampleCount", "Average", "Sum", "Minimum", "Maximum"),
        one_of("treatMissingData", "missing", "ignore", "breaching", "notBreaching"),
        one_of(
            "comparisonOperator",
            "GreaterThanOrEqualToThreshold",
            "GreaterThanThreshold",
            "LessThanThreshold",
            "LessThanOrEqualToThreshold",
        ),
    ),
    hooked=frozenset({*_FIELDS, "dimensions"}),
    told=frozenset({"alarmDescription", "datapointsToAlarm"}),
    create_hook=_create,
    reads=(
        Read(
            "describe_alarms",
            {"AlarmNames": ["{id}"]},
            "MetricAlarms[0]",
            {"arn": "AlarmArn", **_FIELDS},
        ),
    ),
    observe=_observe,
    after_update=_put,
    delete=Call("delete_alarms", fixed={"AlarmNames": ["{id}"]}),
    tags=Tags(
        "tag_resource",
        "untag_resource",
        {"ResourceARN": "arn:{partition}:cloudwatch:{region}:{account}:alarm:{id}"},
        read_operation="list_tags_for_resource",
    ),
    operations=("put_metric_alarm",),
)

TYPES = (METRIC_ALARM,)
