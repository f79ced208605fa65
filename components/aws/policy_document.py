"""Policy documents, as IAM and the services that take policies read them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

Statement = Mapping[str, Any]
"""`Sid`, `Effect`, `Principal`, `Action`, `Resource`, `Condition`; outputs may be within."""


def policy_document(*statements: Statement) -> pulumi.Output[str]:
    """A policy of these statements, as JSON."""
    return pulumi.Output.json_dumps(_document(statements))


def assumed_by(service: str, condition: Mapping[str, Any] | None = None) -> str:
    """The trust policy of a role that a service takes, such as `ec2.amazonaws.com`."""
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    if condition is not None:
        statement["Condition"] = condition
    return json.dumps(_document([statement]))


def _document(statements: Sequence[Statement]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}
