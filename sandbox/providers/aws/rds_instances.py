"""RDS: Postgres instances, which are real servers of the sandbox."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sandbox.providers.aws import tagging
from sandbox.providers.aws.api import ApiError
from sandbox.providers.aws.context import Context
from sandbox.providers.aws.endpoint import started, tell
from sandbox.providers.aws.observation import wire_values
from sandbox.providers.aws.rds import LOWER, TAGS, name_rule, server_settings
from sandbox.providers.aws.requests import parameters
from sandbox.providers.aws.table import AwsType, Call, Modify, page, same
from sandbox.providers.interface import CheckFailure, Properties, ProviderError
from sandbox.providers.typed import Autoname, Kind, between, matches, one_of

# Property -> parameter of CreateDBInstance and, but for those that it lacks, of ModifyDBInstance.
_SETTINGS = {
    **same(
        "allocatedStorage", "autoMinorVersionUpgrade", "backupRetentionPeriod", "copyTagsToSnapshot",
        "deletionProtection", "engineVersion", "iops", "licenseModel", "maxAllocatedStorage", "monitoringInterval",
        "monitoringRoleArn", "networkType", "optionGroupName", "publiclyAccessible", "storageThroughput", "storageType",
        "vpcSecurityGroupIds", "databaseInsightsMode",
    ),
    "backupWindow": "PreferredBackupWindow",
    "caCertIdentifier": "CACertificateIdentifier",
    "dbSubnetGroupName": "DBSubnetGroupName",
    "iamDatabaseAuthenticationEnabled": "EnableIAMDatabaseAuthentication",
    "instanceClass": "DBInstanceClass",
    "maintenanceWindow": "PreferredMaintenanceWindow",
    "multiAz": "MultiAZ",
    "parameterGroupName": "DBParameterGroupName",
    "password": "MasterUserPassword",
    "performanceInsightsKmsKeyId": "PerformanceInsightsKMSKeyId",
    "performanceInsightsRetentionPeriod": "PerformanceInsightsRetentionPeriod",
}  # fmt: skip
_CREATED = {
    "availabilityZone": "AvailabilityZone",
    "dbName": "DBName",
    "enabledCloudwatchLogsExports": "EnableCloudwatchLogsExports",
    "engine": "Engine",
    "identifier": "DBInstanceIdentifier",
    "kmsKeyId": "KmsKeyId",
    "performanceInsightsEnabled": "EnablePerformanceInsights",
    "port": "Port",
    "storageEncrypted": "StorageEncrypted",
    "timezone": "Timezone",
    "username": "MasterUsername",
}


def _postgres_only(inputs: Properties) -> Iterable[CheckFailure]:
    engine = inputs.get("engine")
    if isinstance(engine, str) and engine != "postgres":
        yield CheckFailure(
            "engine", f"the sandbox runs real Postgres servers and no other; expected postgres, got {engine!r}"
        )
    for name in ("engine", "username", "password", "allocatedStorage"):
        if inputs.get(name) is None:
            yield CheckFailure(name, f"missing required property `{name}` (no snapshot or replica source is given)")
    password = inputs.get("password")
    if isinstance(password, str) and not 8 <= len(password) <= 128:
        yield CheckFailure("password", "has to have 8 to 128 characters")


def _start(context: Context) -> None:
    inputs, name, supervisor = context.inputs, context.inputs["identifier"], context.supervisor
    settings = server_settings(context, inputs.get("parameterGroupName"))
    server = started(
        lambda: supervisor.create_database(
            name,
            username=inputs["username"],
            password=inputs["password"],
            database=inputs.get("dbName", "postgres"),
            parameters=settings,
        ),
        lambda: supervisor.update_database(name, password=inputs["password"], parameters=settings),
    )
    tell(context, "rds", name, address=server.host, port=server.port)


def _changed(context: Context, changed: frozenset[str]) -> None:
    supervisor, name = context.supervisor, context.inputs["identifier"]
    if "enabledCloudwatchLogsExports" in changed:
        before = set(context.outputs.get("enabledCloudwatchLogsExports") or [])
        wanted = set(context.inputs.get("enabledCloudwatchLogsExports") or [])
        exports = {"EnableLogTypes": sorted(wanted - before), "DisableLogTypes": sorted(before - wanted)}
        context.call(
            "modify_db_instance",
            DBInstanceIdentifier=name,
            CloudwatchLogsExportConfiguration=exports,
            ApplyImmediately=True,
        )
    server = supervisor.database(name)
    if server is None:  # its creation was cut short
        _start(context)
        return
    tell(context, "rds", name, address=server.host, port=server.port)  # or was, before this
    if "password" in changed:
        supervisor.update_database(name, password=context.inputs["password"])
    # Changed or not: an update before this may have ended between the endpoint and the server.
    supervisor.update_database(name, parameters=server_settings(context, context.inputs.get("parameterGroupName")))


def _find(context: Context) -> dict[str, Any] | None:
    """By resource id, which is the provider's id; an import gives the identifier."""
    for instance in context.api.all("rds", "describe_db_instances", "DBInstances"):
        if context.id in (instance.get("DbiResourceId"), instance["DBInstanceIdentifier"]):
            return dict(instance)
    return None


