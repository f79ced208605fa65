"""The `pulumi.com/waitFor` expressions, and login commands, without a cluster."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sandbox.providers.interface import UNKNOWN, ProviderError, Value
from sandbox.providers.kubernetes import kubeconfig
from sandbox.providers.kubernetes.conditions import parse
from sandbox.providers.kubernetes.login import Login
from sandbox.providers.kubernetes.objects import drifted_inputs
from sandbox.providers.kubernetes.settings import same_cluster
from sandbox.providers.kubernetes.writing import merge_patch

LIVE = {
    "metadata": {"annotations": {"example.com/done": "yes"}},
    "spec": {"parts": [{"size": 1}, {"size": 2}]},
    "status": {"phase": "Running", "ready": 2, "conditions": [{"type": "Ready", "status": "True"}]},
}


@pytest.mark.parametrize(
    ("expression", "met"),
    [
        ("condition=Ready", True),
        ("condition=Ready=False", False),
        ("condition=ready=true", False),
        ("condition=Other", False),
        ("jsonpath={.status.phase}=Running", True),
        ("jsonpath={.status.phase}=Pending", False),
        ("jsonpath={.status.phase}", True),
        ("jsonpath={.status.missing}", False),
        ("jsonpath={.status.ready}=2", True),
        ("jsonpath={.spec.parts[1].size}=2", True),
        ("jsonpath={.spec.parts[*].size}=2", True),
        ("jsonpath={.spec.parts[7].size}=2", False),
        (r"jsonpath={.metadata.annotations.example\.com/done}=yes", True),
        ("jsonpath={.metadata.annotations['example.com/done']}=yes", True),
        (json.dumps(["condition=Ready", "jsonpath={.status.phase}=Running"]), True),
        (json.dumps(["condition=Ready", "jsonpath={.status.phase}=Pending"]), False),
    ],
)
def test_expressions(expression: str, met: bool) -> None:
    assert all(wanted.met(LIVE).ready for wanted in parse(expression)) is met


@pytest.mark.parametrize("expression", ["", "Ready", "condition=", "jsonpath=", "jsonpath={}", "[1]", "[", "[]"])
def test_what_is_no_expression(expression: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse(expression)


def test_an_unmet_expression_says_what_it_saw() -> None:
    (wanted,) = parse("jsonpath={.status.phase}=Pending")
    assert wanted.met(LIVE).reason == "waits for jsonpath={.status.phase}=Pending, it is Running"


def _access(folder: Path, script: str, **user: object) -> kubeconfig.Access:
    command = folder / "login"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    config = {
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"exec": {"command": "./login", "apiVersion": "v", **user}}}],
    }
    return kubeconfig.access(config, folder, context=None, cluster=None)


def _credential(expires: datetime | None) -> str:
    status = {"token": "t-$N-$WHO"}
    if expires is not None:
        status["expirationTimestamp"] = expires.strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"N=$(cat n 2>/dev/null || echo 1); echo $((N + 1)) > n\necho '{json.dumps({'status': status})}'".replace(
        "$N", "'$N'"
    ).replace("$WHO", "'$WHO'")


def test_a_token_is_kept_until_shortly_before_it_expires(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environment = {"PATH": "/usr/bin:/bin", "WHO": "me"}
    lasting = Login(_access(tmp_path, _credential(datetime.now(UTC) + timedelta(minutes=14))), environment)
    assert [lasting.token(), lasting.token()] == ["t-1-me", "t-1-me"]
    assert lasting.reject("t-1-me"), "a refused token is asked for again"
    assert lasting.token() == "t-2-me"
    brief = Login(_access(tmp_path, _credential(datetime.now(UTC) + timedelta(seconds=30))), environment)
    assert [brief.token(), brief.token()] == ["t-3-me", "t-4-me"]


@pytest.mark.parametrize(
    ("script", "said"),
    [("echo no such profile >&2; exit 3", "no such profile"), ("echo nonsense", "no ExecCredential")],
)
def test_a_login_that_fails_says_what_it_said(tmp_path: Path, script: str, said: str) -> None:
    with pytest.raises(ProviderError, match=said):
        Login(_access(tmp_path, script), {"PATH": "/usr/bin:/bin"}).token()


def test_drift_keeps_what_is_only_written_differently() -> None:
    asked = {"cpu": "1000m", "replicas": 2, "labels": {"a": "1"}, "list": ["1000m", "x"]}
    known = {"cpu": "1", "replicas": 2, "labels": {"a": "1", "b": "theirs"}, "list": ["1", "x"], "other": 1}
    assert drifted_inputs(asked, known, known) == asked
    live = {**known, "replicas": 3, "labels": {"b": "theirs"}, "list": ["1", "y"]}
    assert drifted_inputs(asked, known, live) == {"cpu": "1000m", "replicas": 3, "labels": {}, "list": ["1000m", "y"]}


def test_merge_patch() -> None:
    assert merge_patch({"a": {"b": 1, "c": 2}, "d": 3, "e": 4}, {"a": {"b": 1, "c": 5}, "d": 3, "f": 6}) == {
        "a": {"c": 5},
        "e": None,
        "f": 6,
    }


def test_a_provider_is_replaced_only_for_another_cluster() -> None:
    def config(server: str, authority: str) -> dict[str, Value]:
        cluster = {"server": server, "certificate-authority-data": authority}
        return {
            "kubeconfig": json.dumps(
                {
                    "current-context": "c",
                    "clusters": [{"name": "c", "cluster": cluster}],
                    "contexts": [{"name": "c", "context": {"cluster": "c"}}],
                }
            )
        }

    one = config("https://127.0.0.1:1", "b25l")
    moved, renewed = config("https://127.0.0.1:2", "b25l"), config("https://127.0.0.1:1", "dHdv")
    assert same_cluster(one, json.loads(json.dumps(one)))
    for changed in (moved, renewed):
        assert not same_cluster(one, changed), "nothing says that it is the same one"
        assert same_cluster({**one, "clusterIdentifier": "a"}, {**changed, "clusterIdentifier": "a"})
        assert not same_cluster(one, {**changed, "clusterIdentifier": "a"}), "it was not known by it before"
    assert not same_cluster({"clusterIdentifier": "a"}, {"clusterIdentifier": "b"})
    assert same_cluster(one, {**one, "clusterIdentifier": "a"}), "it is given from now on"
    assert same_cluster({**one, "clusterIdentifier": "a"}, one), "it is not given any more"
    assert not same_cluster({"clusterIdentifier": "a"}, {"clusterIdentifier": UNKNOWN})
    assert not same_cluster(one, {"kubeconfig": UNKNOWN}), "a cluster that is still to be made is another one"
    assert same_cluster({**one, "clusterIdentifier": "a"}, {"kubeconfig": UNKNOWN, "clusterIdentifier": "a"})
