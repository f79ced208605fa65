"""IAM: roles, policies and OpenID Connect providers."""

from __future__ import annotations

from typing import Any

from sandbox.providers.aws.api import ApiError
from sandbox.providers.aws.context import Context
from sandbox.providers.aws.observation import wire_values
from sandbox.providers.aws.table import AwsType, Call, Modify, Read, Tags, page, same
from sandbox.providers.typed import Autoname, Kind, matches

_GONE = ("NoSuchEntity",)


def _detach(context: Context) -> None:
    if not context.inputs.get("forceDetachPolicies"):
        return
    role = {"RoleName": context.id}
    for attached in context.call("list_attached_role_policies", **role)["AttachedPolicies"]:
        context.call("detach_role_policy", PolicyArn=attached["PolicyArn"], **role)
    for name in context.call("list_role_policies", **role)["PolicyNames"]:
        context.call("delete_role_policy", PolicyName=name, **role)


def _boundary(context: Context, changed: frozenset[str]) -> None:
    if "permissionsBoundary" not in changed:
        return
    if boundary := context.inputs.get("permissionsBoundary"):
        context.call("put_role_permissions_boundary", RoleName=context.id, PermissionsBoundary=boundary)
    else:
        context.call("delete_role_permissions_boundary", RoleName=context.id)


ROLE = AwsType(
    token="aws:iam/role:Role",
    kind=Kind.LIVE,
    documentation=page("iam/role"),
    service="iam",
    autoname=Autoname("name", 64, "namePrefix"),
    conflicts=(frozenset({"name", "namePrefix"}),),
    defaults={"path": "/", "maxSessionDuration": 3600, "forceDetachPolicies": False},
    documents=frozenset({"assumeRolePolicy"}),
    create=Call(
        "create_role",
        {
            "name": "RoleName",
            "assumeRolePolicy": "AssumeRolePolicyDocument",
            **same("path", "description", "maxSessionDuration", "permissionsBoundary"),
        },
    ),
    id_answer="Role.RoleName",
    id_form="{name}",
    replace_on=frozenset({"name", "namePrefix", "path"}),
    settings=frozenset({"forceDetachPolicies"}),
    reads=(
        Read(
            "get_role",
            {"RoleName": "{id}"},
            "Role",
            {
                "name": "RoleName",
                "assumeRolePolicy": "AssumeRolePolicyDocument",
                "path": "Path",
                "description": "Description",
                "maxSessionDuration": "MaxSessionDuration",
                "permissionsBoundary": "PermissionsBoundary.PermissionsBoundaryArn",
                "arn": "Arn",
                "uniqueId": "RoleId",
                "createDate": "CreateDate",
            },
        ),
    ),
    modifies=(
        Modify("update_assume_role_policy", {"assumeRolePolicy": "PolicyDocument"}, {"RoleName": "{id}"}),
        Modify(
            "update_role",
            same("description", "maxSessionDuration"),
            {"RoleName": "{id}"},
            whole=True,
            clear={"description": ""},
        ),
    ),
    hooked=frozenset({"permissionsBoundary"}),
    told=frozenset({"permissionsBoundary"}),
    after_update=_boundary,
    before_delete=_detach,
    delete=Call("delete_role", fixed={"RoleName": "{id}"}),
    missing=_GONE,
    tags=Tags("tag_role", "untag_role", {"RoleName": "{id}"}, in_create="Tags"),
    operations=(
        "list_attached_role_policies", "detach_role_policy", "list_role_policies", "delete_role_policy",
        "delete_role_permissions_boundary", "put_role_permissions_boundary",
    ),
)  # fmt: skip

ROLE_POLICY = AwsType(
    token="aws:iam/rolePolicy:RolePolicy",
    kind=Kind.LIVE,
    documentation=page("iam/rolepolicy"),
    service="iam",
    autoname=Autoname("name", 128, "namePrefix"),
    conflicts=(frozenset({"name", "namePrefix"}),),
    documents=frozenset({"policy"}),
    create=Call("put_role_policy", {"name": "PolicyName", "role": "RoleName", "policy": "PolicyDocument"}),
    id_form="{role}:{name}",
    probe=True,
    replace_on=frozenset({"name", "namePrefix", "role"}),
    reads=(
        Read(
            "get_role_policy",
            {"RoleName": "{role}", "PolicyName": "{name}"},
            fields={"name": "PolicyName", "role": "RoleName", "policy": "PolicyDocument"},
        ),
    ),
    modifies=(Modify("put_role_policy", {"policy": "PolicyDocument"}, {"RoleName": "{role}", "PolicyName": "{name}"}),),
    delete=Call("delete_role_policy", fixed={"RoleName": "{role}", "PolicyName": "{name}"}),
    missing=_GONE,
)


def _attached(context: Context) -> dict[str, Any] | None:
    role, policy = context.value("role"), context.value("policyArn")
    try:
        attached = context.api.all("iam", "list_attached_role_policies", "AttachedPolicies", RoleName=role)
    except ApiError as error:
        if error.code in _GONE:
            return None
        raise
    return {"role": role, "policyArn": policy} if policy in {item["PolicyArn"] for item in attached} else None


ROLE_POLICY_ATTACHMENT = AwsType(
    token="aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    kind=Kind.LIVE,
    documentation=page("iam/rolepolicyattachment"),
    service="iam",
    create=Call("attach_role_policy", {"role": "RoleName", "policyArn": "PolicyArn"}),
    id_form="{role}/{policyArn}",
    probe=True,
    replace_on=frozenset({"role", "policyArn"}),
    read_hook=_attached,
    delete=Call("detach_role_policy", fixed={"RoleName": "{role}", "PolicyArn": "{policyArn}"}),
    missing=_GONE,
    operations=("list_attached_role_policies",),
)


