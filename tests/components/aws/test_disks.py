"""The storage class of disks."""

from __future__ import annotations

from components.aws.disks import disks
from tests.components import samples


def test_disks_are_encrypted_and_marked() -> None:
    driver = disks(samples.PLATFORM)
    assert driver.provisioner == "ebs.csi.aws.com"
    assert driver.parameters["type"] == "gp3" and driver.parameters["encrypted"] == "true"
    marks = {value for key, value in driver.parameters.items() if key.startswith("tagSpecification_")}
    assert {"product=chronos-cloud", "managed-by=freehold"} <= marks
