"""Keys: who administers them, and through which services they are used."""

from __future__ import annotations

from fnmatch import fnmatch
from typing import Any

import pulumi
import pytest

from components.aws.bucket import Bucket
from components.aws.budget_alerts import BudgetAlerts
from components.aws.cluster import Cluster
from components.aws.key import Key, KeyArgs
from components.aws.postgres import Postgres
from components.aws.redis import Redis
from tests.components import samples
from tests.components.every_component import declared
from tests.components.recording import ACCOUNT, declare


def _statements(services: tuple[str, ...]) -> dict[str, Any]:
    args = KeyArgs(samples.PLATFORM, "Samples", "sample", samples.PLACE, services)
    recording = declare(lambda: Key("key", args))
    return {statement["Sid"]: statement for statement in recording.one("aws:kms/key:Key").document()["Statement"]}


def test_the_account_uses_it_through_its_services_only() -> None:
    statements = _statements(("rds", "secretsmanager"))
    use = statements["AccountUsesThroughServices"]
    assert use["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    assert use["Condition"]["StringEquals"] == {
        "kms:CallerAccount": ACCOUNT,
        "kms:ViaService": ["rds.us-east-1.amazonaws.com", "secretsmanager.us-east-1.amazonaws.com"],
    }


def test_who_administers_it_cannot_read_with_it_nor_let_others() -> None:
    administers = _statements(())
    assert set(administers) == {"AccountAdministers"}
    actions = administers["AccountAdministers"]["Action"]
    assert "kms:PutKeyPolicy" in actions or "kms:Put*" in actions
    for forbidden in ("kms:Decrypt", "kms:Encrypt", "kms:CreateGrant", "kms:GenerateDataKey"):
        assert not [a for a in actions if fnmatch(forbidden, a)], forbidden


def test_it_is_rotated_every_year_and_can_be_brought_back_for_a_month() -> None:
    args = KeyArgs(samples.PLATFORM, "Samples", "sample", samples.PLACE, ("s3",))
    key = declare(lambda: Key("key", args)).inputs("aws:kms/key:Key")
    assert (key["enableKeyRotation"], key["rotationPeriodInDays"]) == (True, 365)
    assert key["deletionWindowInDays"] == 30


@pytest.mark.parametrize(
    ("component", "services"),
    [
        (Bucket, {"s3"}),
        (BudgetAlerts, {"sns"}),
        (Postgres, {"rds", "secretsmanager"}),
        (Redis, {"elasticache", "dax", "secretsmanager"}),
    ],
)
def test_each_key_is_for_its_services(component: type[pulumi.ComponentResource], services: set[str]) -> None:
    key = declared(component).one("aws:kms/key:Key")
    use = {s["Sid"]: s for s in key.document()["Statement"]}["AccountUsesThroughServices"]
    assert {name.split(".")[0] for name in use["Condition"]["StringEquals"]["kms:ViaService"]} == services


def test_whoever_creates_a_cluster_may_make_the_grant_that_it_works_by() -> None:
    statements = {s["Sid"]: s for s in declared(Cluster).one("aws:kms/key:Key").document()["Statement"]}
    creation = statements["ClusterCreation"]
    assert creation["Action"] == "kms:CreateGrant"
    # EKS does not support kms:GrantIsForAWSResource in CreateCluster, and calls with the creator's own rights.
    assert creation["Condition"] == {"StringEquals": {"kms:CallerAccount": ACCOUNT}}
