"""A cluster's simulated nodes and its bindings for EKS' access policies, written through the Kubernetes API."""

from __future__ import annotations

import hashlib
import http.client
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sandbox.processes.control_plane import ControlPlane
from sandbox.processes.http_check import tls_context
from sandbox.processes.kwok import NODE_ANNOTATION
from sandbox.supervisor.messages import NodeGroup, SupervisorError

GROUP_LABEL = "eks.amazonaws.com/nodegroup"

ACCESS_POLICIES = {
    "AmazonEKSAdminPolicy": "admin",
    "AmazonEKSEditPolicy": "edit",
    "AmazonEKSViewPolicy": "view",
}
"""EKS access policy -> the built-in cluster role that grants the same
(https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html)."""

# vCPU, memory in GiB, pods: https://github.com/awslabs/amazon-eks-ami, eni-max-pods.txt, for the sizes in use.
_SIZES = {"medium": (2, 4, 17), "large": (2, 8, 29), "xlarge": (4, 16, 58), "2xlarge": (8, 32, 58)}
_TIMEOUT_SECONDS = 30.0


def access_group(policy: str) -> str:
    """The group that holds an access policy's rights in the whole cluster."""
    return f"eks-access-policy:{policy}"


class ClusterApi:
    """The few calls that the sandbox itself makes, as the cluster's administrator."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._context = tls_context(plane.authority.certificate_path, plane.admin)

    def server_version(self) -> str:
        with self._connection() as connection:
            return str(self._call(connection, "GET", "/version")["gitVersion"]).removeprefix("v")

    def bind_access_policies(self) -> None:
        """Give the groups of EKS' access policies their rights."""
        path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
        with self._connection() as connection:
            for policy, role in ACCESS_POLICIES.items():
                name = f"eks:{policy.lower()}"
                if self._exists(connection, f"{path}/{name}"):
                    continue
                self._call(
                    connection,
                    "POST",
                    path,
                    {
                        "apiVersion": "rbac.authorization.k8s.io/v1",
                        "kind": "ClusterRoleBinding",
                        "metadata": {"name": name},
                        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                        "subjects": [
                            {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": access_group(policy)}
                        ],
                    },
                )

    def wait_for_default_service_account(self) -> None:
        """Until the controllers have made it, no pod can be created in `default`."""
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        with self._connection() as connection:
            while not self._exists(connection, "/api/v1/namespaces/default/serviceaccounts/default"):
                if time.monotonic() > deadline:
                    raise SupervisorError("the controllers made no default service account", where=self._plane.cluster)
                time.sleep(0.05)

    def set_nodes(self, group: NodeGroup) -> None:
        """Exactly the group's nodes: those too many are deleted, those missing are made, labels and taints are set."""
        wanted = {node["metadata"]["name"]: node for node in _nodes(self._plane.cluster, group)}
        with self._connection() as connection:
            there = self._labels(connection, group.name)
            for name in there.keys() - wanted.keys():
                self._call(connection, "DELETE", f"/api/v1/nodes/{name}")
            for name, node in wanted.items():
                if name in there:
                    labels = {**_dropped(there[name]), **node["metadata"]["labels"]}
                    change = {"metadata": {"labels": labels}, "spec": node["spec"]}
                    self._call(connection, "PATCH", f"/api/v1/nodes/{name}", change)
                else:
                    # The status of a new node is taken from the request, as kubelet's own registration relies on.
                    self._call(connection, "POST", "/api/v1/nodes", node)

    def delete_nodes(self, group: str) -> None:
        with self._connection() as connection:
            for name in self._labels(connection, group):
                self._call(connection, "DELETE", f"/api/v1/nodes/{name}")

    def _labels(self, connection: http.client.HTTPSConnection, group: str) -> dict[str, dict[str, str]]:
        """The group's nodes that there are, by name."""
        listed = self._call(connection, "GET", f"/api/v1/nodes?labelSelector={GROUP_LABEL}%3D{group}")
        return {item["metadata"]["name"]: item["metadata"]["labels"] for item in listed["items"]}

    @contextmanager
    def _connection(self) -> Iterator[http.client.HTTPSConnection]:
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self._plane.port, timeout=_TIMEOUT_SECONDS, context=self._context
        )
        try:
            yield connection
        finally:
            connection.close()

    def _exists(self, connection: http.client.HTTPSConnection, path: str) -> bool:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        if response.status not in (http.client.OK, http.client.NOT_FOUND):
            raise SupervisorError(f"GET {path} answers {response.status}", where=self._plane.cluster)
        return response.status == http.client.OK

    def _call(
        self, connection: http.client.HTTPSConnection, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> Any:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": kind})
        response = connection.getresponse()
        answer = json.loads(response.read())
        if response.status >= http.client.BAD_REQUEST:
            what = f"{method} {path} answers {response.status}: {answer.get('message', '')}"
            raise SupervisorError(what, where=self._plane.cluster)
        return answer


def _dropped(labels: Mapping[str, str]) -> dict[str, None]:
    """A merge patch that takes away every label but those that Kubernetes keeps itself."""
    return {name: None for name in labels if not name.partition("/")[0].endswith(("kubernetes.io", "k8s.io"))}


def _nodes(cluster: str, group: NodeGroup) -> Iterator[dict[str, Any]]:
    vcpu, memory, pods = _SIZES.get(group.instance_type.rpartition(".")[2], _SIZES["large"])
    resources = {"cpu": str(vcpu), "memory": f"{memory}Gi", "pods": str(pods), "ephemeral-storage": "20Gi"}
    for index in range(group.size):
        digest = hashlib.sha256(f"{cluster}/{group.name}/{index}".encode()).digest()
        address = f"10.0.{digest[0]}.{digest[1]}"
        zone = group.zones[index % len(group.zones)]
        # A DNS label whatever the group is called: ip-10-0-x-y as on EKS, and a part that keeps names apart.
        name = f"ip-{address.replace('.', '-')}-{digest[2:5].hex()}.ec2.internal"
        yield {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": name,
                "annotations": dict([NODE_ANNOTATION]),
                "labels": {
                    "kubernetes.io/hostname": name,
                    "kubernetes.io/os": "linux",
                    "kubernetes.io/arch": "amd64",
                    "node.kubernetes.io/instance-type": group.instance_type,
                    "topology.kubernetes.io/zone": zone,
                    "topology.kubernetes.io/region": zone.rstrip("abcdef"),
                    GROUP_LABEL: group.name,
                    **group.labels,
                },
            },
            "spec": {
                "providerID": f"aws:///{zone}/i-{digest[:9].hex()[:17]}",
                "taints": [dict(taint) for taint in group.taints],
            },
            "status": {
                "capacity": resources,
                "allocatable": resources,
                "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
                "nodeInfo": {
                    "architecture": "amd64",
                    "operatingSystem": "linux",
                    "osImage": "simulated by kwok",
                    "kernelVersion": "",
                    "machineID": "",
                    "systemUUID": "",
                    "bootID": "",
                    "containerRuntimeVersion": "kwok://",
                    "kubeletVersion": "kwok",
                    "kubeProxyVersion": "",
                },
            },
        }
