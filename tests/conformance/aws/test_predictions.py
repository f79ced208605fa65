"""What a preview of an update tells, which whatever depends on the resource is planned by."""

from __future__ import annotations

from sandbox.providers.aws.provider import AwsProvider
from sandbox.providers.interface import Properties, Resource
from tests.conformance.aws.test_refusals import ENVIRONMENT

INSTANCE = "aws:rds/instance:Instance"


def test_what_is_asked_for_as_before_stays_as_it_is() -> None:
    """Another port here than the one that was asked for: the passwords' secrets would be replaced by every update."""
    provider = AwsProvider()
    provider.configure({}, ENVIRONMENT)
    resource = Resource(f"urn:pulumi:s::p::{INSTANCE}::main", INSTANCE, "main")
    before: Properties = {"identifier": "main", "port": 5432, "backupRetentionPeriod": 7}
    outputs: Properties = {**before, "port": 23075, "endpoint": "127.0.0.1:23075"}
    now: Properties = {**before, "backupRetentionPeriod": 9}
    planned = provider.update(resource, "main", before, outputs, now, preview=True, timeout=0)
    assert planned["backupRetentionPeriod"] == 9
    assert (planned["port"], planned["endpoint"]) == (23075, "127.0.0.1:23075")
    moved = provider.update(resource, "main", before, outputs, {**now, "port": 6000}, preview=True, timeout=0)
    assert moved["port"] == 6000
