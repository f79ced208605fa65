"""What `status` asks of the cluster: by the platform's own kubeconfig, and what it says where there is no answer."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import boto3
import pytest
from botocore.stub import Stubber

from cli import live
from components.aws.kubeconfig import kubeconfig
from stacks.contract import PlatformContract
from tests.fleet.contracts import contract

NAME = "chronos-cloud-prod"


@pytest.fixture
def platform() -> PlatformContract:
    names = dict.fromkeys(("endpoint", "oidc_issuer", "oidc_provider_arn"), "")
    login = kubeconfig(NAME, "us-east-1", "https://cluster", "Y2E=")
    return contract(cluster={**names, "name": NAME, "kubeconfig": login})


def variables(folder: Path, script: str | None) -> dict[str, str]:
    """Those of a machine with this kubectl, whose user has other contexts."""
    if script is not None:
        (folder / "kubectl").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "kubectl").chmod(0o755)
    (folder / "own").write_text("apiVersion: v1\nkind: Config\n")
    return {"PATH": str(folder), "KUBECONFIG": str(folder / "own")}


def test_the_cluster_is_asked_by_the_platforms_kubeconfig(tmp_path: Path, platform: PlatformContract) -> None:
    node = {
        "kind": "Node",
        "metadata": {"name": "n"},
        "status": {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"kubeletVersion": "v1.35.4"}},
    }
    (tmp_path / "answer").write_text(json.dumps({"items": [node]}))
    answer, given = tmp_path / "answer", tmp_path / "given"
    script = f'test "$1" = --kubeconfig && /bin/cp "$2" {given} && /bin/ls -l "$2" > {tmp_path}/mode; /bin/cat {answer}'
    line, namespaces = live._inside(platform, variables(tmp_path, script))
    assert (line.value, line.ok, namespaces) == ("1 of 1 ready (v1.35.4)", True, {})
    assert given.read_text() == platform.cluster.kubeconfig
    assert (tmp_path / "mode").read_text().startswith("-rw-------")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (None, "not asked: kubectl is not on PATH"),
        ("exec /bin/sleep 60", "the cluster did not answer within 0.2 s"),
        ("echo first >&2; echo refused >&2; exit 1", "refused"),
    ],
)
def test_no_answer_is_a_line(
    script: str | None, said: str, tmp_path: Path, platform: PlatformContract, monkeypatch: pytest.MonkeyPatch
) -> None:
    if script is not None and "sleep" in script:
        monkeypatch.setattr(live, "_KUBECTL_SECONDS", 0.2)
    line, namespaces = live._inside(platform, variables(tmp_path, script))
    assert (line.what, line.value, line.ok, namespaces) == ("nodes", said, False, {})
    assert line.command == f"kubectl --context {NAME} get nodes"


def test_a_kubectl_that_cannot_be_run_is_a_line(tmp_path: Path, platform: PlatformContract) -> None:
    given = variables(tmp_path, "")
    (tmp_path / "kubectl").write_bytes(os.urandom(16))
    line, _ = live._inside(platform, given)
    assert not line.ok
    assert line.value == "not asked: kubectl does not run: Exec format error"


@pytest.mark.parametrize(
    ("subscriptions", "said", "ok"),
    [
        ([], "nobody", False),
        ([("sqs", "arn:aws:sqs:us-east-1:1:q", "arn:1")], "1 by sqs", True),
        (
            [
                ("sqs", "arn:aws:sqs:us-east-1:1:q", "arn:1"),
                ("email", "ops@example.com", "arn:2"),
                ("email", "on-call@example.com", "PendingConfirmation"),
                ("https", "https://hooks.example.com/secret", "PendingConfirmation"),
            ],
            "2 by email, 1 by https, 1 by sqs; not confirmed yet, so not told: hooks.example.com, on-call@example.com",
            False,
        ),
    ],
)
def test_who_has_not_confirmed_is_named(
    subscriptions: list[tuple[str, str, str]], said: str, ok: bool, platform: PlatformContract
) -> None:
    sns = boto3.client("sns", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    # AWS gives them by pages.
    pages = [subscriptions[:2], subscriptions[2:]]
    with Stubber(sns) as stubbed:
        for number, page in enumerate(pages):
            given = [{"Protocol": how, "Endpoint": to, "SubscriptionArn": arn} for how, to, arn in page]
            asked = {"TopicArn": platform.alerts.topic_arn, **({"NextToken": "second"} if number else {})}
            answer = {"Subscriptions": given, **({} if number else {"NextToken": "second"})}
            stubbed.add_response("list_subscriptions_by_topic", answer, asked)
        line = live._subscribers(platform, lambda service: {"sns": sns}[service])
        stubbed.assert_no_pending_responses()
    assert (line.value, line.ok) == (said, ok)
    assert "secret" not in line.value


def asked_of(service: str, **answers: Mapping[str, object]) -> Callable[[str], object]:
    """A service that answers so, by operation."""
    return {
        service: SimpleNamespace(**{name: lambda answer=answer, **_: answer for name, answer in answers.items()})
    }.__getitem__


@pytest.mark.parametrize(
    ("status", "ok"),
    [("ACTIVE", True), ("UPDATING", True), ("CREATING", False), ("DELETING", False), ("FAILED", False)],
)
def test_a_cluster_that_is_upgraded_answers(status: str, ok: bool, platform: PlatformContract) -> None:
    found = {"version": "1.35", "status": status}
    line = live._cluster(platform, asked_of("eks", describe_cluster={"cluster": found}))
    assert (line.value, line.ok) == (f"{NAME}, Kubernetes 1.35, {status}", ok)


@pytest.mark.parametrize(
    ("ready", "away", "said", "ok"),
    [
        (3, 0, "3 of 3 ready (v1.35.4)", True),
        (2, 1, "2 of 3 ready (v1.35.4); not ready: away-0", True),
        (1, 1, "1 of 2 ready (v1.35.4); not ready: away-0", False),
        (0, 1, "0 of 1 ready (v1.35.4); not ready: away-0", False),
        (17, 2, "17 of 19 ready (v1.35.4); not ready: away-0, away-1", False),
        (18, 2, "18 of 20 ready (v1.35.4); not ready: away-0, away-1", True),
        (
            13,
            7,
            "13 of 20 ready (v1.35.4); not ready: away-0, away-1, away-2, away-3, away-4 and 2 more",
            False,
        ),
        (0, 0, "0 of 0 ready", False),
    ],
)
def test_one_node_of_many_is_named_and_no_alarm(ready: int, away: int, said: str, ok: bool) -> None:
    def node(name: str, status: str) -> Mapping[str, object]:
        conditions = [{"type": "Ready", "status": status}]
        return {
            "metadata": {"name": name},
            "status": {"conditions": conditions, "nodeInfo": {"kubeletVersion": "v1.35.4"}},
        }

    nodes = [node(f"away-{n}", "Unknown") for n in range(away)] + [node(f"ready-{n}", "True") for n in range(ready)]
    line = live._nodes(nodes, "kubectl get nodes")
    assert (line.what, line.value, line.ok) == ("nodes", said, ok)


@pytest.mark.parametrize(
    ("differs", "ok"),
    [
        ({}, True),
        ({"DBInstanceStatus": "backing-up"}, True),
        ({"DBInstanceStatus": "storage-optimization"}, True),
        ({"DBInstanceStatus": "storage-full"}, False),
        ({"DBInstanceStatus": "inaccessible-encryption-credentials"}, False),
        ({"PubliclyAccessible": True}, False),
        ({"StorageEncrypted": False}, False),
    ],
)
def test_a_database_is_as_it_should_be_while_it_serves_closed_and_encrypted(
    differs: Mapping[str, object], ok: bool
) -> None:
    found = {"Engine": "postgres", "EngineVersion": "17", "StorageEncrypted": True, "PubliclyAccessible": False,
             "DBInstanceStatus": "available", **differs}  # fmt: skip
    line = live._database("one", asked_of("rds", describe_db_instances={"DBInstances": [found]}))
    assert line.ok is ok


@pytest.mark.parametrize(
    ("differs", "ok"),
    [
        ({}, True),
        ({"Status": "snapshotting"}, True),
        ({"Status": "modifying"}, True),
        ({"Status": "create-failed"}, False),
        ({"Status": "deleting"}, False),
        ({"TransitEncryptionEnabled": False}, False),
    ],
)
def test_a_cache_is_as_it_should_be_while_it_serves_by_tls(
    differs: Mapping[str, object], ok: bool, platform: PlatformContract
) -> None:
    found = {"Status": "available", "TransitEncryptionEnabled": True, **differs}
    answer = {"ReplicationGroups": [found]}
    assert live._cache(platform, asked_of("elasticache", describe_replication_groups=answer)).ok is ok


@pytest.mark.parametrize(
    ("versioning", "blocked", "ok"),
    [
        ({"Status": "Enabled"}, True, True),
        ({"Status": "Suspended"}, True, False),
        ({}, True, False),
        ({"Status": "Enabled"}, False, False),
    ],
)
def test_a_bucket_is_as_it_should_be_where_it_is_closed_and_keeps_versions(
    versioning: Mapping[str, object], blocked: bool, ok: bool, platform: PlatformContract
) -> None:
    block = {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True, "BlockPublicPolicy": blocked}}
    answers = {"get_bucket_versioning": versioning, "get_public_access_block": block}
    assert live._bucket(platform, asked_of("s3", **answers)).ok is ok
