"""The disks of a cluster on EKS."""

from __future__ import annotations

from components import tags
from components.contracts.disks import DiskDriver
from components.tags import Ownership


def disks(ownership: Ownership) -> DiskDriver:
    """EBS volumes of kind gp3, encrypted by the account's key for EBS, marked like everything else.

    Encryption is asked for here: the account's setting that does it by default belongs to no single stack.
    https://github.com/kubernetes-sigs/aws-ebs-csi-driver/blob/master/docs/parameters.md and, for the marks, tagging.md
    """
    marks = enumerate(sorted(tags.aws(ownership).items()), start=1)
    return DiskDriver(
        provisioner="ebs.csi.aws.com",
        parameters={
            "type": "gp3",
            "encrypted": "true",
            **{f"tagSpecification_{index}": f"{key}={value}" for index, (key, value) in marks},
        },
    )
