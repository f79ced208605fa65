"""What CloudFormation and Cloud Control make for a stack: the plan holds the text of it at most, and no resource."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final

from policies.rules import UNKNOWN, Finding, Findings, Planned, ResourceCheck, Settings, StackCheck

CONTROL: Final = "aws:cloudcontrol/resource:Resource"
TYPES: Final = frozenset({CONTROL, "aws:cloudformation/stack:Stack", "aws:cloudformation/stackSet:StackSet"})
_ELSEWHERE: Final = ("AWS::CloudFormation::", "AWS::Include", "::MODULE", "Transform")
"""By which a template makes what it does not say: nested stacks, macros, modules."""


def beside(check: ResourceCheck, *kinds: str) -> ResourceCheck:
    """`check`, and for `TYPES` that it cannot be told of what they make, where that may be of one of these kinds: how
    CloudFormation's names begin (`AWS::RDS::DB`)."""

    def both(resource: Planned, settings: Settings) -> Findings:
        return _unseen(resource, kinds) if resource.type in TYPES else check(resource, settings)

    return both


def beside_stack(check: StackCheck, *kinds: str) -> StackCheck:
    """The same of a policy that looks at the stack."""

    def both(resources: Sequence[Planned], settings: Settings) -> Findings:
        unseen = (_unseen(resource, kinds) for resource in resources if resource.type in TYPES)
        return chain(check(resources, settings), *unseen)

    return both


def _unseen(resource: Planned, kinds: Sequence[str]) -> Iterator[Finding]:
    properties = resource.properties
    if resource.type == CONTROL:
        path, text, marks = "typeName", properties.get("typeName"), kinds
    elif properties.get("templateUrl") not in (None, ""):
        path, text, marks = "templateUrl", UNKNOWN, kinds
    else:
        path, text, marks = "templateBody", properties.get("templateBody"), (*kinds, *_ELSEWHERE)
    if text is UNKNOWN or any(mark in str(text) for mark in marks):
        reason = f"{resource.name} may make what this policy is about, and what it makes is in no plan"
        yield Finding(path, reason, certain=False, urn=resource.urn)
