"""What a function may reach, and who may reach it."""

from __future__ import annotations

from components.aws.function_guard import FunctionGuard
from tests.components import samples
from tests.components.recording import declare

INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"


def test_it_lets_nobody_in_and_goes_out_to_the_database_and_by_tls() -> None:
    recording = declare(lambda: FunctionGuard("guard", samples.function_guard()))
    assert not recording.of(INGRESS)
    out = [one.plain() for one in recording.of("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule")]
    assert {(one["cidrIpv4"], one["fromPort"], one["toPort"]) for one in out} == {
        ("10.10.252.0/22", 5432, 5432),
        ("0.0.0.0/0", 443, 443),
    }


def test_its_role_goes_after_the_group() -> None:
    """As that role Lambda takes the function's interfaces off the network, and with them they leave the group. Without
    the role both would stay."""
    recording = declare(lambda: FunctionGuard("guard", samples.function_guard()))
    attaches = recording.one("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
    assert attaches.urn in recording.one("aws:ec2/securityGroup:SecurityGroup").dependencies
    assert recording.one("aws:iam/role:Role").urn in attaches.dependencies
