"""500 Kubernetes objects through the engine and our stand-in, against `kubectl apply` of the same objects.

    python -m benchmarks.engine [--objects 500] [--rounds 3]

Needs a running sandbox (`./freehold sandbox start`); it makes a cluster of its own there and removes it. Prints
seconds and, beside them, the ratios to kubectl's two ways in the same round: they can differ tenfold. The engine runs
as Freehold's commands run it: its program has been imported already (`fleet.program_host`), with the same settings. A
busy machine slows the engine more than kubectl: it works in three processes, kubectl in one. So the load is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleet import engine_process
from tests.rehearsal.engine import EngineProject, sdks

_NAMESPACES = 10
_WAYS: Mapping[str, Sequence[str]] = {"apply": (), "apply --server-side": ("--server-side",)}


@dataclass(frozen=True)
class Seconds:
    """One measurement, and what it is compared with."""

    what: str
    engine: float
    kubectl: Mapping[str, float]
    """By way."""

    @property
    def ratios(self) -> Mapping[str, float]:
        return {way: self.engine / seconds for way, seconds in self.kubectl.items()}


def objects(count: int, prefix: str) -> list[dict[str, Any]]:
    """Objects of the kinds that a tenant has, in the mix that a tenant has them."""
    return [_object(index, f"{prefix}-{index % _NAMESPACES}") for index in range(count)]


def _object(index: int, namespace: str) -> dict[str, Any]:
    name = f"object-{index}"
    metadata = {"name": name, "namespace": namespace, "labels": {"freehold.dev/tenant": namespace}}
    labels = {"app": name}
    container = {
        "name": "main",
        "image": "registry.k8s.io/pause:3.10",
        "env": [{"name": "TENANT", "value": namespace}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
    }
    kind = index % 10
    if kind < 3:
        data = {"settings.json": json.dumps({"tenant": namespace, "index": index})}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    if kind < 5:
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"password": "cGFzc3dvcmQ="}}
    if kind < 6:
        return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
    if kind < 7:
        rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}]
        return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules}
    if kind < 8:
        spec: dict[str, Any] = {"podSelector": {"matchLabels": labels}, "policyTypes": ["Ingress"]}
        return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}
    if kind < 9:
        # kubectl waits for nothing, so nothing is to be waited for here either: no selector, no endpoints.
        spec = {"ports": [{"name": "http", "port": 80}]}
        return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
    metadata["annotations"] = {"pulumi.com/skipAwait": "true"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


# The program is what a component's code comes to: one resource of the SDK for each object.
_PROGRAM = """
import json
import pulumi_kubernetes as k8s
CLASSES = {
    "ConfigMap": k8s.core.v1.ConfigMap, "Secret": k8s.core.v1.Secret, "ServiceAccount": k8s.core.v1.ServiceAccount,
    "Role": k8s.rbac.v1.Role, "NetworkPolicy": k8s.networking.v1.NetworkPolicy, "Service": k8s.core.v1.Service,
    "Deployment": k8s.apps.v1.Deployment,
}
for object in json.load(open("objects.json")):
    object.pop("apiVersion")
    kind = object.pop("kind")
    CLASSES[kind](object["metadata"]["name"], **object)
