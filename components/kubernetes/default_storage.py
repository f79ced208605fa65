"""The disks that workloads get when they ask for a volume."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.storage import v1

from components import tags
from components.tags import Ownership

NAME = "encrypted"


@dataclass(frozen=True)
class DefaultStorageArgs:
    ownership: Ownership
    provisioner: str
    """The cluster's storage driver."""
    parameters: Mapping[str, str]
    """What the driver takes: kind of disk, encryption, marks."""


class DefaultStorage(pulumi.ComponentResource):
    """The StorageClass of every claim that names none: without one such a claim stays pending for ever.

    A disk is made where its pod was placed (a disk lives in one zone), may grow, and goes with its claim.
    https://kubernetes.io/docs/concepts/storage/storage-classes/
    """

    storage_class: pulumi.Output[str]

    def __init__(self, name: str, args: DefaultStorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:kubernetes:DefaultStorage", name, None, opts)
        made = v1.StorageClass(
            f"{name}-class",
            metadata={
                "name": NAME,
                "labels": tags.kubernetes(args.ownership),
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            provisioner=args.provisioner,
            parameters=dict(args.parameters),
            volume_binding_mode="WaitForFirstConsumer",
            reclaim_policy="Delete",
            allow_volume_expansion=True,
            # A class is never changed in place, and its name is fixed. Volumes that it made stay as they are.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        self.storage_class = made.metadata.apply(lambda metadata: str(metadata["name"]))
        self.register_outputs({"storage_class": self.storage_class})