def _new_version(context: Context, changed: frozenset[str]) -> None:
    if "policy" not in changed:
        return
    versions = context.call("list_policy_versions", PolicyArn=context.id)["Versions"]
    # IAM keeps at most five versions of a policy: the oldest that is not the default makes room.
    spare = sorted((v for v in versions if not v["IsDefaultVersion"]), key=lambda version: str(version["CreateDate"]))
    if len(versions) >= 5:
        context.call("delete_policy_version", PolicyArn=context.id, VersionId=spare[0]["VersionId"])
    context.call(
        "create_policy_version", PolicyArn=context.id, PolicyDocument=context.inputs["policy"], SetAsDefault=True
    )


def _read_document(context: Context, found: dict[str, Any]) -> None:
    version = context.call("get_policy_version", PolicyArn=context.id, VersionId=context.answer["DefaultVersionId"])
    found.update(wire_values(context, {"policy": "PolicyVersion.Document"}, version))


def _drop_versions(context: Context) -> None:
    for version in context.call("list_policy_versions", PolicyArn=context.id)["Versions"]:
        if not version["IsDefaultVersion"]:
            context.call("delete_policy_version", PolicyArn=context.id, VersionId=version["VersionId"])


POLICY = AwsType(
    token="aws:iam/policy:Policy",
    kind=Kind.LIVE,
    documentation=page("iam/policy"),
    service="iam",
    autoname=Autoname("name", 128, "namePrefix"),
    conflicts=(frozenset({"name", "namePrefix"}),),
    defaults={"path": "/"},
    documents=frozenset({"policy"}),
    create=Call("create_policy", {"name": "PolicyName", "policy": "PolicyDocument", **same("path", "description")}),
    id_answer="Policy.Arn",
    replace_on=frozenset({"name", "namePrefix", "path", "description"}),
    settings=frozenset({"delayAfterPolicyCreationInMs"}),
    reads=(
        Read(
            "get_policy",
            {"PolicyArn": "{id}"},
            "Policy",
            {
                "name": "PolicyName",
                "path": "Path",
                "description": "Description",
                "arn": "Arn",
                "policyId": "PolicyId",
                "attachmentCount": "AttachmentCount",
            },
        ),
    ),
    observe=_read_document,
    hooked=frozenset({"policy"}),
    after_update=_new_version,
    before_delete=_drop_versions,
    delete=Call("delete_policy", fixed={"PolicyArn": "{id}"}),
    missing=_GONE,
    tags=Tags("tag_policy", "untag_policy", {"PolicyArn": "{id}"}, in_create="Tags"),
    operations=("get_policy_version", "list_policy_versions", "delete_policy_version", "create_policy_version"),
)


def _clients(context: Context, changed: frozenset[str]) -> None:
    if "clientIdLists" not in changed:
        return
    before, wanted = set(context.outputs.get("clientIdLists") or []), set(context.inputs["clientIdLists"])
    target = {"OpenIDConnectProviderArn": context.id}
    for client in sorted(wanted - before):
        context.call("add_client_id_to_open_id_connect_provider", ClientID=client, **target)
    for client in sorted(before - wanted):
        context.call("remove_client_id_from_open_id_connect_provider", ClientID=client, **target)


def _with_scheme(context: Context, found: dict[str, Any]) -> None:
    found["url"] = "https://" + str(found["url"]).removeprefix("https://")


OPENID_CONNECT_PROVIDER = AwsType(
    token="aws:iam/openIdConnectProvider:OpenIdConnectProvider",
    kind=Kind.LIVE,
    documentation=page("iam/openidconnectprovider"),
    service="iam",
    create=Call(
        "create_open_id_connect_provider",
        {"url": "Url", "clientIdLists": "ClientIDList", "thumbprintLists": "ThumbprintList"},
    ),
    id_answer="OpenIDConnectProviderArn",
    computed=frozenset({"thumbprintLists"}),
    sets=frozenset({"clientIdLists"}),
    replace_on=frozenset({"url"}),
    rules=(matches("url", r"https://.+", "begins with https://"),),
    reads=(
        Read(
            "get_open_id_connect_provider",
            {"OpenIDConnectProviderArn": "{id}"},
            fields={"url": "Url", "clientIdLists": "ClientIDList", "thumbprintLists": "ThumbprintList"},
        ),
    ),
    observe=_with_scheme,
    modifies=(
        Modify(
            "update_open_id_connect_provider_thumbprint",
            {"thumbprintLists": "ThumbprintList"},
            {"OpenIDConnectProviderArn": "{id}"},
        ),
    ),
    hooked=frozenset({"clientIdLists"}),
    after_update=_clients,
    delete=Call("delete_open_id_connect_provider", fixed={"OpenIDConnectProviderArn": "{id}"}),
    missing=_GONE,
    tags=Tags(
        "tag_open_id_connect_provider",
        "untag_open_id_connect_provider",
        {"OpenIDConnectProviderArn": "{id}"},
        in_create="Tags",
    ),
    computed_outputs={"arn": "{id}"},
    operations=(
        "add_client_id_to_open_id_connect_provider",
        "remove_client_id_from_open_id_connect_provider",
    ),
)

TYPES = (ROLE, ROLE_POLICY, ROLE_POLICY_ATTACHMENT, POLICY, OPENID_CONNECT_PROVIDER)
