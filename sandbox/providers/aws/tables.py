"""Every AWS type that the stand-in serves, and the operations they call."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.providers.aws import ec2_network, invokes
from sandbox.providers.aws.table import AwsType

TABLE: tuple[AwsType, ...] = (*ec2_network.TYPES,)


def _operations() -> Mapping[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = dict(invokes.OPERATIONS)
    for entry in TABLE:
        if entry.service:
            found[entry.service] = found.get(entry.service, frozenset()) | entry.operation_names()
    return found


OPERATIONS = _operations()
"""Service -> operations: what its model is cut down to."""
