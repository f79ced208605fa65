"""What a preview shows a person, and what it gives a script."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import opening, platform
from cli.app import app
from cli.plan import Plan, show_plan
from fleet.events import Progress
from fleet.stack import Result
from tests.cli.terminal import Terminal
from tests.fleet.steps import FLOW_LOGS, NETWORK, STACK, planned, step, urn

NODES = "postgres-enclosure-guard-from-nodes"
LOG = Path("/logs/pulumi-sandbox.log")


def preview() -> Progress:
    """A replacement, a deletion, an update, and a new component in one that is there; one policy has a finding."""
    vpc = (NETWORK, "aws:ec2/vpc:Vpc", "network-vpc")
    rule = (NETWORK, "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", NODES)
    said = {
        "policyName": "tags",
        "enforcementLevel": "advisory",
        "resourceUrn": urn("t", "network-vpc"),
        "message": "Tags are there.\n[x]\ny\n",
    }
    progress = planned(
        step("same", "", STACK, "s"),
        step("same", STACK, NETWORK, "network"),
        step("create", NETWORK, FLOW_LOGS, "logs"),
        step("create", FLOW_LOGS, "aws:iam/role:Role", "logs-role"),
        step("create", NETWORK, "aws:ec2/eip:Eip", "network-address"),
        step("update", *rule, diffs=["ipProtocol", "description"]),
        step("create-replacement", *vpc, keys=["cidrBlock"], diffs=["cidrBlock", "tags"]),
        step("replace", *vpc, keys=["cidrBlock"], diffs=["cidrBlock", "tags"]),
        step("delete-replaced", *vpc),
        step("delete", NETWORK, "aws:sqs/queue:Queue", "letters"),
    )
    progress.take({"policyEvent": said})
    progress.take({"summaryEvent": {"isPreview": True, "resourceChanges": {"create": 3, "same": 7, "replace": 1}}})
    return progress


def plan() -> Plan:
    return Plan.of("sandbox", Result("sandbox", "preview", preview(), 1.0, None))


def test_in_a_pipe_each_change_is_a_line_and_what_ends_something_is_first_and_marked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_plan(plan())
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[:7]] == [
        ["operation", "resource", "type", "what", "differs"],
        ["!", "delete", "letters", "aws:sqs:Queue"],
        ["!", "replace", "network-vpc", "aws:ec2:Vpc", "cidrBlock", "(forces", "it),", "tags"],
        ["update", NODES, "aws:vpc:SecurityGroupIngressRule", "ipProtocol,", "description"],
        ["create", "network-address", "aws:ec2:Eip"],
        ["create", "logs", "(FlowLogs)", "2", "resources"],
        [],
    ]
    assert lines[7:9] == ["Policies (advisory):", "policy  resource     finding"]
    assert lines[9].split() == ["tags", "network-vpc", "[x]", "y"]


def test_all_lists_what_a_new_component_holds(capsys: pytest.CaptureFixture[str]) -> None:
    show_plan(plan(), each=True)
    created = [line.split()[1:] for line in capsys.readouterr().out.splitlines() if line.startswith("  create")]
    assert created == [["logs", FLOW_LOGS], ["logs-role", "aws:iam:Role"], ["network-address", "aws:ec2:Eip"]]


def test_a_narrow_terminal_has_the_whole_names_and_the_rest_below_them() -> None:
    program = "from cli.plan import show_plan; from tests.cli.test_plan import plan; show_plan(plan())"
    with Terminal([sys.executable, "-c", program], columns=60) as terminal:
        assert terminal.end() == 0, terminal.shown
        assert terminal.shown[:7] == [
            "! delete   letters",
            "           aws:sqs:Queue",
            "! replace  network-vpc",
            "           aws:ec2:Vpc  cidrBlock (forces it), tags",
            f"  update   {NODES}",
            "           aws:vpc:SecurityGroupIngressRule  ipProtocol,",
            "           description",
        ]
        assert b"\x1b[31m! delete" in terminal.written
    with Terminal([sys.executable, "-c", program], columns=60, environment={"NO_COLOR": "1"}) as terminal:
        assert terminal.end() == 0, terminal.shown
        assert b"\x1b[31m" not in terminal.written
        assert "! delete   letters" in terminal.shown


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`preview sandbox` with these options, on an engine that has been run."""
    monkeypatch.setattr(opening, "platform_program", lambda *_: nullcontext())
    result = Result("sandbox", "preview", preview(), 1.0, None)
    monkeypatch.setattr(platform, "_run", lambda *_: (result, LOG))
    return lambda *options: CliRunner().invoke(app, ["preview", "sandbox", *options])


def test_the_last_line_counts(run: Any) -> None:
    told = run()
    assert told.exit_code == 0
    counted = "7 same, 3 create, 1 delete, 1 replace, 1 update"
    assert told.stdout.splitlines()[-1] == f"would change 6 resources ({counted}); details in {LOG}"


def test_json_is_for_a_script_that_stops_at_a_replacement(run: Any) -> None:
    told = json.loads(run("--json").stdout)
    assert set(told) == {"environment", "changed", "counts", "changes", "policies"}
    assert (told["environment"], told["changed"]) == ("sandbox", 6)
    assert told["counts"] == {"same": 7, "create": 3, "delete": 1, "replace": 1, "update": 1}
    assert len(told["changes"]) == 6
    (replaced,) = [one for one in told["changes"] if one["operation"] == "replace"]
    assert replaced == {
        "operation": "replace",
        "urn": urn("aws:ec2/vpc:Vpc", "network-vpc"),
        "type": "aws:ec2/vpc:Vpc",
        "name": "network-vpc",
        "component": "network (Network)",
        "properties": ["cidrBlock", "tags"],
        "replaces_by": ["cidrBlock"],
    }
    assert told["policies"] == [
        {
            "policy": "tags",
            "level": "advisory",
            "urn": urn("t", "network-vpc"),
            "name": "network-vpc",
            "message": "Tags are there.\n[x]\ny",
        }
    ]


def test_expect_no_changes_fails_where_there_are_some_and_shows_them(run: Any) -> None:
    told = run("--expect-no-changes", "--json")
    assert str(told.exception).startswith("environment sandbox: 6 resources would change, and none was expected to; ")
    assert told.exception.exit_code == 1
    assert len(json.loads(told.stdout)["changes"]) == 6
