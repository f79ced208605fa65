"""Secrets Manager: secrets and their versions."""

from __future__ import annotations

import base64
from typing import Any

from sandbox.providers.aws.api import ApiError
from sandbox.providers.aws.context import Context
from sandbox.providers.aws.table import AwsType, Call, Modify, Read, Tags, page, same
from sandbox.providers.interface import CheckFailure, Properties
from sandbox.providers.typed import Autoname, Kind, exactly_one_of


def _recovery_window(inputs: Properties) -> list[CheckFailure]:
    days = inputs.get("recoveryWindowInDays")
    if isinstance(days, int) and days != 0 and not 7 <= days <= 30:
        return [CheckFailure("recoveryWindowInDays", f"expected 0 (at once) or 7 to 30; got {days}")]
    return []


def _delete(context: Context) -> None:
    days = context.inputs.get("recoveryWindowInDays", 30)
    how: dict[str, Any] = {"RecoveryWindowInDays": days} if days else {"ForceDeleteWithoutRecovery": True}
    context.call("delete_secret", SecretId=context.id, **how)


def _policy(context: Context, changed: frozenset[str]) -> None:
    if "policy" in changed and not context.inputs.get("policy"):
        context.call("delete_resource_policy", SecretId=context.id)


SECRET = AwsType(
    token="aws:secretsmanager/secret:Secret",
    kind=Kind.LIVE,
    documentation=page("secretsmanager/secret"),
    service="secretsmanager",
    autoname=Autoname("name", 512, "namePrefix"),
    conflicts=(frozenset({"name", "namePrefix"}),),
    defaults={"recoveryWindowInDays": 30, "forceOverwriteReplicaSecret": False},
    create=Call("create_secret", same("name", "description", "kmsKeyId")),
    id_answer="ARN",
    replace_on=frozenset({"name", "namePrefix"}),
    computed=frozenset({"policy"}),
    documents=frozenset({"policy"}),
    rules=(_recovery_window,),
    settings=frozenset({"recoveryWindowInDays", "forceOverwriteReplicaSecret"}),
    told=frozenset({"description"}),
    reads=(
        Read(
            "describe_secret",
            {"SecretId": "{id}"},
            "[@][?DeletedDate==null] | [0]",
            {"arn": "ARN", "name": "Name", "description": "Description", "kmsKeyId": "KmsKeyId"},
        ),
        Read("get_resource_policy", {"SecretId": "{id}"}, fields={"policy": "ResourcePolicy"}),
    ),
    modifies=(
        Modify(
            "update_secret",
            same("description", "kmsKeyId"),
            {"SecretId": "{id}"},
            whole=True,
            clear={"description": ""},
        ),
        Modify("put_resource_policy", {"policy": "ResourcePolicy"}, {"SecretId": "{id}"}, on_create=True),
    ),
    after_update=_policy,
    delete_hook=_delete,
    missing=("ResourceNotFoundException",),
    tags=Tags("tag_resource", "untag_resource", {"SecretId": "{id}"}, in_create="Tags"),
    operations=("delete_secret", "delete_resource_policy"),
)


def _parts(context: Context) -> tuple[str, str]:
    secret, _, version = context.id.partition("|")
    return secret, version


def _read_version(context: Context) -> dict[str, Any] | None:
    secret, version = _parts(context)
    try:
        found = context.call("get_secret_value", SecretId=secret, VersionId=version)
    except ApiError as error:
        if error.code in ("ResourceNotFoundException", "InvalidRequestException"):  # the latter: marked for deletion
            return None
        raise
    seen: dict[str, Any] = {
        "arn": found["ARN"],
        "secretArn": found["ARN"],
        "secretId": secret,
        "versionId": found["VersionId"],
        "versionStages": list(found.get("VersionStages") or []),
        "hasSecretStringWo": False,
    }
    if found.get("SecretString") is not None:
        seen["secretString"] = found["SecretString"]
    if found.get("SecretBinary") is not None:
        seen["secretBinary"] = base64.b64encode(found["SecretBinary"]).decode()
    return seen


def _move_stages(context: Context, changed: frozenset[str]) -> None:
    if "versionStages" not in changed:
        return
    secret, version = _parts(context)
    before, wanted = set(context.outputs.get("versionStages") or []), set(context.inputs.get("versionStages") or [])
    for stage in sorted(wanted - before):
        context.call("update_secret_version_stage", SecretId=secret, VersionStage=stage, MoveToVersionId=version)
    for stage in sorted(before - wanted - {"AWSCURRENT"}):
        context.call("update_secret_version_stage", SecretId=secret, VersionStage=stage, RemoveFromVersionId=version)


def _forget_version(context: Context) -> None:
    """A version cannot be deleted: it loses its labels, and AWSCURRENT stays where it is."""
    secret, version = _parts(context)
    there = context.call("list_secret_version_ids", SecretId=secret, IncludeDeprecated=True)["Versions"]
    stages = next((v.get("VersionStages") or [] for v in there if v["VersionId"] == version), [])
    for stage in stages:
        if stage != "AWSCURRENT":
            context.call(
                "update_secret_version_stage", SecretId=secret, VersionStage=stage, RemoveFromVersionId=version
            )


SECRET_VERSION = AwsType(
    token="aws:secretsmanager/secretVersion:SecretVersion",
    kind=Kind.LIVE,
    documentation=page("secretsmanager/secretversion"),
    service="secretsmanager",
    create=Call("put_secret_value", same("secretId", "secretString", "secretBinary", "versionStages")),
    id_answer="join('|', [ARN, VersionId])",
    replace_on=frozenset({"secretId", "secretString", "secretBinary"}),
    rules=(exactly_one_of("secretString", "secretBinary"),),
    secret_outputs=frozenset({"secretString", "secretBinary"}),
    computed=frozenset({"versionStages"}),
    sets=frozenset({"versionStages"}),
    read_hook=_read_version,
    hooked=frozenset({"versionStages"}),
    after_update=_move_stages,
    delete_hook=_forget_version,
    missing=("ResourceNotFoundException", "InvalidRequestException"),
    operations=("get_secret_value", "update_secret_version_stage", "list_secret_version_ids"),
)

TYPES = (SECRET, SECRET_VERSION)
