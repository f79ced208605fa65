"""The policy pack under the real engine, over the stand-ins: what breaks a policy is refused before it is made."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest

from fleet.events import Progress
from fleet.failures import explain
from policies.table import POLICIES
from sandbox.home import CHECKOUT
from tests.rehearsal.engine import EngineProject, Run
from tests.temporary_sandbox import Sandbox

pytestmark = pytest.mark.sandbox

PACK = ("--policy-pack", str(CHECKOUT / "policies"))
SECRET = "unmistakable-master-password"

BREAKS_ALL = f"""
    import pulumi
    import pulumi_aws as aws
    import pulumi_kubernetes as k8s

    bucket = aws.s3.Bucket("bucket", bucket=f"open-{{pulumi.get_project()}}")
    aws.ec2.SecurityGroup("group", ingress=[
        aws.ec2.SecurityGroupIngressArgs(protocol="tcp", from_port=22, to_port=22, cidr_blocks=["0.0.0.0/0"])])
    aws.rds.Instance("database", engine="postgres", instance_class="db.t4g.micro", allocated_storage=20,
                     username="admin_user", password=pulumi.Output.secret("{SECRET}"), publicly_accessible=True,
                     skip_final_snapshot=True)
    # The sandbox's Redis refuses to go without TLS; that it would also serve clients without is enough.
    aws.elasticache.ReplicationGroup("cache", description="half in clear", engine="redis", node_type="cache.t4g.micro",
                                     transit_encryption_enabled=True, transit_encryption_mode="preferred")
    k8s.core.v1.Namespace("space", metadata={{"name": f"t-{{pulumi.get_project()}}--main"}})
"""

COMPLIANT = """
    import pulumi
    import pulumi_aws as aws
    import pulumi_kubernetes as k8s

    tags = {"product": "chronos", "environment": "prod", "cost-centre": "platform", "managed-by": "freehold"}
    topic = aws.sns.Topic("alerts", tags=tags)
    aws.sns.TopicSubscription("finance", topic=topic.arn, protocol="email", endpoint="finance@example.com")
    bucket = aws.s3.Bucket("bucket", tags=tags)
    aws.s3.BucketPublicAccessBlock("block", bucket=bucket.bucket, block_public_acls=True, block_public_policy=True,
                                   ignore_public_acls=True, restrict_public_buckets=True)
    address = aws.ec2.Eip("address", domain="vpc", tags=tags)
    aws.ec2.SecurityGroup("group", tags=tags, ingress=[
        aws.ec2.SecurityGroupIngressArgs(protocol="tcp", from_port=443, to_port=443, cidr_blocks=["0.0.0.0/0"]),
        aws.ec2.SecurityGroupIngressArgs(protocol="tcp", from_port=22, to_port=22,
                                         cidr_blocks=[address.public_ip.apply(lambda ip: f"{ip}/32")])])
    aws.budgets.Budget("budget", budget_type="COST", limit_amount="100", limit_unit="USD", time_unit="MONTHLY",
        tags=tags, notifications=[
            aws.budgets.BudgetNotificationArgs(
                comparison_operator="GREATER_THAN", notification_type=kind, threshold=100,
                threshold_type="PERCENTAGE", subscriber_sns_topic_arns=[topic.arn])
            for kind in ("ACTUAL", "FORECASTED")])
    labels = {f"freehold.dev/{key}": tags[key] for key in ("product", "environment", "cost-centre")}
    space = k8s.core.v1.Namespace("space", metadata={
        "name": f"t-{pulumi.get_project()}--main", "labels": {**labels, "app.kubernetes.io/managed-by": "freehold"}})
    inside = {"namespace": space.metadata.name}
    k8s.core.v1.ResourceQuota("quota", metadata=inside, spec={
        "hard": {"pods": "5", "limits.cpu": "2", "limits.memory": "2Gi"}})
    k8s.networking.v1.NetworkPolicy("deny", metadata=inside, spec={
        "podSelector": {}, "policyTypes": ["Ingress", "Egress"]})
