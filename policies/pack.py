"""The table of policies as a CrossGuard pack: what the engine sends as plain properties, findings as its reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyConfigSchema,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError

from policies import rules
from policies.levels import Level
from policies.rules import UNKNOWN, Finding, Planned


class CannotTell(UnknownValueError):
    """What a policy could not judge in preview. The SDK reports it as advisory, whatever the policy's level is."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__(UNKNOWN_STRING_VALUE, [])
        self.message = "; ".join(finding.text() for finding in findings)


def policies(table: Iterable[rules.Policy], level: Level) -> list[Policy]:
    """The table's entries for `pulumi_policy.PolicyPack`."""
    return [_stack_policy(row, level) if row.stack else _resource_policy(row, level) for row in table]


def chosen(row: rules.Policy, configured: Mapping[str, Any]) -> dict[str, Any]:
    """The policy's settings. The engine holds their values against the schema and passes over names that are not in it;
    one that is misspelt would leave a policy laxer than somebody believes. Raises ValueError for one."""
    if strange := sorted(configured.keys() - row.settings.keys()):
        known = ", ".join(sorted(row.settings)) or "none"
        raise ValueError(f"the pack's configuration: {row.name} has no setting {strange[0]!r}; it has {known}")
    return row.defaults() | dict(configured)


def plain(value: Any) -> Any:
    """A value out of the SDK's proxies, which raise where something is unknown, with UNKNOWN in those places."""
    if isinstance(value, Mapping):
        return {key: _item(value, key) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_item(value, index) for index in range(len(value))]
    return value


def _item(container: Any, key: str | int) -> Any:
    try:
        return plain(container[key])
    except UnknownValueError:
        return UNKNOWN


def _report(row: rules.Policy, findings: Iterable[Finding], report: ReportViolation) -> None:
    """Violations first, so that something unknown beside them hides none."""
    unsure = []
    for finding in findings:
        if finding.certain:
            report(f"{finding.text()}; {row.mend}", finding.urn or None)
        else:
            unsure.append(finding)
    if unsure:
        raise CannotTell(unsure)


def _resource_policy(row: rules.Policy, level: Level) -> Policy:
    check = row.resource
    assert check is not None

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if row.types and args.resource_type not in row.types:
            return
        provider = plain(args.provider.props) if args.provider else {}
        planned = Planned(args.resource_type, args.urn, args.name, plain(args.props), provider)
        _report(row, check(planned, chosen(row, args.get_config())), report)

    return ResourceValidationPolicy(
        row.name, row.description, validate, EnforcementLevel(level), _schema(row), remediation_steps=row.mend
    )


def _stack_policy(row: rules.Policy, level: Level) -> Policy:
    check = row.stack
    assert check is not None

    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        planned = [
            Planned(
                resource.resource_type,
                resource.urn,
                resource.name,
                plain(resource.props),
                plain(resource.provider.props) if resource.provider else {},
                links={
                    name: [target.urn for target in targets] for name, targets in resource.property_dependencies.items()
                },
            )
            for resource in args.resources
        ]
        _report(row, check(planned, chosen(row, args.get_config())), report)

    return StackValidationPolicy(
        row.name, row.description, validate, EnforcementLevel(level), _schema(row), remediation_steps=row.mend
    )


def _schema(row: rules.Policy) -> PolicyConfigSchema | None:
    if not row.settings:
        return None
    return PolicyConfigSchema({name: dict(schema) for name, schema in row.settings.items()})
