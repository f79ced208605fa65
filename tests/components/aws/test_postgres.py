"""The database server: who reaches it, what protects it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from components.aws.postgres import Postgres
from tests.components import samples
from tests.components.recording import Secret, declare

INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"


def test_encrypted_private_and_backed_up() -> None:
    recording = declare(lambda: Postgres("postgres", samples.postgres()))
    instance = recording.inputs("aws:rds/instance:Instance")
    assert instance["storageEncrypted"] is True and instance["kmsKeyId"]
    assert instance["publiclyAccessible"] is False
    assert instance["backupRetentionPeriod"] == 7
    assert instance["skipFinalSnapshot"] is False
    assert instance["finalSnapshotIdentifier"] == "chronos-cloud-sandbox-postgres-final-0a1b2c3d"
    parameters = recording.inputs("aws:rds/parameterGroup:ParameterGroup")
    assert {"name": "rds.force_ssl", "value": "1", "applyMethod": "immediate"} in parameters["parameters"]
    rule = recording.inputs(INGRESS)
    assert rule["referencedSecurityGroupId"] == "sg-nodes" and rule["fromPort"] == rule["toPort"] == 5432
    assert not recording.of("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule")


def test_backups_outlive_the_server_and_say_whose_they_are() -> None:
    instance = declare(lambda: Postgres("postgres", samples.postgres())).inputs("aws:rds/instance:Instance")
    assert instance["deleteAutomatedBackups"] is False
    assert instance["copyTagsToSnapshot"] is True


def test_storage_grows_and_minor_versions_come_by_themselves() -> None:
    instance = declare(lambda: Postgres("postgres", samples.postgres())).inputs("aws:rds/instance:Instance")
    assert (instance["allocatedStorage"], instance["maxAllocatedStorage"]) == (20, 50)
    assert instance["autoMinorVersionUpgrade"] is True


@pytest.mark.parametrize("protect", [False, True])
def test_protection_by_the_engine_and_by_the_cloud(protect: bool) -> None:
    recording = declare(lambda: Postgres("postgres", samples.postgres(protect=protect)))
    instance = recording.one("aws:rds/instance:Instance")
    assert instance.protect is protect
    assert instance.plain()["deletionProtection"] is protect
    assert recording.one("aws:kms/key:Key").protect is protect
    assert recording.inputs("aws:secretsmanager/secret:Secret")["recoveryWindowInDays"] == (30 if protect else 0)


def test_operators_connect_where_they_are_named() -> None:
    args = replace(samples.postgres(), client_cidrs=("10.99.0.0/22",))
    rules = declare(lambda: Postgres("postgres", args)).of(INGRESS)
    assert {rule.plain().get("cidrIpv4") for rule in rules} == {None, "10.99.0.0/22"}
    assert {rule.plain()["fromPort"] for rule in rules} == {5432}


def test_password_is_secret_everywhere() -> None:
    recording = declare(lambda: Postgres("postgres", samples.postgres()))
    password = recording.one("aws:rds/instance:Instance").inputs["password"]
    assert isinstance(password, Secret)
    stored = recording.one("aws:secretsmanager/secretVersion:SecretVersion").inputs["secretString"]
    assert isinstance(stored, Secret)
    assert json.loads(stored.value)["password"] == password.value


def test_what_replaces_the_server_names_its_final_snapshot_anew() -> None:
    def keepers(**changed: Any) -> Any:
        args = replace(samples.postgres(), **changed)
        return declare(lambda: Postgres("postgres", args)).one("random:index/randomId:RandomId").plain()["keepers"]

    assert keepers() == keepers(machine_type="db.m7g.large", storage_gib=40, version="17")
    assert keepers() != keepers(database="other") and keepers() != keepers(identifier="other")
    assert set(keepers()) == {"database", "identifier", "key"}


@pytest.mark.parametrize("asked", [False, True])
def test_a_new_major_version_is_taken_where_it_is_asked_for(asked: bool) -> None:
    args = replace(samples.postgres(protect=True), version="17", major_upgrade=asked)
    instance = declare(lambda: Postgres("postgres", args)).inputs("aws:rds/instance:Instance")
    assert instance["allowMajorVersionUpgrade"] is asked
    # What waits for its window would keep the old parameter group from being deleted.
    assert instance["applyImmediately"] is asked


def test_each_major_version_has_a_parameter_group_of_its_own_family() -> None:
    """Another name: the new group is made before the server takes it, and the old one deleted after."""

    def group(version: str) -> Any:
        args = replace(samples.postgres(), version=version, major_upgrade=True)
        recording = declare(lambda: Postgres("postgres", args))
        found = recording.inputs("aws:rds/parameterGroup:ParameterGroup")
        assert recording.inputs("aws:rds/instance:Instance")["parameterGroupName"] == found["name"]
        return found

    before, after = group("17"), group("18")
    assert (before["family"], after["family"]) == ("postgres17", "postgres18")
    assert before["name"] != after["name"]


def test_logs_are_there_before_the_server_and_outlive_it() -> None:
    recording = declare(lambda: Postgres("postgres", samples.postgres()))
    logs = recording.one("aws:cloudwatch/logGroup:LogGroup")
    assert logs.plain()["name"] == "/aws/rds/instance/chronos-cloud-sandbox-postgres/postgresql"
    assert logs.plain()["retentionInDays"]
    assert logs.urn in recording.one("aws:rds/instance:Instance").dependencies


@pytest.mark.parametrize("topics", [(), ("arn:aws:sns:us-east-1:123456789012:alerts",)])
def test_somebody_is_told_before_the_volume_is_full(topics: tuple[str, ...]) -> None:
    args = replace(samples.postgres(), alarm_topics=topics)
    alarm = declare(lambda: Postgres("postgres", args)).inputs("aws:cloudwatch/metricAlarm:MetricAlarm")
    assert (alarm["namespace"], alarm["metricName"]) == ("AWS/RDS", "FreeStorageSpace")
    assert alarm["dimensions"] == {"DBInstanceIdentifier": "chronos-cloud-sandbox-postgres"}
    assert (alarm["comparisonOperator"], alarm["threshold"]) == ("LessThanThreshold", 2 * 1024**3)
    assert alarm.get("alarmActions", []) == list(topics)