"""

Start = Callable[[str], EngineProject]


@pytest.fixture(scope="module")
def kubeconfig(sandbox: Sandbox) -> Iterator[str]:
    cluster = sandbox.supervisor.create_cluster("policies", "1.35")
    yield str(cluster.admin_kubeconfig)
    sandbox.supervisor.delete_cluster(cluster.name)


@pytest.fixture
def start(sandbox: Sandbox, kubeconfig: str, tmp_path: Path) -> Iterator[Start]:
    """Makes a project with a stack of the name; all are destroyed at the end."""
    made: list[EngineProject] = []
    environment = {**sandbox.environment, "KUBECONFIG": kubeconfig}

    def begin(stack: str) -> EngineProject:
        # The sandbox's backend is shared: the name is this test's own.
        name = f"policies-{uuid.uuid4().hex[:8]}"
        made.append(EngineProject(environment, tmp_path / name, name=name, stack=stack))
        return made[-1]

    yield begin
    for project in made:
        project.clear()


def reports(run: Run, level: str) -> dict[str, list[str]]:
    """Policy -> messages, of the reports at one level."""
    found: dict[str, list[str]] = {}
    for event in run.events:
        report = event.get("policyEvent")
        if report and report["enforcementLevel"] == level:
            found.setdefault(report["policyName"], []).append(report["message"])
    return found


def _told(run: Run) -> str:
    """What `./freehold` would say of the run."""
    progress = Progress()
    for event in run.events:
        progress.take(event)
    return explain("prod", "up", progress, run.stdout + run.stderr, "").line()


def test_a_stack_that_breaks_policies_is_refused_before_anything_is_made(sandbox: Sandbox, start: Start) -> None:
    project = start("prod")
    project.program(BREAKS_ALL)
    for operation in (("preview",), ("up", "--yes")):
        run = project._operation(*operation, *PACK)
        assert not run.ok
        assert "refused by policy, nothing was made: " in _told(run)
        assert set(reports(run, "mandatory")) == {row.name for row in POLICIES}
        assert SECRET not in run.stdout + run.stderr + json.dumps(run.events)
    assert project.resources() == {}
    environment = sandbox.environment
    storage = boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
    assert f"open-{project.name}" not in {bucket["Name"] for bucket in storage.list_buckets()["Buckets"]}


def test_a_compliant_stack_is_made(start: Start) -> None:
    project = start("prod")
    preview = project.preview(COMPLIANT, *PACK).expect_ok()
    assert reports(preview, "mandatory") == {}
    # The address of the gateway is not known before it is made: told, and not passed silently.
    (message,) = reports(preview, "advisory")["security-group-no-world-ingress"]
    assert "cannot be told before creation" in message
    made = project.up(None, *PACK).expect_ok()
    assert reports(made, "mandatory") == reports(made, "advisory") == {}
    again = project.preview(None, *PACK).expect_ok()
    assert again.changes == {"same": made.changes["create"]}
    assert reports(again, "mandatory") == reports(again, "advisory") == {}


def test_what_was_unknown_in_preview_is_refused_when_it_is_known(start: Start) -> None:
    project = start("prod")
    opened = COMPLIANT.replace('f"{ip}/32"', '"0.0.0.0/0"')
    assert reports(project.preview(opened, *PACK).expect_ok(), "mandatory") == {}
    run = project.up(None, *PACK)
    assert not run.ok
    assert set(reports(run, "mandatory")) == {"security-group-no-world-ingress"}
    assert "address" in project.resources()
    assert "group" not in project.resources()
    assert "amid the update, what was made by then stays: group breaks security-group-" in _told(run)


def test_levels_by_environment_and_by_configuration(start: Start, tmp_path: Path) -> None:
    project = start("dev")
    run = project.preview(BREAKS_ALL, *PACK).expect_ok()
    assert reports(run, "mandatory") == {}
    assert set(reports(run, "advisory")) == {row.name for row in POLICIES}
    settings = tmp_path / "levels.json"
    settings.write_text(
        json.dumps(
            {
                "all": "disabled",
                "rds-private": "mandatory",
                "security-group-no-world-ingress": {"enforcementLevel": "mandatory", "ports": [22, 443]},
            }
        )
    )
    strict = project.preview(None, *PACK, "--policy-pack-config", str(settings))
    assert not strict.ok
    assert set(reports(strict, "mandatory")) == {"rds-private"}
    assert reports(strict, "advisory") == {}
    settings.write_text(json.dumps({"security-group-no-world-ingress": {"ports": ["https"]}}))
    wrong = project.preview(None, *PACK, "--policy-pack-config", str(settings))
    assert not wrong.ok
    assert "ports" in wrong.stdout + wrong.stderr
