"""One API server for the kubernetes stand-in's tests, a namespace for each, and kubectl to see for oneself."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from sandbox.home import Home
from sandbox.providers.interface import Resource
from sandbox.providers.kubernetes.provider import KubernetesProvider
from sandbox.supervisor.client import Supervisor
from sandbox.supervisor.messages import NodeGroup
from sandbox.toolchain import locate
from tests.conformance.kubernetes.reading import Reader
from tests.rehearsal.engine import EngineProject


@dataclass(frozen=True)
class Api:
    """A running control plane with simulated nodes."""

    home: Home
    kubeconfig: Path
    environment: Mapping[str, str]
    """The engine's, with KUBECONFIG naming this control plane."""
    kubectl_path: Path
    reader: Reader

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """kubectl's output. Raises CalledProcessError where it fails."""
        line = [str(self.kubectl_path), f"--kubeconfig={self.kubeconfig}", *arguments]
        return subprocess.run(line, input=stdin, capture_output=True, text=True, check=True, timeout=60).stdout

    def get(self, kind: str, name: str, namespace: str = "default") -> Any:
        """The live object, None where there is none."""
        path = self.reader.path(kind, namespace)
        if path is not None:
            return self.reader.get(f"{path}/{name}")
        found = self.kubectl("get", kind, name, "-n", namespace, "-o", "json", "--ignore-not-found")
        return json.loads(found) if found else None

    @contextmanager
    def watched(self, kinds: str, namespace: str) -> Iterator[IO[str]]:
        """A line for each object that is there, is made or is changed, as soon as it is."""
        line = [str(self.kubectl_path), f"--kubeconfig={self.kubeconfig}", "get", kinds, "-n", namespace]
        with subprocess.Popen([*line, "--watch", "-o", "name"], stdout=subprocess.PIPE, text=True) as watching:
            assert watching.stdout is not None
            try:
                yield watching.stdout
            finally:
                watching.kill()

    def apply(self, manifest: Mapping[str, Any], *flags: str) -> None:
        """Someone else's `kubectl apply`."""
        self.kubectl("apply", "--server-side", "--force-conflicts", *flags, "-f", "-", stdin=json.dumps(manifest))

    def provider(self, **config: str) -> KubernetesProvider:
        """A configured instance, as the host makes one."""
        made = KubernetesProvider()
        made.configure({"kubeconfig": str(self.kubeconfig), **config}, self.environment)
        return made


@pytest.fixture(scope="package")
def api(sandbox: Any) -> Iterator[Api]:
    supervisor = Supervisor.connect(sandbox.home)
    cluster = supervisor.create_cluster("conformance", "1.35", node_groups=[NodeGroup(name="nodes", size=2)])
    environment = {**sandbox.environment, "KUBECONFIG": str(cluster.admin_kubeconfig)}
    reader = Reader(cluster.admin_kubeconfig)
    yield Api(sandbox.home, cluster.admin_kubeconfig, environment, locate("kubectl"), reader)
    reader.close()
    # An idle one takes a twentieth of a processor, as long as the tests after it run.
    supervisor.delete_cluster(cluster.name)


@pytest.fixture
def namespace(api: Api) -> str:
    """A namespace of the test's own; it goes with the cluster."""
    return new_namespace(api)


def new_namespace(api: Api) -> str:
    """Not deleted, which is a hundred requests to the API server."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    api.reader.create("/api/v1/namespaces", {"metadata": {"name": name}})
    return name


@pytest.fixture
def project(api: Api, tmp_path: Path) -> Iterator[EngineProject]:
    """A stack of its own, destroyed after the test."""
    made = EngineProject(api.environment, tmp_path / "project", name=f"p{uuid.uuid4().hex[:10]}")
    yield made
    made.clear("--refresh=false")


def resource(type: str, name: str = "subject") -> Resource:
    """A resource as the engine names it."""
    return Resource(f"urn:pulumi:test::conformance::{type}::{name}", type, name)
