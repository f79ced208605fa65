"""What moto's EKS lacks: versions that change, access configuration, deletion protection, the cluster's security group.

https://docs.aws.amazon.com/eks/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import moto.eks.urls as urls
from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models import ec2_backends
from moto.eks.exceptions import InvalidRequestException, ResourceNotFoundException
from moto.eks.models import Cluster
from moto.eks.responses import EKSResponse

from sandbox.processes.aws import decisions

# Parameter -> the attribute that moto's serialiser looks for, and EKS' default.
_KEPT: dict[str, tuple[str, Any]] = {
    "accessConfig": ("access_config", {"authenticationMode": "CONFIG_MAP"}),
    "deletionProtection": ("deletion_protection", False),
    "upgradePolicy": ("upgrade_policy", {"supportType": "EXTENDED"}),
}
_VPC_DEFAULTS = {"endpointPublicAccess": True, "endpointPrivateAccess": False, "publicAccessCidrs": ["0.0.0.0/0"]}


class EksOperations(EKSResponse):
    """moto's operations and these; every update takes effect at once."""

    def create_cluster(self) -> ActionResult:
        super().create_cluster()
        cluster = self._cluster()
        for parameter, (attribute, default) in _KEPT.items():
            setattr(cluster, attribute, self._get_param(parameter) or default)
        config = {**_VPC_DEFAULTS, **cluster.resources_vpc_config}
        ec2 = ec2_backends[self.current_account][self.region]
        subnets = config.get("subnetIds") or []
        if subnets and any(subnets[0] in zone for zone in ec2.subnets.values()):
            vpc = ec2.get_subnet(subnets[0]).vpc_id
            # https://docs.aws.amazon.com/eks/latest/userguide/sec-group-reqs.html
            group = ec2.create_security_group(
                f"eks-cluster-sg-{cluster.name}",
                "EKS created security group applied to ENI of the control plane.",
                vpc_id=vpc,
                tags={"Name": f"eks-cluster-sg-{cluster.name}", "aws:eks:cluster-name": cluster.name},
            )
            config |= {"vpcId": vpc, "clusterSecurityGroupId": group.id}
        cluster.resources_vpc_config = config
        return ActionResult({"cluster": cluster})

    def update_cluster_config(self) -> ActionResult:
        cluster = self._cluster()
        asked = self._get_param("resourcesVpcConfig") or {}
        cluster.resources_vpc_config = {**cluster.resources_vpc_config, **asked}
        for parameter, (attribute, _) in _KEPT.items():
            if self._get_param(parameter) is not None:
                value = self._get_param(parameter)
                before = getattr(cluster, attribute)
                setattr(cluster, attribute, {**before, **value} if isinstance(value, dict) else value)
        if self._get_param("logging"):
            cluster.logging = self._get_param("logging")
        return self._update("ConfigUpdate")

    def update_cluster_version(self) -> ActionResult:
        cluster, version = self._cluster(), self._get_param("version")
        if _minor(version) not in (_minor(cluster.version), _minor(cluster.version) + 1):
            raise InvalidRequestException(
                message=f"Unsupported Kubernetes minor version update from {cluster.version} to {version}"
            )
        cluster.version = version
        return self._update("VersionUpdate")

    def create_nodegroup(self) -> ActionResult:
        answer = super().create_nodegroup()
        cluster, group, backend = self._get_param("name"), self._get_param("nodegroupName"), self.eks_backend

        def groups() -> Mapping[str, Any]:
            return backend.clusters[cluster].nodegroups if cluster in backend.clusters else {}

        decisions.ends_with(decisions.node_group(cluster, group), group, groups)
        return answer

    def update_nodegroup_version(self) -> ActionResult:
        name = self._get_param("nodegroupName")
        group = self.eks_backend.describe_nodegroup(cluster_name=self._get_param("name"), nodegroup_name=name)
        if version := self._get_param("version"):
            group.version = version
        if release := self._get_param("releaseVersion"):
            group.release_version = release
        if template := self._get_param("launchTemplate"):
            group.launch_template = {**(group.launch_template or {}), **template}
        return self._update("VersionUpdate")

    def delete_cluster(self) -> ActionResult:
        cluster = self._cluster()
        if getattr(cluster, "deletion_protection", False):
            raise InvalidRequestException(message=f"{cluster.name} cannot be deleted: deletion protection is on")
        answer = super().delete_cluster()
        if group := cluster.resources_vpc_config.get("clusterSecurityGroupId"):
            ec2_backends[self.current_account][self.region].delete_security_group(group_id=group)
        return answer

    def tag_resource(self) -> ActionResult:
        self._tags().update(self._get_param("tags"))
        return EmptyResult()

    def untag_resource(self) -> ActionResult:
        tags = self._tags()
        for key in self.querystring.get("tagKeys", []):
            tags.pop(key, None)
        return EmptyResult()

    def list_tags_for_resource(self) -> ActionResult:
        return ActionResult({"tags": self._tags()})

    def _tags(self) -> dict[str, str]:
        """Of the cluster or the node group that the path names; moto knows clusters only, and takes one key away."""
        arn = self._extract_arn_from_path()
        for cluster in self.eks_backend.clusters.values():
            tagged: list[Any] = [cluster, *cluster.nodegroups.values()]
            for one in tagged:
                if one.arn == arn:
                    tags: dict[str, str] = one.tags
                    return tags
        raise ResourceNotFoundException(message="Resource was not found")

    def _cluster(self) -> Cluster:
        cluster: Cluster = self.eks_backend.describe_cluster(name=self._get_param("name"))
        return cluster

    def _update(self, kind: str) -> ActionResult:
        return ActionResult({"update": {"id": f"{kind}-done", "status": "Successful", "type": kind, "params": []}})


def _minor(version: str) -> int:
    return int(version.split(".")[1])


def install() -> None:
    """Before the service's first request: moto reads its routes then."""
    for path in list(urls.url_paths):
        urls.url_paths[path] = EksOperations.dispatch
    urls.url_paths["{0}/clusters/(?P<name>[^/]+)/updates$"] = EksOperations.dispatch
    group = "{0}/clusters/(?P<name>[^/]+)/node-groups/(?P<nodegroupName>[^/]+)"
    urls.url_paths[f"{group}/update-version$"] = EksOperations.dispatch
