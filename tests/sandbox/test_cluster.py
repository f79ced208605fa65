"""A cluster of the sandbox: a real API server that lets nobody in unasked, controllers, nodes, logins, crashes."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from sandbox.processes.login.access import ACCESS_ENTRY, POLICY_ASSOCIATION
from sandbox.providers.recorded import RecordedStore
from sandbox.supervisor.messages import Cluster, NodeGroup, SupervisorError
from sandbox.toolchain import locate
from tests.sandbox.conftest import kill_and_wait
from tests.temporary_sandbox import Sandbox

pytestmark = pytest.mark.sandbox

OPERATOR = "arn:aws:iam::123456789012:user/freehold-operator"
CONTROL_PLANE = {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"}


def kubectl(
    kubeconfig: Path, *arguments: str, environment: Mapping[str, str] | None = None, stdin: str = "", check: bool = True
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(locate("kubectl")), f"--kubeconfig={kubeconfig}", *arguments],
        text=True,
        capture_output=True,
        check=check,
        timeout=60,
        env=environment,
        input=stdin,
    )


@pytest.fixture(scope="module")
def cluster(sandbox: Sandbox) -> Iterator[Cluster]:
    workers = NodeGroup(name="workers", size=2, labels={"tier": "silo"})
    made = sandbox.supervisor.create_cluster("processes", "1.35", node_groups=[workers])
    yield made
    # An idle one takes a twentieth of a processor, as long as the tests after it run.
    sandbox.supervisor.delete_cluster(made.name)


def get(cluster: Cluster, *arguments: str) -> Any:
    return json.loads(kubectl(cluster.admin_kubeconfig, "get", *arguments, "-o", "json").stdout)


def test_nobody_is_let_in_without_a_login(cluster: Cluster) -> None:
    context = ssl.create_default_context(cadata=cluster.certificate_authority_pem)
    port = int(cluster.endpoint.rpartition(":")[2])
    for path in ("/version", "/healthz", "/readyz", "/api", "/metrics", "/openid/v1/jwks"):
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
        connection.request("GET", path)
        assert connection.getresponse().status == 401, path
        connection.close()
    with pytest.raises(ssl.SSLCertVerificationError):
        http.client.HTTPSConnection("127.0.0.1", port, context=ssl.create_default_context(), timeout=10).connect()


def test_each_port_of_a_cluster_is_on_the_loopback(sandbox: Sandbox, cluster: Cluster) -> None:
    # A database or a cache may have the cluster's name.
    pids = {
        process.pid
        for process in sandbox.supervisor.status().processes
        if process.instance == cluster.name and process.kind in CONTROL_PLANE
    }
    assert len(pids) == len(CONTROL_PLANE)
    listening = [
        connection
        for connection in psutil.net_connections(kind="inet")
        if connection.pid in pids and connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) == 6, "etcd has two"
    assert all(str(connection.laddr).find("127.0.0.1") > 0 for connection in listening)


def test_nodes_are_as_asked_and_follow_changes(sandbox: Sandbox, cluster: Cluster) -> None:
    def ready(selector: str) -> list[Any]:
        nodes = get(cluster, "nodes", "-l", selector)["items"]
        return [
            node
            for node in nodes
            if any(one["type"] == "Ready" and one["status"] == "True" for one in node["status"].get("conditions", []))
        ]

    wait_for(lambda: len(ready("eks.amazonaws.com/nodegroup=workers")) == 2)
    assert ready("tier=silo")[0]["status"]["allocatable"]["cpu"] == "2"
    taint = {"key": "gpu", "value": "true", "effect": "NoSchedule"}
    sandbox.supervisor.set_node_group(
        cluster.name,
        NodeGroup(
            name="gpu", size=3, instance_type="g5.2xlarge", labels={"kind": "old", "left": "out"}, taints=(taint,)
        ),
    )
    wait_for(lambda: len(ready("eks.amazonaws.com/nodegroup=gpu")) == 3)
    gpu = ready("eks.amazonaws.com/nodegroup=gpu")
    assert {node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in gpu} == {
        "us-east-1a",
        "us-east-1b",
        "us-east-1c",
    }
    assert all(taint in node["spec"]["taints"] for node in gpu)
    sandbox.supervisor.set_node_group(cluster.name, NodeGroup(name="gpu", size=1, labels={"kind": "gpu"}))
    (left,) = ready("eks.amazonaws.com/nodegroup=gpu")
    assert left["metadata"]["labels"]["kind"] == "gpu"
    assert "left" not in left["metadata"]["labels"]
    assert "taints" not in left["spec"]
    sandbox.supervisor.delete_node_group(cluster.name, "gpu")
    assert get(cluster, "nodes", "-l", "eks.amazonaws.com/nodegroup=gpu")["items"] == []
    assert len(get(cluster, "nodes")["items"]) == 2


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    kubectl(cluster.admin_kubeconfig, "create", "namespace", "trial")
    yield "trial"
    kubectl(cluster.admin_kubeconfig, "delete", "namespace", "trial")


def test_workloads_run_quota_is_counted_and_namespaces_go(cluster: Cluster, namespace: str) -> None:
    """Scheduler, controllers and kwok do their parts; the fixture's deletion waits for the namespace to be gone."""
    config = cluster.admin_kubeconfig
    kubectl(config, "-n", namespace, "create", "quota", "small", "--hard=pods=2")
    kubectl(config, "-n", namespace, "create", "deployment", "web", "--image=nginx", "--replicas=3")
    two = "--for=jsonpath={.status.readyReplicas}=2"
    kubectl(config, "-n", namespace, "wait", two, "deployment/web", "--timeout=30s")
    assert get(cluster, "-n", namespace, "quota", "small")["status"]["used"]["pods"] == "2"
    kubectl(config, "-n", namespace, "delete", "deployment", "web")
    wait_for(lambda: get(cluster, "-n", namespace, "pods")["items"] == [])
    kubectl(config, "-n", namespace, "create", "job", "once", "--image=busybox", "--", "true")
    kubectl(config, "-n", namespace, "wait", "--for=condition=complete", "job/once", "--timeout=30s")


