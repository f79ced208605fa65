"""The images of a product's programs."""

from __future__ import annotations

from collections.abc import Mapping

from catalog import blueprints
from stacks.settings.base import PinnedImage, Settings


class WorkloadSettings(Settings):
    image: PinnedImage


def check_known(blueprint: str, workloads: Mapping[str, WorkloadSettings]) -> None:
    """Raises ValueError where one of `workloads` is none of the blueprint's."""
    known = {workload.name for workload in blueprints.load(blueprint).workloads}
    if unknown := sorted(workloads.keys() - known):
        raise ValueError(f"{blueprint} has no workload {unknown[0]!r}; it has {', '.join(sorted(known))}")
