"""RDS: subnet and parameter groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jmespath

from sandbox.providers.aws.context import Context
from sandbox.providers.aws.table import AwsType, Call, Modify, Read, Tags, page, same
from sandbox.providers.interface import CheckFailure, Properties, ProviderError
from sandbox.providers.typed import Autoname, Kind, matches

TAGS = Tags(
    "add_tags_to_resource",
    "remove_tags_from_resource",
    {"ResourceName": "{arn}"},
    in_create="Tags",
    read="TagList",
    read_operation="list_tags_for_resource",
)
LOWER = "lower-case letters, digits and hyphens, a letter first, no two hyphens together and none at the end"


def name_rule(extra: str = "") -> str:
    return rf"(?!.*--)(?!.*-$)[a-z][a-z0-9{extra}-]{{0,254}}"


def _unused(path: str) -> Callable[[Context], None]:
    """Before the delete of a group whose name instances tell at `path` (JMESPath): RDS refuses one that is in use.
    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBParameterGroup.html (and ...SubnetGroup.html)
    """

    def check(context: Context) -> None:
        for instance in context.api.all("rds", "describe_db_instances", "DBInstances"):
            if context.id in (jmespath.search(path, instance) or ()):
                raise ProviderError(f"{context.id} is in use by the instance {instance['DBInstanceIdentifier']}")

    return check


SUBNET_GROUP = AwsType(
    token="aws:rds/subnetGroup:SubnetGroup",
    kind=Kind.LIVE,
    documentation=page("rds/subnetgroup"),
    service="rds",
    autoname=Autoname("name", 255, "namePrefix", lower=True),
    conflicts=(frozenset({"name", "namePrefix"}),),
    defaults={"description": "Managed by Pulumi"},
    create=Call(
        "create_db_subnet_group",
        {"name": "DBSubnetGroupName", "description": "DBSubnetGroupDescription", **same("subnetIds")},
    ),
    id_form="{name}",
    probe=True,
    replace_on=frozenset({"name", "namePrefix"}),
    sets=frozenset({"subnetIds"}),
    rules=(matches("name", r"(?!default$)[a-z0-9 ._-]{1,255}", "lower-case letters, digits, . _ - and spaces"),),
    reads=(
        Read(
            "describe_db_subnet_groups",
            {"DBSubnetGroupName": "{id}"},
            "DBSubnetGroups[0]",
            {
                "name": "DBSubnetGroupName",
                "description": "DBSubnetGroupDescription",
                "subnetIds": "Subnets[].SubnetIdentifier",
                "arn": "DBSubnetGroupArn",
                "vpcId": "VpcId",
                "supportedNetworkTypes": "SupportedNetworkTypes",
            },
        ),
    ),
    modifies=(
        Modify(
            "modify_db_subnet_group",
            {"description": "DBSubnetGroupDescription", **same("subnetIds")},
            {"DBSubnetGroupName": "{id}"},
            whole=True,
        ),
    ),
    before_delete=_unused("[DBSubnetGroup.DBSubnetGroupName]"),
    delete=Call("delete_db_subnet_group", fixed={"DBSubnetGroupName": "{id}"}),
    missing=("DBSubnetGroupNotFoundFault", "DBSubnetGroupNotFound"),
    tags=TAGS,
    computed_outputs={"arn": "arn:{partition}:rds:{region}:{account}:subgrp:{id}"},
    operations=("describe_db_instances",),
)


def _parameters(context: Context, wanted: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    return [
        {
            "ParameterName": item["name"],
            "ParameterValue": str(item["value"]),
            "ApplyMethod": item.get("applyMethod", "immediate"),
        }
        for item in wanted
    ]


def _set_parameters(context: Context) -> None:
    wanted = _parameters(context, context.inputs.get("parameters") or [])
    for start in range(0, len(wanted), 20):  # what one ModifyDBParameterGroup takes
        context.call(
            "modify_db_parameter_group", DBParameterGroupName=context.id, Parameters=wanted[start : start + 20]
        )


def _change_parameters(context: Context, changed: frozenset[str]) -> None:
    if "parameters" in changed:
        kept = {item["name"] for item in context.inputs.get("parameters") or []}
        gone = _parameters(
            context, [item for item in context.outputs.get("parameters") or [] if item["name"] not in kept]
        )
        if gone:
            context.call("reset_db_parameter_group", DBParameterGroupName=context.id, Parameters=gone)
        _set_parameters(context)
    # Changed or not: an update before this may have ended between the endpoint and the servers.
    instances = context.api.all("rds", "describe_db_instances", "DBInstances")
    for instance in instances:
        if context.id in {group["DBParameterGroupName"] for group in instance["DBParameterGroups"]}:
            settings = server_settings(context, context.id)
            context.supervisor.update_database(instance["DBInstanceIdentifier"], parameters=settings)


def server_settings(context: Context, group: str | None) -> dict[str, str]:
    """The settings of a parameter group that somebody set, by name; none for a default group."""
    if not group or group.startswith("default."):
        return {}
    found = context.api.all("rds", "describe_db_parameters", "Parameters", DBParameterGroupName=group, Source="user")
    return {item["ParameterName"]: item["ParameterValue"] for item in found if item.get("ParameterValue") is not None}


def _observe_parameters(context: Context, found: dict[str, Any]) -> None:
    items = context.api.all(
        "rds", "describe_db_parameters", "Parameters", DBParameterGroupName=context.id, Source="user"
    )
    found["parameters"] = [
        {
            "name": item["ParameterName"],
            "value": item["ParameterValue"],
            "applyMethod": item.get("ApplyMethod", "immediate"),
        }
        for item in sorted(items, key=lambda item: str(item["ParameterName"]))
        if item.get("ParameterValue") is not None
    ]


_STATIC = frozenset(
    {
        "max_connections", "max_locks_per_transaction", "max_prepared_transactions", "max_replication_slots",
        "max_wal_senders", "max_worker_processes", "rds.logical_replication", "shared_buffers",
        "shared_preload_libraries", "superuser_reserved_connections", "track_activity_query_size",
        "track_commit_timestamp", "wal_buffers",
    }
)  # fmt: skip


def _static_parameters(inputs: Properties) -> Iterable[CheckFailure]:
    """RDS: "cannot use immediate apply method for static parameter"; the provider's default is `immediate`.
    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_Parameter.html"""
    wanted = inputs.get("parameters")
    for index, item in enumerate(wanted if isinstance(wanted, list) else []):
        if (
            isinstance(item, Mapping)
            and item.get("name") in _STATIC
            and item.get("applyMethod", "immediate") == "immediate"
        ):
            yield CheckFailure(
                f"parameters[{index}].applyMethod", f"{item['name']} is static: RDS takes `pending-reboot` for it only"
            )


PARAMETER_GROUP = AwsType(
    token="aws:rds/parameterGroup:ParameterGroup",
    kind=Kind.LIVE,
    documentation=page("rds/parametergroup"),
    service="rds",
    autoname=Autoname("name", 255, "namePrefix", lower=True),
    conflicts=(frozenset({"name", "namePrefix"}),),
    defaults={"description": "Managed by Pulumi", "skipDestroy": False},
    create=Call(
        "create_db_parameter_group",
        {"name": "DBParameterGroupName", "family": "DBParameterGroupFamily", "description": "Description"},
    ),
    id_form="{name}",
    replace_on=frozenset({"name", "namePrefix", "family", "description"}),
    sets=frozenset({"parameters"}),
    rules=(matches("name", name_rule("."), LOWER), _static_parameters),
    settings=frozenset({"skipDestroy"}),
    hooked=frozenset({"parameters"}),
    reads=(
        Read(
            "describe_db_parameter_groups",
            {"DBParameterGroupName": "{id}"},
            "DBParameterGroups[0]",
            {
                "name": "DBParameterGroupName",
                "family": "DBParameterGroupFamily",
                "description": "Description",
                "arn": "DBParameterGroupArn",
            },
        ),
    ),
    observe=_observe_parameters,
    after_create=_set_parameters,
    after_update=_change_parameters,
    before_delete=_unused("DBParameterGroups[].DBParameterGroupName"),
    delete=Call("delete_db_parameter_group", fixed={"DBParameterGroupName": "{id}"}),
    missing=("DBParameterGroupNotFoundFault", "DBParameterGroupNotFound"),
    tags=TAGS,
    computed_outputs={"arn": "arn:{partition}:rds:{region}:{account}:pg:{id}"},
    operations=(
        "modify_db_parameter_group", "reset_db_parameter_group", "describe_db_parameters", "describe_db_instances",
    ),
)  # fmt: skip

TYPES = (SUBNET_GROUP, PARAMETER_GROUP)
