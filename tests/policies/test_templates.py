from __future__ import annotations

import json
from typing import Any

import pytest

from policies.rules import UNKNOWN
from tests.policies.plans import findings, planned, undecided

CONTROL = "aws:cloudcontrol/resource:Resource"
TEMPLATES = ["aws:cloudformation/stack:Stack", "aws:cloudformation/stackSet:StackSet"]
KINDS = {
    "bucket-public-access-blocked": ["AWS::S3::Bucket"],
    "rds-encrypted": ["AWS::RDS::DBInstance", "AWS::RDS::DBCluster", "AWS::DocDB::DBCluster", "AWS::Redshift::Cluster"],
    "rds-private": ["AWS::RDS::DBInstance", "AWS::Lightsail::Database", "AWS::NeptuneGraph::Graph"],
    "redis-transit-encryption": ["AWS::ElastiCache::ReplicationGroup", "AWS::MemoryDB::Cluster"],
    "security-group-no-world-ingress": ["AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupIngress"],
}
CASES = [(policy, kind) for policy, kinds in KINDS.items() for kind in kinds]


def template(*kinds: str) -> str:
    return json.dumps({"Resources": {f"It{number}": {"Type": kind} for number, kind in enumerate(kinds)}})


@pytest.mark.parametrize(("policy", "kind"), CASES)
def test_what_a_template_makes_cannot_be_told(policy: str, kind: str) -> None:
    assert undecided(findings(policy, planned(CONTROL, typeName=kind, desiredState="{}")))
    for type in TEMPLATES:
        assert undecided(findings(policy, planned(type, templateBody=template("AWS::SNS::Topic", kind))))


@pytest.mark.parametrize("policy", KINDS)
@pytest.mark.parametrize("type", TEMPLATES)
@pytest.mark.parametrize(
    "properties",
    [
        {"templateUrl": "https://example.com/a.yaml"},
        {"templateUrl": UNKNOWN},
        {"templateBody": UNKNOWN},
        {"templateBody": template("AWS::CloudFormation::Stack")},
        {"templateBody": "Transform: AWS::Serverless-2016-10-31"},
    ],
    ids=str,
)
def test_nor_what_a_template_does_not_say(policy: str, type: str, properties: dict[str, Any]) -> None:
    assert undecided(findings(policy, planned(type, **properties)))


@pytest.mark.parametrize("policy", KINDS)
def test_other_templates_are_left_alone(policy: str) -> None:
    for type in TEMPLATES:
        assert findings(policy, planned(type, templateBody=template("AWS::SNS::Topic"), templateUrl="")) == []
        assert findings(policy, planned(type)) == []
    assert findings(policy, planned(CONTROL, typeName="AWS::SNS::Topic")) == []
    assert undecided(findings(policy, planned(CONTROL, typeName=UNKNOWN)))