def test_restricted_namespaces_refuse_privileged_pods(cluster: Cluster, namespace: str) -> None:
    config = cluster.admin_kubeconfig
    kubectl(config, "label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "root"},
        "spec": {"containers": [{"name": "root", "image": "busybox", "securityContext": {"privileged": True}}]},
    }
    refused = kubectl(config, "-n", namespace, "apply", "-f", "-", stdin=json.dumps(pod), check=False)
    assert refused.returncode != 0
    assert 'violates PodSecurity "restricted' in refused.stderr


def test_service_account_tokens_are_for_the_clusters_own_issuer(cluster: Cluster) -> None:
    made = kubectl(cluster.admin_kubeconfig, "create", "token", "default", "--audience=sts.amazonaws.com").stdout
    header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in made.split(".")[:2])
    assert header["alg"] == "RS256"
    assert claims["iss"] == cluster.oidc_issuer
    assert claims["iss"].startswith("https://oidc.eks.us-east-1.amazonaws.com/id/")
    assert claims["aud"] == ["sts.amazonaws.com"]


@pytest.fixture
def entry(sandbox: Sandbox, cluster: Cluster) -> Iterator[RecordedStore]:
    """The operator may log in, without any rights yet."""
    store = RecordedStore(sandbox.home.recorded)
    store.put(ACCESS_ENTRY, "trial", "urn", {"clusterName": cluster.name, "principalArn": OPERATOR}, {})
    yield store
    for kind in (ACCESS_ENTRY, POLICY_ASSOCIATION):
        store.delete(kind, "trial")


