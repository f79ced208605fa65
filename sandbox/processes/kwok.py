"""kwok: plays the kubelet of the simulated nodes, so that nodes and pods become Ready (https://kwok.sigs.k8s.io)."""

from __future__ import annotations

from pathlib import Path

from sandbox.processes.control_plane import ControlPlane
from sandbox.processes.http_check import http_check
from sandbox.supervisor.spec import ProcessSpec
from sandbox.toolchain import locate

NODE_ANNOTATION = ("kwok.x-k8s.io/node", "fake")
"""Marks the nodes that kwok plays."""

_STAGES = Path(__file__).with_name("kwok_stages.yaml")


def kwok(plane: ControlPlane) -> ProcessSpec:
    name = f"kwok-{plane.cluster}"
    port, port_is_free = plane.site.port(name)
    kubeconfig = plane.kubeconfig("freehold-kwok", ("system:masters",))
    return ProcessSpec(
        name=name,
        kind="kwok",
        instance=plane.cluster,
        port=port,
        after=(f"kube-apiserver-{plane.cluster}",),
        command=(
            str(locate("kwok")),
            f"--kubeconfig={kubeconfig}",
            f"--config={_STAGES}",
            f"--manage-nodes-with-annotation-selector={'='.join(NODE_ANNOTATION)}",
            f"--server-address=127.0.0.1:{port}",
            "--node-ip=127.0.0.1",
            f"--node-port={port}",
            "--cidr=10.0.0.0/16",
            "--node-lease-duration-seconds=40",
        ),
        prepare=port_is_free,
        check=http_check(port, "/healthz"),
    )
