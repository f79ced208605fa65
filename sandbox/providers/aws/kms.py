"""KMS: keys and aliases."""

from __future__ import annotations

from typing import Any

from sandbox.providers.aws.context import Context
from sandbox.providers.aws.table import AwsType, Call, Modify, Read, Tags, page, same
from sandbox.providers.typed import Autoname, Kind, between, matches


def _rotation(context: Context) -> None:
    if context.inputs.get("enableKeyRotation"):
        period = context.inputs.get("rotationPeriodInDays")
        context.call("enable_key_rotation", KeyId=context.id, **({"RotationPeriodInDays": period} if period else {}))
    if not context.inputs.get("isEnabled", True):
        context.call("disable_key", KeyId=context.id)


def _changed(context: Context, changed: frozenset[str]) -> None:
    if context.inputs.get("isEnabled", True) and "isEnabled" in changed:
        context.call("enable_key", KeyId=context.id)
    if changed & {"enableKeyRotation", "rotationPeriodInDays"} and not context.inputs.get("enableKeyRotation"):
        context.call("disable_key_rotation", KeyId=context.id)
    elif changed & {"enableKeyRotation", "rotationPeriodInDays", "isEnabled"}:
        _rotation(context)


KEY = AwsType(
    token="aws:kms/key:Key",
    kind=Kind.LIVE,
    documentation=page("kms/key"),
    note="Key policies are kept and not enforced",
    service="kms",
    create=Call(
        "create_key",
        {
            **same("policy", "description", "keyUsage", "multiRegion", "bypassPolicyLockoutSafetyCheck"),
            "customerMasterKeySpec": "KeySpec",
        },
    ),
    id_answer="KeyMetadata.KeyId",
    defaults={
        "customerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "keyUsage": "ENCRYPT_DECRYPT",
        "isEnabled": True,
        "enableKeyRotation": False,
        "multiRegion": False,
        "bypassPolicyLockoutSafetyCheck": False,
    },
    # The API's default when the program says nothing, but no default of the provider's.
    computed=frozenset({"policy", "description", "rotationPeriodInDays"}),
    documents=frozenset({"policy"}),
    replace_on=frozenset({"customerMasterKeySpec", "keyUsage", "multiRegion"}),
    rules=(between("deletionWindowInDays", 7, 30), between("rotationPeriodInDays", 90, 2560)),
    settings=frozenset({"deletionWindowInDays"}),
    hooked=frozenset({"enableKeyRotation", "rotationPeriodInDays", "isEnabled"}),
    reads=(
        Read(
            "describe_key",
            {"KeyId": "{id}"},
            "[KeyMetadata][?KeyState!='PendingDeletion'] | [0]",
            {
                "arn": "Arn",
                "keyId": "KeyId",
                "description": "Description",
                "keyUsage": "KeyUsage",
                "customerMasterKeySpec": "KeySpec",
                "multiRegion": "MultiRegion",
                "isEnabled": "Enabled",
            },
        ),
        Read("get_key_policy", {"KeyId": "{id}", "PolicyName": "default"}, fields={"policy": "Policy"}),
        Read(
            "get_key_rotation_status",
            {"KeyId": "{id}"},
            fields={"enableKeyRotation": "KeyRotationEnabled", "rotationPeriodInDays": "RotationPeriodInDays"},
        ),
    ),
    modifies=(
        Modify("update_key_description", same("description"), {"KeyId": "{id}"}, clear={"description": ""}),
        Modify(
            "put_key_policy",
            same("policy", "bypassPolicyLockoutSafetyCheck"),
            {"KeyId": "{id}", "PolicyName": "default"},
            whole=True,
        ),
    ),
    after_create=_rotation,
    after_update=_changed,
    delete=Call("schedule_key_deletion", {"deletionWindowInDays": "PendingWindowInDays"}, {"KeyId": "{id}"}),
    missing=("NotFoundException",),
    tags=Tags(
        "tag_resource",
        "untag_resource",
        {"KeyId": "{id}"},
        in_create="Tags",
        key_name="TagKey",
        value_name="TagValue",
        read_operation="list_resource_tags",
    ),
    operations=("enable_key_rotation", "disable_key_rotation", "enable_key", "disable_key"),
)


def _aliases(context: Context) -> dict[str, Any] | None:
    for alias in context.api.all("kms", "list_aliases", "Aliases"):
        if alias["AliasName"] == context.id and alias.get("TargetKeyId"):
            target = alias["TargetKeyId"]
            given = context.inputs.get("targetKeyId")
            key_arn = context.fill(f"arn:{{partition}}:kms:{{region}}:{{account}}:key/{target}")
            return {
                "name": alias["AliasName"],
                "arn": alias["AliasArn"],
                # A program may name the key by id or by ARN.
                "targetKeyId": key_arn if given == key_arn else target,
                "targetKeyArn": key_arn,
            }
    return None


ALIAS = AwsType(
    token="aws:kms/alias:Alias",
    kind=Kind.LIVE,
    documentation=page("kms/alias"),
    service="kms",
    autoname=Autoname("name", 256, "namePrefix", start="alias/"),
    conflicts=(frozenset({"name", "namePrefix"}),),
    create=Call("create_alias", {"name": "AliasName", **same("targetKeyId")}),
    id_form="{name}",
    replace_on=frozenset({"name", "namePrefix"}),
    rules=(matches("name", r"alias/[a-zA-Z0-9/_-]+", "begins with alias/, then letters, digits, / _ -"),),
    read_hook=_aliases,
    modifies=(Modify("update_alias", same("targetKeyId"), {"AliasName": "{id}"}),),
    delete=Call("delete_alias", fixed={"AliasName": "{id}"}),
    missing=("NotFoundException",),
    operations=("list_aliases",),
)


TYPES = (KEY, ALIAS)
