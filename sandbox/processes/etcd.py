"""etcd: a cluster's store. Only its API server may talk to it (client certificates on both ports)."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.processes.certificates import Authority
from sandbox.processes.http_check import https_check
from sandbox.processes.site import Site
from sandbox.supervisor.spec import ProcessSpec
from sandbox.toolchain import locate


def etcd(site: Site, cluster: str, authority: Authority) -> ProcessSpec:
    name = f"etcd-{cluster}"
    port, port_is_free = site.port(name)
    peer_port, peer_port_is_free = site.port(f"{name}.peer")
    serving = authority.server("etcd", also_client=True)
    client, peer = f"https://127.0.0.1:{port}", f"https://127.0.0.1:{peer_port}"
    data = site.home.data / "clusters" / cluster / "etcd"
    tls = []
    for prefix in ("", "peer-"):
        tls += [
            f"--{prefix}cert-file={serving.certificate}",
            f"--{prefix}key-file={serving.key}",
            f"--{prefix}trusted-ca-file={authority.certificate_path}",
            f"--{prefix}client-cert-auth=true",
        ]
    return ProcessSpec(
        name=name,
        kind="etcd",
        instance=cluster,
        port=port,
        command=(
            str(locate("etcd")),
            f"--name={cluster}",
            f"--data-dir={data}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster={cluster}={peer}",
            *tls,
            "--auto-compaction-mode=periodic",
            "--auto-compaction-retention=1h",
            "--log-level=warn",
            "--logger=zap",
        ),
        prepare=all_of(port_is_free, peer_port_is_free),
        check=https_check(port, "/readyz", authority.certificate_path, authority.client("etcd-check", "supervisor")),
    )


def all_of(*steps: Callable[[], None]) -> Callable[[], None]:
    """One preparation made of several, in order."""

    def run() -> None:
        for step in steps:
            step()

    return run
