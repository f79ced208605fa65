"""Which failures of an engine run are worth another try with nothing changed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from errors import TransientError
from fleet.events import Progress, Violation
from fleet.failures import explain
from sandbox.providers import plugin

LOG = Path("/logs/pulumi-dev.log")


def transient(*errors: tuple[str, str], output: str = "", violations: tuple[Violation, ...] = ()) -> bool:
    progress = Progress(errors=list(errors), violations=list(violations))
    return isinstance(explain("dev", "up", progress, output, LOG), TransientError)


@pytest.mark.parametrize(
    "text",
    [
        "creating EC2 EIP: operation error EC2: AllocateAddress, RequestLimitExceeded: Request limit exceeded.",
        "ThrottlingException: Rate exceeded",
        "error dialing backend: dial tcp 10.0.0.1:443: connect: connection refused",
        'rpc error: code = Unavailable desc = error reading from server: EOF',
        "could not connect to server: the database system is starting up",
        "could not get advisory lock for members of role t_acme: pq: canceling statement due to lock timeout",
        "Post https://example.com: net/http: TLS handshake timeout",
        "the server is currently unable to handle the request",
        "updating ElastiCache User (t-acme): ModifyUser, InvalidUserStateFault: Only active users can be modified.",
        "deleting ElastiCache User Group Association: InvalidUserGroupState: User group must be in active state",
        "OperationAborted: A conflicting conditional operation is currently in progress against this resource.",
        'constructing secrets manager of type "cloud": operation error KMS: Decrypt, https response error '
        "StatusCode: 200, failed to decode response body, read tcp 127.0.0.1:50828->127.0.0.1:26301: "
        "use of closed network connection",
    ],
)  # fmt: skip
def test_what_may_pass(text: str) -> None:
    assert transient(("database", text))
    assert transient(output=f"error: {text}")


@pytest.mark.parametrize(
    "text",
    [
        'namespaces "t-acme--default" already exists',
        "AccessDenied: not authorized to perform iam:CreateRole",
        "freehold:tenant: plan: there is no plan 'platinum'",
        "InvalidParameterValue: 2 is not a valid number of replicas",
        "InvalidParameterValue: 15030 is no port of vol-0a5021",
        "update failed",
    ],
)
def test_what_does_not_pass(text: str) -> None:
    assert not transient(("database", text))
    assert not transient(output=f"error: {text}")


def test_one_that_does_not_pass_decides() -> None:
    assert not transient(("one", "Throttling: Rate exceeded"), ("two", "AccessDenied: not allowed"))
    assert transient(("one", "Throttling: Rate exceeded"), ("two", "connection reset by peer"), ("", "update failed"))


def test_a_provider_that_died_decides_for_what_follows_from_it() -> None:
    crash = "Detected that /plugins/resource-aws-v7.51.1/pulumi-resource-aws exited prematurely."
    assert transient(output=f"error: {crash}")
    assert transient(("", crash), ("address-1", "resource registration was cancelled"))
    assert transient(
        ("address-1", "error reading from server: EOF"), ("", "Program failed with an unhandled exception")
    )


def test_a_policy_s_refusal_does_not_pass() -> None:
    refusal = Violation("storage-encrypted", "mandatory", "urn::bucket", "connection refused is in this text")
    assert not transient(("bucket", "Throttling"), violations=(refusal,))


def test_advice_of_a_policy_is_no_reason() -> None:
    advice = Violation("cost-budget", "advisory", "urn::bucket", "there is no budget")
    told = explain("dev", "up", Progress(errors=[("bucket", "AccessDenied")], violations=[advice]), "", LOG)
    assert told.line() == f"stack dev, bucket: AccessDenied; see {LOG}"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (" \n", "no reason was given"),
        ("error: 1 error occurred:\n  * creating Role: LimitExceeded\n", "creating Role: LimitExceeded"),
        ("Traceback (most recent call last):\n  File x\nfleet.errors.FreeholdError: it is full\n", "it is full"),
    ],
)
def test_the_line_that_says_it_is_told(text: str, line: str) -> None:
    assert explain("dev", "up", Progress(errors=[("bucket", text)]), "", LOG).what == line


def _step(op: str, *, planning: bool) -> dict[str, Any]:
    return {"resourcePreEvent": {"metadata": {"op": op, "urn": "urn::network"}, "planning": planning}}


PREVIEW: tuple[dict[str, Any], ...] = (
    {"preludeEvent": {}},
    _step("create", planning=True),
    {"summaryEvent": {"isPreview": True, "resourceChanges": {"create": 1}}},
)
VIOLATION: dict[str, Any] = {
    "policyEvent": {
        "policyName": "rds-private",
        "enforcementLevel": "mandatory",
        "resourceUrn": "urn::database",
        "message": "publiclyAccessible is true",
    }
}


@pytest.mark.parametrize(
    ("events", "made"),
    [
        # The engine sums a preview up that a policy has refused, too.
        ((*PREVIEW[:-1], VIOLATION, PREVIEW[-1]), False),
        ((*PREVIEW, {"preludeEvent": {}}, _step("same", planning=False), VIOLATION), False),
        ((*PREVIEW, {"preludeEvent": {}}, _step("create", planning=False), VIOLATION), True),
    ],
)
def test_a_refusal_says_whether_anything_was_made(events: tuple[dict[str, Any], ...], made: bool) -> None:
    progress = Progress()
    for event in events:
        progress.take(event)
    line = explain("prod", "up", progress, "", LOG).line()
    assert line.startswith("stack prod: refused by policy, ")
    assert "database breaks rds-private: publiclyAccessible is true" in line
    assert ("nothing was made" in line, "what was made by then stays" in line) == (not made, made)


def test_what_is_known() -> None:
    assert transient(output="error: the stack is currently locked by 1 lock(s).")
    assert not transient(output="error: incorrect passphrase")
    assert not transient(output="write: no space left on device")


def test_the_disk_that_is_full_is_the_state_s_unless_a_server_says_it_of_its_own() -> None:
    said = 'creating schema: pq: could not extend file "base/16384/2619": No space left on device'
    told = explain("dev", "up", Progress(errors=[("schema", said)]), f"Updating (dev)\nerror: {said}\n", LOG).line()
    assert told == f"stack dev, schema: {said}; see {LOG}"
    for output in (f"error: {said}\nerror: write /state: no space left on device", "write: no space left on device"):
        told = explain("dev", "up", Progress(errors=[("schema", said)]), output, LOG).line()
        assert told.startswith("stack dev: no space left on the disk that holds the state; ")


def test_a_provider_host_that_is_down_is_told_with_its_mend(tmp_path: Path) -> None:
    """In the words of the stand-ins' plugin, as the engine passes them on."""
    nowhere = [sys.executable, "-I", "-S", plugin.__file__, "random", "4.21.4", str(tmp_path / "providers.sock")]
    said = subprocess.run(nowhere, capture_output=True, text=True, check=False).stderr
    crash = f"Detected that /plugins/pulumi-resource-random exited prematurely.\n  STDERR streams of the plugin:{said}"
    after = "could not read plugin [/plugins/pulumi-resource-random]: exit status 1"
    told = explain("dev", "up", Progress(errors=[("", crash), ("default_4_21_4", after)]), f"error: {crash}", LOG)
    assert isinstance(told, TransientError)
    assert str(told).startswith("stack dev: the sandbox's providers are not running; ./freehold sandbox")


