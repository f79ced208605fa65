"""EKS: clusters, which are real Kubernetes control planes of the sandbox."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.providers.aws import eks_access, tagging
from sandbox.providers.aws.context import Context
from sandbox.providers.aws.endpoint import started, tell
from sandbox.providers.aws.requests import parameters
from sandbox.providers.aws.table import AwsType, Call, Modify, Read, Tags, page
from sandbox.providers.interface import CheckFailure, Properties, ProviderError
from sandbox.providers.typed import Autoname, Kind, matches
from sandbox.supervisor.messages import Cluster

TAGS = Tags(
    "tag_resource",
    "untag_resource",
    {"resourceArn": "{arn}"},
    in_create="tags",
    tags="tags",
    keys="tagKeys",
    as_map=True,
    read="tags",
)
_LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")
_FIELDS = {
    "name": "name", "roleArn": "roleArn", "vpcConfig": "resourcesVpcConfig", "version": "version",
    "kubernetesNetworkConfig": "kubernetesNetworkConfig", "encryptionConfig": "encryptionConfig",
    "accessConfig": "accessConfig", "bootstrapSelfManagedAddons": "bootstrapSelfManagedAddons",
    "deletionProtection": "deletionProtection", "upgradePolicy": "upgradePolicy",
}  # fmt: skip


def _logging(context: Context) -> dict[str, Any]:
    wanted = set(context.inputs.get("enabledClusterLogTypes") or [])
    groups = [(sorted(wanted), True), (sorted(set(_LOG_TYPES) - wanted), False)]
    return {"clusterLogging": [{"types": types, "enabled": on} for types, on in groups if types]}


def _create(context: Context) -> str:
    request: dict[str, Any] = {"logging": _logging(context), **tagging.create_parameters(context)}
    parameters(context, Call("create_cluster", _FIELDS), context.inputs, into=request)
    return str(context.call("create_cluster", **request)["cluster"]["name"])


def _start(context: Context) -> None:
    """Starts the control plane, tells the endpoint where it is, and lets whoever made the cluster administer it."""
    name = context.id
    cluster = context.call("describe_cluster", name=name)["cluster"]
    supervisor, region = context.supervisor, context.api.region
    server = started(
        lambda: supervisor.create_cluster(name, cluster["version"], region=region), lambda: _running(context)
    )
    access = context.inputs.get("accessConfig") or {}
    if access.get("bootstrapClusterCreatorAdminPermissions", True):
        eks_access.admit_creator(context, name)
    _tell(context, server)


def _running(context: Context) -> Cluster:
    server = context.supervisor.cluster(context.id)
    if server is None:
        raise ProviderError(f"the control plane of {context.id} is gone; run it again")
    return server


def _tell(context: Context, server: Cluster) -> None:
    tell(
        context,
        "eks",
        context.id,
        endpoint=server.endpoint,
        certificate_authority=base64.b64encode(server.certificate_authority_pem.encode()).decode(),
        issuer=server.oidc_issuer,
    )


def _update(context: Context, changed: frozenset[str]) -> None:
    server = context.supervisor.cluster(context.id)
    if server is None:  # its creation was cut short
        _start(context)
    else:
        _tell(context, server)  # or was, before this
    if "enabledClusterLogTypes" in changed:
        context.call("update_cluster_config", name=context.id, logging=_logging(context))


def _delete(context: Context) -> None:
    if context.inputs.get("deletionProtection"):
        raise ProviderError(f"{context.id} has deletionProtection on; set it to false and update before deleting it")
    context.delete("delete_cluster", name=context.id)
    context.supervisor.delete_cluster(context.id)
    eks_access.forget_cluster(context, context.id)


def _observe(context: Context, found: dict[str, Any]) -> None:
    record = context.answer
    logs = record.get("logging", {}).get("clusterLogging", [])
    found["enabledClusterLogTypes"] = sorted(kind for entry in logs if entry["enabled"] for kind in entry["types"])
    issuer = record.get("identity", {}).get("oidc", {}).get("issuer")
    found["identities"] = [{"oidcs": [{"issuer": issuer}]}] if issuer else []
    if not record.get("encryptionConfig"):
        found.pop("encryptionConfig", None)
    config = found.get("vpcConfig")
    if config is not None and not config.get("vpcId") and config.get("subnetIds"):
        subnets = context.api.call("ec2", "describe_subnets", SubnetIds=config["subnetIds"][:1])["Subnets"]
        config["vpcId"] = subnets[0]["VpcId"]


def _two_zones(inputs: Properties) -> Iterable[CheckFailure]:
    config = inputs.get("vpcConfig")
    subnets = config.get("subnetIds") if isinstance(config, Mapping) else None
    if isinstance(subnets, list) and len(subnets) < 2:
        yield CheckFailure("vpcConfig.subnetIds", "EKS requires subnets in at least two availability zones")
    logs = inputs.get("enabledClusterLogTypes")
    for index, kind in enumerate(logs if isinstance(logs, list) else []):
        if isinstance(kind, str) and kind not in _LOG_TYPES:
            yield CheckFailure(
                f"enabledClusterLogTypes[{index}]", f"expected one of {', '.join(_LOG_TYPES)}; got {kind!r}"
            )


CLUSTER = AwsType(
    token="aws:eks/cluster:Cluster",
    kind=Kind.LIVE,
    documentation=page("eks/cluster"),
    note=(
        "A real control plane of one version of Kubernetes, whatever version says; network access settings "
        "are only told"
    ),
    service="eks",
    autoname=Autoname("name", 100),
    defaults={"bootstrapSelfManagedAddons": True},
    create=Call("create_cluster", _FIELDS),
    id_form="{name}",
    replace_on=frozenset(
        {"name", "roleArn", "bootstrapSelfManagedAddons", "kubernetesNetworkConfig.ipFamily",
         "kubernetesNetworkConfig.serviceIpv4Cidr", "encryptionConfig.provider.keyArn", "encryptionConfig.resources",
         "accessConfig.bootstrapClusterCreatorAdminPermissions"}
    ),
    computed=frozenset(
        {"accessConfig", "kubernetesNetworkConfig", "version", "deletionProtection", "upgradePolicy",
         "accessConfig.authenticationMode", "vpcConfig.publicAccessCidrs", "vpcConfig.clusterSecurityGroupId",
         "vpcConfig.vpcId"}
    ),
    sets=frozenset(
        {"enabledClusterLogTypes", "vpcConfig.subnetIds", "vpcConfig.securityGroupIds", "vpcConfig.publicAccessCidrs",
         "encryptionConfig.resources"}
    ),
    rules=(
        _two_zones,
        matches("name", r"[0-9A-Za-z][A-Za-z0-9_-]{0,99}", "1 to 100 letters, digits, - and _, no - or _ first"),
    ),
    settings=frozenset({"forceUpdateVersion"}),
    hooked=frozenset({"enabledClusterLogTypes"}),
    create_hook=_create,
    after_create=_start,
    reads=(
        Read(
            "describe_cluster",
            {"name": "{id}"},
            "cluster",
            {
                **{wire: api for wire, api in _FIELDS.items() if wire != "bootstrapSelfManagedAddons"},
                "arn": "arn",
                "endpoint": "endpoint",
                "certificateAuthority": "certificateAuthority",
                "createdAt": "createdAt",
                "platformVersion": "platformVersion",
                "status": "status",
            },
        ),
    ),
    observe=_observe,
    modifies=(
        Modify("update_cluster_version", {"version": "version"}, {"name": "{id}"}),
        Modify("update_cluster_config", {"vpcConfig": "resourcesVpcConfig"}, {"name": "{id}"}),
        Modify("update_cluster_config", {"accessConfig": "accessConfig"}, {"name": "{id}"}),
        Modify("update_cluster_config", {"deletionProtection": "deletionProtection"}, {"name": "{id}"}),
        Modify("update_cluster_config", {"upgradePolicy": "upgradePolicy"}, {"name": "{id}"}),
    ),
    after_update=_update,
    delete_hook=_delete,
    missing=("ResourceNotFoundException",),
    tags=TAGS,
    operations=("delete_cluster",),
)  # fmt: skip

TYPES = (CLUSTER, *eks_access.TYPES)