_OBSERVED = {
    **{wire: api for wire, api in {**_SETTINGS, **_CREATED}.items() if wire not in ("password", "port")},
    "username": "MasterUsername",
    "vpcSecurityGroupIds": "VpcSecurityGroups[].VpcSecurityGroupId",
    "dbSubnetGroupName": "DBSubnetGroup.DBSubnetGroupName",
    "parameterGroupName": "DBParameterGroups[0].DBParameterGroupName",
    "optionGroupName": "OptionGroupMemberships[0].OptionGroupName",
    "iamDatabaseAuthenticationEnabled": "IAMDatabaseAuthenticationEnabled",
    "enabledCloudwatchLogsExports": "EnabledCloudwatchLogsExports",
    "performanceInsightsEnabled": "PerformanceInsightsEnabled",
    "caCertIdentifier": "CACertificateIdentifier",
    "arn": "DBInstanceArn",
    "address": "Endpoint.Address",
    "port": "Endpoint.Port",
    "hostedZoneId": "Endpoint.HostedZoneId",
    "resourceId": "DbiResourceId",
    "status": "DBInstanceStatus",
    "engineVersionActual": "EngineVersion",
    "latestRestorableTime": "LatestRestorableTime",
}


def _read(context: Context) -> dict[str, Any] | None:
    record = _find(context)
    if record is None:
        return None
    context.id = record["DbiResourceId"]
    found = wire_values(context, _OBSERVED, record)
    # `16` in a program means the newest 16.x, which is what the service then tells.
    wanted = context.inputs.get("engineVersion")
    if wanted and str(found.get("engineVersion", "")).startswith(f"{wanted}."):
        found["engineVersion"] = wanted
    if found.get("address"):
        found["endpoint"] = f"{found['address']}:{found['port']}"
    found["tags"] = found["tagsAll"] = {tag["Key"]: tag["Value"] for tag in record.get("TagList") or []}
    return found


def _delete(context: Context) -> None:
    record = _find(context)
    name = context.value("identifier")
    if record is not None:
        how: dict[str, Any] = {"SkipFinalSnapshot": bool(context.inputs.get("skipFinalSnapshot"))}
        if not how["SkipFinalSnapshot"]:
            snapshot = context.inputs.get("finalSnapshotIdentifier")
            if not snapshot:
                raise ProviderError("finalSnapshotIdentifier is required when skipFinalSnapshot is false")
            how["FinalDBSnapshotIdentifier"] = snapshot
        if context.inputs.get("deleteAutomatedBackups") is not None:
            how["DeleteAutomatedBackups"] = context.inputs["deleteAutomatedBackups"]
        if record.get("DeletionProtection"):
            raise ProviderError(f"{name} has deletionProtection on; set it to false and update before deleting it")
        context.call("delete_db_instance", DBInstanceIdentifier=record["DBInstanceIdentifier"], **how)
    if name:
        context.supervisor.delete_database(name)


def _major(version: object) -> str:
    return str(version).partition(".")[0] if version else ""


def _right_family(context: Context) -> None:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html (DBParameterGroupName)"""
    group, major = context.inputs.get("parameterGroupName"), _major(context.inputs.get("engineVersion"))
    if not group or not major or str(group).startswith("default."):
        return
    found = context.call("describe_db_parameter_groups", DBParameterGroupName=group)["DBParameterGroups"][0]
    if found["DBParameterGroupFamily"] != f"postgres{major}":
        raise ProviderError(
            f"parameterGroupName: {group} is of the family {found['DBParameterGroupFamily']}; version {major} takes "
            f"one of the family postgres{major}"
        )


def _admissible(context: Context, changed: frozenset[str]) -> None:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html (AllowMajorVersionUpgrade,
    AllocatedStorage)"""
    inputs, before = context.inputs, context.outputs
    present, wanted = _major(before.get("engineVersion")), _major(inputs.get("engineVersion"))
    if present and wanted and present != wanted and not inputs.get("allowMajorVersionUpgrade"):
        raise ProviderError(f"engineVersion: from {present} to {wanted} requires allowMajorVersionUpgrade")
    if int(inputs["allocatedStorage"]) < int(before.get("allocatedStorage") or 0):
        raise ProviderError("allocatedStorage: the storage of an instance cannot be made smaller")
    if changed & {"engineVersion", "parameterGroupName"}:
        _right_family(context)