def test_a_provider_host_that_died_is_told_with_its_mend(capsys: pytest.CaptureFixture[str]) -> None:
    plugin.fail("the sandbox's providers have stopped")
    told = explain("dev", "up", Progress(errors=[("", capsys.readouterr().err)]), "", LOG)
    assert isinstance(told, TransientError)
    assert str(told) == "stack dev: the sandbox's providers stopped during the run; run it again: it goes on from there"


def test_a_sandbox_of_another_release_is_told_with_its_mend(capsys: pytest.CaptureFixture[str]) -> None:
    plugin.fail(
        "the sandbox's providers are of another release", "./freehold sandbox stop, then ./freehold sandbox start"
    )
    told = explain("dev", "up", Progress(errors=[("", capsys.readouterr().err)]), "", LOG)
    assert isinstance(told, TransientError)
    assert str(told) == (
        "stack dev: the sandbox is of another release; ./freehold sandbox stop, then ./freehold sandbox start"
    )


def test_a_sandbox_that_stops_during_the_run_gives_nothing_up() -> None:
    """In the words of the supervisor's answer, as a provider passes them on."""
    said = "aws:elasticache/userGroupAssociation:UserGroupAssociation acme-cache: sandbox: is stopping; ./freehold ..."
    told = explain("dev", "up", Progress(errors=[("acme-cache", said)]), "", LOG)
    assert isinstance(told, TransientError)
    assert str(told).startswith("stack dev: the sandbox's providers are not running; ./freehold sandbox")


def test_a_forgotten_login_is_told_with_its_mend() -> None:
    said = "error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions"
    assert explain("prod", "stack export", Progress(), said, "`pulumi stack export`").line() == (
        "stack prod: no backend is logged in to; "
        "pulumi login s3://<bucket>?region=<region> (docs/deploy.md), or set PULUMI_BACKEND_URL"
    )
