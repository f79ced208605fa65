"""How EKS clusters, node groups and what is recorded of them are lived through."""

from __future__ import annotations

import base64
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from sandbox.providers.recorded import RecordedStore
from tests.conformance.aws.ec2_network_examples import TAGS, refused, subnet, vpc
from tests.conformance.aws.iam_examples import role
from tests.conformance.aws.lifecycle import Example, World
from tests.conformance.aws.storage_examples import key

ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"


def _subnets(world: World) -> list[str]:
    network = vpc(world)
    zones = (("10.1.1.0/24", "us-east-1a"), ("10.1.2.0/24", "us-east-1b"))
    return [subnet(world, network, cidr, zone) for cidr, zone in zones]


def _cluster_inputs(world: World) -> dict[str, Any]:
    return {
        "name": "example",
        "roleArn": role(world)["arn"],
        "version": "1.34",
        "vpcConfig": {"subnetIds": _subnets(world), "endpointPrivateAccess": True, "endpointPublicAccess": True},
        "accessConfig": {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": True},
        "encryptionConfig": {"provider": {"keyArn": key(world)["arn"]}, "resources": ["secrets"]},
        "enabledClusterLogTypes": ["api", "audit"],
        "tags": TAGS,
    }


def _cluster_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = world.client("eks").describe_cluster(name=id)["cluster"]
    assert (found["endpoint"], found["version"]) == (state["endpoint"], state["version"])
    assert found["certificateAuthority"]["data"] == state["certificateAuthority"]["data"]
    assert found["identity"]["oidc"]["issuer"] == state["identities"][0]["oidcs"][0]["issuer"]
    assert found["tags"] == state["tags"]
    on = next(entry["types"] for entry in found["logging"]["clusterLogging"] if entry["enabled"])
    assert sorted(on) == sorted(state["enabledClusterLogTypes"])
    pem = base64.b64decode(state["certificateAuthority"]["data"]).decode()
    trusted = ssl.create_default_context(cadata=pem)
    try:
        urllib.request.urlopen(f"{state['endpoint']}/api/v1/namespaces", context=trusted)
    except urllib.error.HTTPError as error:
        assert error.code == 401, "a real API server, which wants to know who asks"
        error.close()
    else:
        raise AssertionError("the API server let anybody in")


def _cluster_gone(world: World, id: str, state: Mapping[str, Any]) -> None:
    refused("ResourceNotFound", world.client("eks").describe_cluster, name=id)
    assert world.supervisor.cluster(id) is None


def cluster(world: World) -> str:
    inputs = {"roleArn": role(world)["arn"], "vpcConfig": {"subnetIds": _subnets(world)}}
    return str(world.make("aws:eks/cluster:Cluster", inputs)["name"])


def _group_inputs(world: World) -> dict[str, Any]:
    name = cluster(world)
    subnets = world.client("eks").describe_cluster(name=name)["cluster"]["resourcesVpcConfig"]["subnetIds"]
    return {
        "clusterName": name,
        "nodeGroupName": "workers",
        "nodeRoleArn": role(world)["arn"],
        "subnetIds": subnets,
        "scalingConfig": {"minSize": 1, "desiredSize": 2, "maxSize": 3},
        "instanceTypes": ["m6i.large"],
        "labels": {"pool": "general"},
        "tags": TAGS,
    }


def nodes(world: World, state: Mapping[str, Any]) -> list[Any]:
    # Here, for it takes half a second, and each worker reads this file.
    from kubernetes.client import CoreV1Api
    from kubernetes.config import new_client_from_config

    server = world.supervisor.cluster(state["clusterName"])
    assert server is not None
    with new_client_from_config(str(server.admin_kubeconfig)) as client:  # type: ignore[no-untyped-call]
        wanted = f"eks.amazonaws.com/nodegroup={state['nodeGroupName']}"
        return list(CoreV1Api(client).list_node(label_selector=wanted).items)


def _group_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = world.client("eks").describe_nodegroup(clusterName=state["clusterName"], nodegroupName="workers")[
        "nodegroup"
    ]
    assert found["scalingConfig"] == state["scalingConfig"]
    there = nodes(world, state)
    assert len(there) == state["scalingConfig"]["desiredSize"]
    assert {node.metadata.labels["pool"] for node in there} == {state["labels"]["pool"]}


def _group_gone(world: World, id: str, state: Mapping[str, Any]) -> None:
    assert nodes(world, state) == []


def _recorded(token: str) -> Any:
    def seen(world: World, id: str, state: Mapping[str, Any]) -> None:
        record = RecordedStore(world.home.recorded).get(token, id)
        assert record is not None and record.outputs == state

    return seen


PRINCIPAL = "arn:aws:iam::123456789012:role/developers"

EXAMPLES = (
    Example(
        "aws:eks/cluster:Cluster",
        _cluster_inputs,
        change={"version": "1.35", "enabledClusterLogTypes": ["audit"], "tags": {"product": "spoke"}},
        replace={"name": "other", "roleArn": "arn:aws:iam::123456789012:role/other"},
        seen=_cluster_seen,
        gone=_cluster_gone,
        cut_off_in="eks",
    ),
    Example(
        "aws:eks/nodeGroup:NodeGroup",
        _group_inputs,
        change={"scalingConfig": {"minSize": 1, "desiredSize": 3, "maxSize": 4}, "labels": {"pool": "other"}},
        replace={"nodeGroupName": "other", "instanceTypes": ["m6i.xlarge"], "nodeRoleArn": "arn:other"},
        seen=_group_seen,
        gone=_group_gone,
    ),
    Example(
        "aws:eks/addon:Addon",
        lambda world: {"clusterName": "any", "addonName": "vpc-cni", "configurationValues": '{"a": 1}', "tags": TAGS},
        change={"addonVersion": "v1.20.0-eksbuild.1"},
        replace={"addonName": "coredns"},
        seen=_recorded("aws:eks/addon:Addon"),
    ),
    Example(
        "aws:eks/accessEntry:AccessEntry",
        lambda world: {
            "clusterName": "any", "principalArn": PRINCIPAL, "kubernetesGroups": ["developers"], "tags": TAGS,
        },
        change={"kubernetesGroups": ["developers", "readers"]},
        replace={"principalArn": "arn:aws:iam::123456789012:role/other"},
        seen=_recorded("aws:eks/accessEntry:AccessEntry"),
    ),
    Example(
        "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
        lambda world: {
            "clusterName": "any", "principalArn": PRINCIPAL, "policyArn": ADMIN, "accessScope": {"type": "cluster"},
        },
        replace={"accessScope": {"type": "namespace", "namespaces": ["a"]}},
        seen=_recorded("aws:eks/accessPolicyAssociation:AccessPolicyAssociation"),
    ),
)  # fmt: skip
