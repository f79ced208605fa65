"""`freehold up` on the real engine: what it builds, what it says, and that it can be repeated and done by hand."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Sequence

import pytest

from tests.rehearsal.freehold import Freehold, stack_path, until

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(1500)]


def holder_of(built: Freehold, among: Sequence[int]) -> int:
    """The process of `among` that comes to hold the platform's stack."""
    lock = built.home.run / "stack-sandbox.lock"

    def holder() -> int:
        return int(json.loads(lock.read_text() or '{"pid": 0}')["pid"])

    until(lambda: holder() in among)
    return holder()


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """What it says on standard error, up to the part with `text`."""
    assert process.stderr is not None
    said = ""
    while text not in said:
        part = os.read(process.stderr.fileno(), 65_536)
        assert part, said
        said += part.decode()
    return said


def test_more_ups_at_once_wait_for_each_other_and_change_nothing(built: Freehold) -> None:
    with built.start("up") as first, built.start("up") as second:
        holding = holder_of(built, (first.pid, second.pid))
        running, waiting = (first, second) if holding == first.pid else (second, first)
        running.send_signal(signal.SIGSTOP)  # it keeps the stack until the others have met it
        try:
            impatient = built.run("up", "--wait", "0")
            told = read_until(waiting, "stack sandbox: waiting for")
        finally:
            running.send_signal(signal.SIGCONT)
        outputs = [process.communicate(timeout=900) for process in (running, waiting)]
    assert impatient.returncode == 1
    holder = r"process \d+ \(`freehold up`, since [\d:]+\)"
    assert re.search(rf"^freehold: stack sandbox: held by {holder}", impatient.stderr, re.MULTILINE)
    assert re.search(rf"freehold: stack sandbox: waiting for {holder}", told)
    assert [running.returncode, waiting.returncode] == [0, 0], outputs
    for stdout, stderr in outputs:
        assert "Nothing changed: everything was as the configuration says." in stdout
        assert re.search(r"freehold: platform sandbox: \d+ same \(", stderr)
        # They are as they shall be: nothing is asked for them.
        assert "freehold: tenant" not in stderr
        assert "policies: 8 policies over" in stdout
        assert ", 0 violations" in stdout


def test_the_summary_is_what_is_there(built: Freehold) -> None:
    shown = built.json("status")
    assert shown["ok"]
    assert {tenant["id"]: (tenant["plan"], tenant["status"]) for tenant in shown["tenants"]} == {
        "acme": ("pro", "active"), "acme-eu": ("pro", "active")}  # fmt: skip
    # What the Stripe event made of acme's quota is what acme-eu has had from its beginning.
    quotas = {tenant["id"]: tenant["namespaces"][0]["hard"] for tenant in shown["tenants"]}
    assert quotas["acme"] == quotas["acme-eu"]
    assert shown["resources"] == sum(shown["components"].values()) == len(built.state().managed)
    # Taken away behind its back, it is missed.
    built.by_hand("kubectl delete namespace t-acme--default --wait=false").check_returncode()
    try:
        until(lambda: built.json("status")["tenants"][0]["namespaces"] == [])
    finally:
        mended = built.by_hand(
            "cd $FREEHOLD_HOME/tenants/sandbox/acme && pulumi up --refresh -s tenant.sandbox.acme --yes --skip-preview"
        )
        assert mended.returncode == 0, mended.stdout + mended.stderr
    assert built.json("status")["tenants"][0]["namespaces"][0]["name"] == "t-acme--default"


def test_the_state_tells_where_each_resource_is_declared_and_not_how_python_came_there(built: Freehold) -> None:
    for one in built.state().managed:
        assert "stackTrace" not in one, one["urn"]
        assert one["sourcePosition"].startswith(("project:///components/", "project:///stacks/"))