"""


class Benchmark:
    """Runs both against one cluster."""

    def __init__(self, environment: Mapping[str, str], kubeconfig: Path, kubectl: Path, count: int) -> None:
        self.environment = {**engine_process.SETTINGS, **environment, "KUBECONFIG": str(kubeconfig)}
        self.kubectl_path = kubectl
        self.count = count

    def kubectl(self, *arguments: str) -> float:
        """Seconds that a command took. Raises CalledProcessError where it fails."""
        began = time.perf_counter()
        subprocess.run(
            [str(self.kubectl_path), *arguments], env=self.environment, check=True, stdout=subprocess.DEVNULL
        )
        return time.perf_counter() - began

    def round(self, folder: Path) -> list[Seconds]:
        """Everything once, each in namespaces of its own."""
        create, again = self._baseline(folder / "kubectl")
        off = {"PULUMI_SKIP_CHECKPOINTS": "true"}
        without, unchanged = self._engine(folder / "off", off)
        checkpoints, unchanged_too = self._engine(folder / "on", {"PULUMI_SKIP_CHECKPOINTS": "false"})
        return [
            Seconds("create, checkpoints off", without, create),
            Seconds("create, checkpoints on", checkpoints, create),
            Seconds("unchanged, checkpoints off", unchanged, again),
            Seconds("unchanged, checkpoints on", unchanged_too, again),
        ]

    def _baseline(self, folder: Path) -> tuple[Mapping[str, float], Mapping[str, float]]:
        """What creating and applying again took, by way."""
        taken = {way: self._apply(folder / str(number), *flags) for number, (way, flags) in enumerate(_WAYS.items())}
        return {way: create for way, (create, _) in taken.items()}, {way: again for way, (_, again) in taken.items()}

    def _apply(self, folder: Path, *flags: str) -> tuple[float, float]:
        prefix = self._namespaces(folder)
        manifest = folder / "objects.json"
        manifest.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects(self.count, prefix)}))
        create, again = (self.kubectl("apply", *flags, "-f", str(manifest)) for _ in range(2))
        self._remove(prefix)
        return create, again

    def _engine(self, folder: Path, settings: Mapping[str, str]) -> tuple[float, float]:
        prefix = self._namespaces(folder)
        (folder / "objects.json").write_text(json.dumps(objects(self.count, prefix)))
        project = EngineProject(
            {**self.environment, **settings}, folder, name=f"b{uuid.uuid4().hex[:10]}", passphrase=True
        )
        create = project.up(_PROGRAM).expect_ok()
        assert create.changes == {"create": self.count + 1}, create.changes
        again = project.up().expect_ok()
        assert again.changes == {"same": self.count + 1}, again.changes
        self._remove(prefix)
        project.pulumi("stack", "rm", "--yes", "--force").expect_ok()
        return create.seconds, again.seconds

    def _namespaces(self, folder: Path) -> str:
        folder.mkdir(parents=True)
        prefix = f"bench-{uuid.uuid4().hex[:8]}"
        for index in range(_NAMESPACES):
            self.kubectl("create", "namespace", f"{prefix}-{index}")
        return prefix

    def _remove(self, prefix: str) -> None:
        # Waited for, or the deletion of one measurement would slow the next.
        self.kubectl("delete", "namespace", *[f"{prefix}-{index}" for index in range(_NAMESPACES)])


def report(rounds: list[list[Seconds]], count: int) -> None:
    """Medians over the rounds."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"\n{count} objects, median of {len(rounds)} rounds; load {load} on {os.cpu_count()} processors")
    print(f"{'':28} {'engine':>9}" + "".join(f" {way:>19} {'ratio':>7}" for way in _WAYS))
    for same in zip(*rounds, strict=True):
        line = f"{same[0].what:28} {statistics.median(s.engine for s in same):7.2f} s"
        for way in _WAYS:
            seconds = statistics.median(s.kubectl[way] for s in same)
            line += f" {seconds:17.2f} s {statistics.median(s.ratios[way] for s in same):6.2f}x"
        print(line)


def main(arguments: list[str] | None = None) -> int:
    """Measure in the running sandbox."""
    # Here, so that a measurement against another cluster needs no sandbox.
    from sandbox.environment import environment
    from sandbox.home import Home
    from sandbox.supervisor.client import Supervisor
    from sandbox.toolchain import locate

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--objects", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    home = Home.from_environment()
    supervisor = Supervisor.connect(home)
    name = f"benchmark-{uuid.uuid4().hex[:8]}"
    cluster = supervisor.create_cluster(name, "1.35")
    folder = Path(tempfile.mkdtemp(prefix="freehold-benchmark-"))
    try:
        sdks().start()
        benchmark = Benchmark(environment(home), cluster.admin_kubeconfig, locate("kubectl"), options.objects)
        rounds = []
        for number in range(options.rounds):
            rounds.append(benchmark.round(folder / str(number)))
            report(rounds[-1:], options.objects)
        report(rounds, options.objects)
    finally:
        supervisor.delete_cluster(name)
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
