"""The clusters of a sandbox: made, found, given nodes, deleted, and started again."""

from __future__ import annotations

import asyncio
import secrets
import shutil

from sandbox.processes.control_plane import ControlPlane, api_server, controller_manager, scheduler
from sandbox.processes.etcd import etcd
from sandbox.processes.kubeconfig import write_client_kubeconfig, write_login_kubeconfig
from sandbox.processes.kwok import kwok
from sandbox.processes.login.spec import login_url
from sandbox.processes.nodes import ClusterApi
from sandbox.processes.site import Site
from sandbox.supervisor.definitions import ClusterDefinition
from sandbox.supervisor.instances import Instances
from sandbox.supervisor.messages import Cluster, CreateCluster, NodeGroup
from sandbox.supervisor.spec import ProcessSpec
from sandbox.supervisor.table import ProcessTable

_DEFAULT_NODES = NodeGroup(name="simulated", size=3)
"""Until a cluster gets its first node group, so that pods can be placed."""

_KINDS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")


class Clusters(Instances[ClusterDefinition, Cluster]):
    kind = "cluster"

    def __init__(self, site: Site, table: ProcessTable) -> None:
        super().__init__(site, table, ClusterDefinition)

    async def create(self, request: CreateCluster) -> Cluster:
        groups = request.node_groups or (_DEFAULT_NODES,)
        definition = ClusterDefinition(
            name=request.name,
            kubernetes_version=request.kubernetes_version,
            region=request.region,
            # https://docs.aws.amazon.com/eks/latest/userguide/enable-iam-roles-for-service-accounts.html
            oidc_issuer=request.oidc_issuer
            or f"https://oidc.eks.{request.region}.amazonaws.com/id/{secrets.token_hex(16).upper()}",
            node_groups={group.name: group for group in groups},
        )
        async with self._making(definition):
            await self._table.start(await asyncio.to_thread(self._specs, definition))
            definition = await asyncio.to_thread(self._furnish, definition)
            self._store.put(definition)
            self._write_kubeconfig()
        return self._record(definition)

    async def delete(self, name: str) -> None:
        await super().delete(name)
        self._write_kubeconfig()

    async def set_node_group(self, cluster: str, group: NodeGroup) -> None:
        async with self._locks.of(cluster):
            definition = self._require(cluster)
            groups = {name: kept for name, kept in definition.node_groups.items() if name != _DEFAULT_NODES.name}
            groups[group.name] = group
            self._store.put(definition.model_copy(update={"node_groups": groups}))
            api = ClusterApi(self._plane(definition))
            await asyncio.to_thread(api.set_nodes, group)
            if _DEFAULT_NODES.name in definition.node_groups and group.name != _DEFAULT_NODES.name:
                await asyncio.to_thread(api.delete_nodes, _DEFAULT_NODES.name)

    async def delete_node_group(self, cluster: str, name: str) -> None:
        async with self._locks.of(cluster):
            definition = self._store.get(cluster)
            if definition is None or name not in definition.node_groups:
                return
            await asyncio.to_thread(ClusterApi(self._plane(definition)).delete_nodes, name)
            groups = {key: group for key, group in definition.node_groups.items() if key != name}
            self._store.put(definition.model_copy(update={"node_groups": groups}))

    async def resume(self) -> None:
        """Start what was there when the sandbox ended; remove what a kill left half made."""
        await self._discard_half_made()
        self._write_kubeconfig()
        await asyncio.gather(*(self._resume(definition) for definition in self._store.all()))

    async def _resume(self, definition: ClusterDefinition) -> None:
        await self._table.start(await asyncio.to_thread(self._specs, definition))

    def _specs(self, definition: ClusterDefinition) -> list[ProcessSpec]:
        plane = self._plane(definition)
        webhook = write_client_kubeconfig(
            plane.authority.directory / "token-webhook.kubeconfig",
            login_url(self._site, definition.name),
            self._site.authority,
            self._site.authority.client("kube-apiserver", "kube-apiserver"),
            "token-webhook",
        )
        return [
            etcd(self._site, plane.cluster, plane.authority),
            api_server(plane, webhook),
            controller_manager(plane),
            scheduler(plane),
            kwok(plane),
        ]

    def _plane(self, definition: ClusterDefinition) -> ControlPlane:
        return ControlPlane.of(self._site, definition.name, definition.oidc_issuer)

    def _furnish(self, definition: ClusterDefinition) -> ClusterDefinition:
        api = ClusterApi(self._plane(definition))
        api.bind_access_policies()
        for group in definition.node_groups.values():
            api.set_nodes(group)
        api.wait_for_default_service_account()
        return definition.model_copy(update={"server_version": api.server_version(), "complete": True})

    def _record(self, definition: ClusterDefinition) -> Cluster:
        plane = self._plane(definition)
        return Cluster(
            name=definition.name,
            kubernetes_version=definition.kubernetes_version,
            server_version=definition.server_version,
            endpoint=plane.endpoint,
            certificate_authority_pem=plane.authority.certificate_pem,
            oidc_issuer=definition.oidc_issuer,
            service_account_public_key_pem=plane.service_accounts.certificate.read_text(),
            admin_kubeconfig=plane.admin_kubeconfig,
        )

    def _write_kubeconfig(self) -> None:
        write_login_kubeconfig(
            self._site.home.root / "kubeconfig",
            [
                (definition.name, definition.region, plane.endpoint, plane.authority.certificate_pem)
                for definition in self._store.all()
                if definition.complete
                for plane in [self._plane(definition)]
            ],
        )

    async def _discard(self, name: str) -> None:
        processes = [f"{kind}-{name}" for kind in _KINDS]
        await self._table.remove(processes)
        certificates = self._site.home.certificates / "clusters" / name
        if certificates.exists():
            await asyncio.to_thread(shutil.rmtree, certificates)
        await asyncio.to_thread(self._store.remove, name)  # first: on a full disk, nothing else can be written
        for process in (*processes, f"etcd-{name}.peer"):
            self._site.ports.forget(process)