def _create(context: Context) -> str:
    _right_family(context)
    request: dict[str, Any] = {**tagging.create_parameters(context)}
    call = Call("create_db_instance", {**_SETTINGS, **_CREATED})
    parameters(context, call, context.inputs, into=request)
    try:
        answer = context.call("create_db_instance", **request)
    except ApiError as error:
        if "AlreadyExists" in error.code:
            raise ProviderError(
                f"{context.inputs['identifier']} exists already; import it, or choose another name"
            ) from error
        raise
    return str(answer["DBInstance"]["DbiResourceId"])


INSTANCE = AwsType(
    token="aws:rds/instance:Instance",
    kind=Kind.LIVE,
    documentation=page("rds/instance"),
    note=(
        "A real Postgres server at a port of the sandbox's choosing, whatever engineVersion says; a final "
        "snapshot is only a record; another identifier replaces, where the provider renames"
    ),
    service="rds",
    autoname=Autoname("identifier", 63, "identifierPrefix", lower=True),
    conflicts=(frozenset({"identifier", "identifierPrefix"}),),
    defaults={
        "applyImmediately": False, "autoMinorVersionUpgrade": True, "backupRetentionPeriod": 0,
        "copyTagsToSnapshot": False, "deleteAutomatedBackups": True, "deletionProtection": False,
        "publiclyAccessible": False, "skipFinalSnapshot": False, "storageEncrypted": False, "monitoringInterval": 0,
        "performanceInsightsEnabled": False,
    },
    create=Call("create_db_instance", {**_SETTINGS, **_CREATED}),
    import_form="{identifier}",
    # The provider renames an instance in place; the sandbox's server keeps its name, so here that replaces it.
    replace_on=frozenset(
        {"identifier", "identifierPrefix", "availabilityZone", "dbName", "engine", "kmsKeyId", "storageEncrypted",
         "timezone", "username"}
    ),
    computed=frozenset(
        {"availabilityZone", "backupWindow", "caCertIdentifier", "dbName", "dbSubnetGroupName", "engineVersion", "iops",
         "kmsKeyId", "licenseModel", "maintenanceWindow", "monitoringRoleArn", "multiAz", "networkType",
         "optionGroupName", "parameterGroupName", "performanceInsightsKmsKeyId", "performanceInsightsRetentionPeriod",
         "port", "storageThroughput", "storageType", "vpcSecurityGroupIds", "databaseInsightsMode"}
    ),
    sets=frozenset({"vpcSecurityGroupIds", "enabledCloudwatchLogsExports"}),
    rules=(
        _postgres_only,
        matches("identifier", name_rule(), LOWER),
        between("backupRetentionPeriod", 0, 35),
        between("allocatedStorage", 20, 65536),
        one_of("storageType", "standard", "gp2", "gp3", "io1", "io2"),
    ),
    settings=frozenset({"applyImmediately", "skipFinalSnapshot", "finalSnapshotIdentifier", "deleteAutomatedBackups",
                        "allowMajorVersionUpgrade"}),
    placed=frozenset({"port"}),
    # https://www.pulumi.com/registry/packages/aws/api-docs/rds/instance/#maxallocatedstorage_python
    grows={"allocatedStorage": "maxAllocatedStorage"},
    id_of=lambda context: context.id,
    create_hook=_create,
    after_create=_start,
    read_hook=_read,
    modifies=(
        Modify(
            "modify_db_instance",
            {
                **_SETTINGS,
                "performanceInsightsEnabled": "EnablePerformanceInsights",
            },
            {"DBInstanceIdentifier": "{identifier}", "ApplyImmediately": "{applyImmediately}"},
            # As the provider does: a maximum that is no more than what there is ends the growth.
            clear={"iamDatabaseAuthenticationEnabled": False, "maxAllocatedStorage": "{allocatedStorage}"},
        ),
    ),
    hooked=frozenset({"enabledCloudwatchLogsExports"}),
    before_update=_admissible,
    after_update=_changed,
    delete_hook=_delete,
    missing=("DBInstanceNotFoundFault", "DBInstanceNotFound"),
    tags=TAGS,
    operations=(
        "describe_db_instances", "delete_db_instance", "list_tags_for_resource", "describe_db_parameter_groups",
    ),
)  # fmt: skip

TYPES = (INSTANCE,)