def test_people_log_in_by_aws_eks_get_token(sandbox: Sandbox, cluster: Cluster, entry: RecordedStore) -> None:
    """The whole way: kubectl, `aws eks get-token`, API server, webhook, STS, access entries, RBAC."""
    config = sandbox.home.root / "kubeconfig"

    def people(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        environment = {**sandbox.environment, "HOME": str(sandbox.home.root), **changes}
        return kubectl(config, f"--context={cluster.name}", *arguments, environment=environment, check=False)

    refused = people("get", "nodes")
    assert "Forbidden" in refused.stderr, refused.stderr
    assert OPERATOR in refused.stderr

    policy = {"clusterName": cluster.name, "principalArn": OPERATOR, "accessScope": {"type": "cluster"}}
    prefix = "arn:aws:eks::aws:cluster-access-policy"
    entry.put(POLICY_ASSOCIATION, "trial", "urn", {**policy, "policyArn": f"{prefix}/AmazonEKSViewPolicy"}, {})
    wait_for(lambda: people("get", "pods").returncode == 0)
    assert "Forbidden" in people("get", "secrets").stderr
    entry.put(POLICY_ASSOCIATION, "trial", "urn", {**policy, "policyArn": f"{prefix}/AmazonEKSClusterAdminPolicy"}, {})
    wait_for(lambda: people("get", "secrets").returncode == 0)
    whoami = json.loads(people("auth", "whoami", "-o", "json").stdout)["status"]["userInfo"]
    assert whoami["username"] == OPERATOR
    assert "system:masters" in whoami["groups"]

    assert "Unauthorized" in people("get", "nodes", AWS_SECRET_ACCESS_KEY="w" * 40).stderr
    entry.delete(ACCESS_ENTRY, "trial")
    # The API server remembers an answer for five seconds.
    wait_for(lambda: people("get", "nodes").returncode != 0)
    assert "Unauthorized" in people("get", "nodes").stderr


def test_another_clusters_administrator_is_a_stranger(sandbox: Sandbox, cluster: Cluster) -> None:
    other = sandbox.supervisor.create_cluster("other", "1.35")
    try:
        assert other.oidc_issuer != cluster.oidc_issuer
        assert other.certificate_authority_pem != cluster.certificate_authority_pem
        contexts = kubectl(sandbox.home.root / "kubeconfig", "config", "get-contexts", "-o", "name").stdout.split()
        assert {"other", cluster.name} <= set(contexts)
        # Its own client certificate at the other's address, with the other's authority: only the login differs.
        text = other.admin_kubeconfig.read_text().replace(other.endpoint, cluster.endpoint)
        mine = base64.b64encode(other.certificate_authority_pem.encode()).decode()
        theirs = base64.b64encode(cluster.certificate_authority_pem.encode()).decode()
        crossed = sandbox.home.root / "crossed.kubeconfig"
        crossed.write_text(text.replace(mine, theirs))
        refused = kubectl(crossed, "get", "nodes", check=False)
        assert refused.returncode != 0
        assert "Unauthorized" in refused.stderr or "provide credentials" in refused.stderr
    finally:
        sandbox.supervisor.delete_cluster("other")
    assert sandbox.supervisor.cluster("other") is None
    contexts = kubectl(sandbox.home.root / "kubeconfig", "config", "get-contexts", "-o", "name").stdout.split()
    assert "other" not in contexts
    assert not any(process.instance == "other" for process in sandbox.supervisor.status().processes)
    assert not (sandbox.home.data / "clusters" / "other").exists()
    assert not (sandbox.home.certificates / "clusters" / "other").exists()


@pytest.mark.parametrize("kind", ["etcd", "kube-apiserver", "kube-controller-manager", "kwok"])
def test_a_killed_process_comes_back_without_loss(sandbox: Sandbox, cluster: Cluster, kind: str) -> None:
    kubectl(cluster.admin_kubeconfig, "create", "configmap", f"kept-{kind}", "--from-literal=a=1")
    kill_and_wait(sandbox.supervisor, f"{kind}-{cluster.name}")
    wait_for(lambda: kubectl(cluster.admin_kubeconfig, "get", "configmap", f"kept-{kind}", check=False).returncode == 0)
    assert get(cluster, "configmap", f"kept-{kind}")["data"] == {"a": "1"}


@pytest.mark.parametrize(("name", "told"), [("../up", "name"), ("", "name"), ("a" * 101, "name"), ("a b", "name")])
def test_a_bad_name_is_refused(sandbox: Sandbox, name: str, told: str) -> None:
    with pytest.raises(SupervisorError) as caught:
        sandbox.supervisor.create_cluster(name, "1.35")
    assert caught.value.reason == "invalid"
    assert told in caught.value.line()


def test_creating_what_exists_is_an_error(sandbox: Sandbox, cluster: Cluster) -> None:
    with pytest.raises(SupervisorError, match=r"^cluster processes: exists already$"):
        sandbox.supervisor.create_cluster(cluster.name, "1.35")


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 40
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.2)