def test_each_command_of_the_summary_works(built: Freehold) -> None:
    shown = built.ok("status").stdout
    commands = re.findall(r"^ +\$ (.+)$", shown, re.MULTILINE)
    assert len(commands) >= 11
    for command in commands:
        run = built.by_hand(command)
        assert run.returncode == 0, f"{command}: {run.stdout}{run.stderr}"
        assert run.stdout.strip()


def test_plain_pulumi_works_without_our_command(built: Freehold) -> None:
    """Previewed under the policies, refreshed and updated, all by one command."""
    update = built.by_hand(
        "pulumi up -s sandbox --refresh --policy-pack policies --yes --expect-no-changes --non-interactive"
    )
    assert update.returncode == 0, update.stdout + update.stderr
    assert "Policies:" in update.stdout


def test_our_preview_and_refresh(built: Freehold) -> None:
    assert built.ok("preview", "sandbox", "--expect-no-changes").stdout.startswith("would change nothing (")
    assert built.ok("refresh", "sandbox").stdout.startswith("changed nothing (")


def test_our_preview_names_what_would_change_and_not_its_values(built: Freehold) -> None:
    """What somebody changed behind its back is to be put right."""
    keeps = "aws logs put-retention-policy --log-group-name /aws/eks/chronos-cloud-sandbox/cluster --retention-in-days"
    built.by_hand(f"{keeps} 3653").check_returncode()
    try:
        assert built.ok("refresh", "sandbox").stdout.startswith("changed 1 resource (")
        run = built.run("preview", "sandbox", "--expect-no-changes")
        assert run.returncode == 1
        assert run.stderr.splitlines()[-1].startswith("freehold: environment sandbox: 1 resource would change, and")
        header, row, _, told = run.stdout.splitlines()
        assert header.split() == ["operation", "resource", "type", "what", "differs"]
        assert row.split() == ["update", "cluster-logs", "aws:cloudwatch:LogGroup", "retentionInDays"]
        assert re.match(r"would change 1 resource \(\d+ same, 1 update\); details in ", told)
        assert "3653" not in run.stdout
        (change,) = built.json("preview", "sandbox")["changes"]
        assert (change["operation"], change["name"], change["component"]) == (
            "update",
            "cluster-logs",
            "cluster (Cluster)",
        )
        assert (change["properties"], change["replaces_by"]) == (["retentionInDays"], [])
    finally:
        built.by_hand(f"{keeps} 7").check_returncode()
        built.ok("refresh", "sandbox")
    assert built.json("preview", "sandbox")["changes"] == []


def test_a_wrong_passphrase(built: Freehold) -> None:
    before = stack_path(built.home).read_bytes()
    run = built.run("up", PULUMI_CONFIG_PASSPHRASE="not-it")
    assert run.returncode == 1
    assert "freehold: stack sandbox: wrong passphrase; set PULUMI_CONFIG_PASSPHRASE" in run.stderr
    assert "Traceback" not in run.stderr
    assert stack_path(built.home).read_bytes() == before


def test_ctrl_c(built: Freehold) -> None:
    with built.start("up") as process:
        until(lambda: bool(built.engines()))
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "freehold: stopping: the engine finishes what it is doing" in stderr
    assert stderr.splitlines()[-1].endswith("interrupted; run it again: it goes on from there")
    assert "Traceback" not in stderr
    assert not built.engines()
    assert built.state().pending == ()


def test_what_cannot_be_a_tenant(built: Freehold) -> None:
    for arguments, expected in (
        (("initech", "--plan", "platinum"), "has no plan 'platinum'; its plans are"),
        (("initech", "--plan", "starter", "--region", "eu-west-1"), "cell sandbox is in us-east-1"),
        (("initech", "--plan", "starter", "--subdomain", "acme"), "the subdomain acme is another tenant's"),
        (("initech", "--plan", "starter", "--email", "nobody"), "--email: "),
    ):
        run = built.run("tenant", "create", *arguments, "--yes")
        assert run.returncode == 2, run.stderr
        assert expected in run.stderr
        assert len(run.stderr.splitlines()) == 1
    assert built.run("tenant", "show", "initech").returncode == 2
