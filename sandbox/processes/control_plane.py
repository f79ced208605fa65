"""kube-apiserver, kube-controller-manager and kube-scheduler: the real ones, one set per cluster.

Flags: https://kubernetes.io/docs/reference/command-line-tools-reference/
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sandbox.processes.certificates import Authority, KeyPair, service_account_keys
from sandbox.processes.etcd import all_of
from sandbox.processes.http_check import https_check
from sandbox.processes.kubeconfig import write_client_kubeconfig
from sandbox.processes.site import Site
from sandbox.supervisor.spec import ProcessSpec
from sandbox.toolchain import locate

AUDIENCES = "https://kubernetes.default.svc,sts.amazonaws.com"
"""As EKS: the first for the API itself, the second for `AssumeRoleWithWebIdentity`."""

_SERVICE_RANGE = "10.100.0.0/16"  # EKS' own default


@dataclass(frozen=True)
class ControlPlane:
    """Where one cluster's control plane listens, and the files it lives by."""

    site: Site
    cluster: str
    oidc_issuer: str
    authority: Authority
    service_accounts: KeyPair

    @classmethod
    def of(cls, site: Site, cluster: str, oidc_issuer: str) -> ControlPlane:
        directory = site.home.certificates / "clusters" / cluster
        return cls(
            site, cluster, oidc_issuer, Authority(directory, f"kubernetes {cluster}"), service_account_keys(directory)
        )

    @property
    def port(self) -> int:
        return self.site.ports.assign(f"kube-apiserver-{self.cluster}", "FREEHOLD_KUBERNETES_PORT")

    @property
    def endpoint(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def admin(self) -> KeyPair:
        return self.authority.client("admin", "freehold-sandbox", ["system:masters"])

    @property
    def admin_kubeconfig(self) -> Path:
        return self._kubeconfig("admin", self.admin)

    def kubeconfig(self, user: str, groups: tuple[str, ...] = ()) -> Path:
        """A component's own login."""
        return self._kubeconfig(user.replace(":", "-"), self.authority.client(user.replace(":", "-"), user, groups))

    def _kubeconfig(self, file: str, client: KeyPair) -> Path:
        path = self.authority.directory / f"{file}.kubeconfig"
        return write_client_kubeconfig(path, self.endpoint, self.authority, client, self.cluster)


def api_server(plane: ControlPlane, token_webhook: Path) -> ProcessSpec:
    """`token_webhook` is the kubeconfig by which it asks whose an EKS token is."""
    site, authority = plane.site, plane.authority
    name = f"kube-apiserver-{plane.cluster}"
    port, port_is_free = site.port(name, "FREEHOLD_KUBERNETES_PORT")
    serving = authority.server("kube-apiserver")
    store = authority.client("kube-apiserver-etcd", "kube-apiserver")
    accounts = plane.service_accounts
    return ProcessSpec(
        name=name,
        kind="kube-apiserver",
        instance=plane.cluster,
        port=port,
        after=(f"etcd-{plane.cluster}",),
        command=(
            str(locate("kube-apiserver")),
            f"--etcd-servers=https://127.0.0.1:{site.ports.assign(f'etcd-{plane.cluster}')}",
            f"--etcd-cafile={authority.certificate_path}",
            f"--etcd-certfile={store.certificate}",
            f"--etcd-keyfile={store.key}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            # The `kubernetes` Service's endpoints may not be loopback addresses, and nothing runs that could use them.
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--tls-cert-file={serving.certificate}",
            f"--tls-private-key-file={serving.key}",
            f"--client-ca-file={authority.certificate_path}",
            "--anonymous-auth=false",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            f"--authentication-token-webhook-config-file={token_webhook}",
            "--authentication-token-webhook-version=v1",
            "--authentication-token-webhook-cache-ttl=5s",
            f"--service-account-issuer={plane.oidc_issuer}",
            f"--api-audiences={plane.oidc_issuer},{AUDIENCES}",
            f"--service-account-signing-key-file={accounts.key}",
            f"--service-account-key-file={accounts.certificate}",
            f"--service-cluster-ip-range={_SERVICE_RANGE}",
            "--allow-privileged=true",
            "--profiling=false",
            "--shutdown-delay-duration=0s",
            "--v=1",
        ),
        prepare=port_is_free,
        check=https_check(port, "/readyz", authority.certificate_path, plane.admin),
    )


def controller_manager(plane: ControlPlane) -> ProcessSpec:
    """Without it quotas have no status, namespaces never finish deleting and autoscalers never act."""
    authority = plane.authority
    return _controller(
        plane,
        "kube-controller-manager",
        "system:kube-controller-manager",
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={plane.service_accounts.key}",
        f"--root-ca-file={authority.certificate_path}",
        f"--cluster-signing-cert-file={authority.certificate_path}",
        f"--cluster-signing-key-file={authority.directory / 'ca.key'}",
        "--controllers=*,-service-lb-controller,-node-route-controller,-cloud-node-lifecycle-controller",
        "--profiling=false",
    )


def scheduler(plane: ControlPlane) -> ProcessSpec:
    """Binds pods to the simulated nodes: kwok does not."""
    return _controller(plane, "kube-scheduler", "system:kube-scheduler")


def _controller(plane: ControlPlane, kind: str, user: str, *flags: str) -> ProcessSpec:
    name = f"{kind}-{plane.cluster}"
    port, port_is_free = plane.site.port(name)
    serving = plane.authority.server(kind)
    kubeconfig = plane.kubeconfig(user)
    return ProcessSpec(
        name=name,
        kind=kind,
        instance=plane.cluster,
        port=port,
        after=(f"kube-apiserver-{plane.cluster}",),
        command=(
            str(locate(kind)),
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--tls-cert-file={serving.certificate}",
            f"--tls-private-key-file={serving.key}",
            # One of each: an election would only make a restart wait for the dead one's lease.
            "--leader-elect=false",
            "--v=1",
            "--kube-api-qps=200",
            "--kube-api-burst=400",
            *flags,
        ),
        prepare=all_of(port_is_free),
        check=https_check(port, "/healthz", plane.authority.certificate_path),
    )
