"""What there is after an `up`, and what `status` shows: state, registry and live services side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from cli.live import Live, look
from cli.output import console, show_table, spell
from fleet.engine import Result
from fleet.environments import Environment
from fleet.events import Violation
from fleet.registry import Registry, Tenant
from fleet.state import StackState
from stacks.contract import PlatformContract

Json = Any

_QUOTA = ("limits.cpu", "limits.memory", "pods")


@dataclass(frozen=True)
class Policies:
    """What the policies said in the runs of one `up`."""

    checked: Sequence[str]
    resources: int
    violations: Sequence[Violation]

    @classmethod
    def of(cls, results: Sequence[Result]) -> Policies:
        checked = {name for result in results for name in result.progress.passed | result.progress.failed}
        analysed = {(result.stack, urn) for result in results for urn in result.progress.analysed}
        return cls(sorted(checked), len(analysed), [one for result in results for one in result.progress.violations])

    def __str__(self) -> str:
        said = f"{len(self.checked)} policies over {self.resources} resources, {len(self.violations)} violations"
        return said if not self.violations else f"{said}: {', '.join(sorted({one.policy for one in self.violations}))}"


@dataclass(frozen=True)
class Summary:
    environment: str
    target: str
    account: str
    region: str
    components: Mapping[str, int]
    resources: int
    live: Live
    tenants: Sequence[Tenant]
    changes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By stack; empty for `status`, which changes nothing."""
    policies: Policies | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether every service answered and is as it should be."""
        return all(line.ok for line in self.live.lines)

    def timed(self, seconds: Mapping[str, float]) -> Summary:
        """The same with how long each part took."""
        return replace(self, seconds=seconds)

    def as_json(self) -> Json:
        content = {
            "environment": self.environment,
            "target": self.target,
            "account": self.account,
            "region": self.region,
            "resources": self.resources,
            "components": dict(self.components),
            "live": [asdict(line) for line in self.live.lines],
            "tenants": [
                {
                    **tenant.model_dump(mode="json"),
                    "namespaces": [asdict(one) for one in self.live.namespaces.get(tenant.id, ())],
                }
                for tenant in self.tenants
            ],
            "ok": self.ok,
        }
        if self.policies is not None:
            content["changes"] = {stack: dict(changes) for stack, changes in self.changes.items()}
            content["policies"] = asdict(self.policies)
            content["seconds"] = {name: round(value, 2) for name, value in self.seconds.items()}
        return content


def collect(
    environment: Environment,
    state: StackState,
    contract: PlatformContract,
    registry: Registry,
    results: Sequence[Result] = (),
) -> Summary:
    """Read everything now."""
    return Summary(
        environment=environment.cell,
        target=environment.target,
        account=contract.account,
        region=contract.region,
        components=state.by_component(),
        resources=len(state.managed),
        live=look(contract, environment.engine),
        tenants=registry.list(cell=environment.cell),
        changes={result.stack: result.progress.changes for result in results},
        policies=Policies.of(results) if results else None,
    )


def show(summary: Summary) -> None:
    """For a person. Each line carries the ordinary command that shows the same."""
    out = console()
    cell = summary.environment
    out.print(f"\nEnvironment {cell} ({summary.target}): account {summary.account}, region {summary.region}\n")
    rows = [(name, str(count)) for name, count in summary.components.items()]
    show_table(("component", "resources"), [*rows, ("all", str(summary.resources))], title=f"pulumi stack -s {cell}")
    out.print()
    show_table(
        ("live", "", "the same by hand"),
        [(line.what if line.ok else f"{line.what} !", line.value, line.command) for line in summary.live.lines],
    )
    out.print()
    title = "psql \"$DATABASE_URL\" -c 'select id, plan, status from tenants'"
    show_table(
        ("tenant", "plan", "tier", "status", "namespace", "quota: used of allowed", "the same by hand"),
        [row for tenant in summary.tenants for row in _tenant_rows(tenant, summary.live)],
        title=title,
    )
    if summary.policies is not None:
        out.print(f"\npolicies: {summary.policies}    pulumi preview -s {cell} --policy-pack policies", markup=False)
    if summary.seconds:
        out.print("took: " + ", ".join(f"{name} {spell(value)}" for name, value in summary.seconds.items()))
    if summary.changes:
        _show_changes(summary)


def _show_changes(summary: Summary) -> None:
    changed = {
        stack: sum(count for operation, count in changes.items() if operation not in ("same", "read"))
        for stack, changes in summary.changes.items()
    }
    if not any(changed.values()):
        console().print("\nNothing changed: everything was as the configuration says.")
        return
    told = ", ".join(f"{stack} {count}" for stack, count in changed.items() if count)
    console().print(f"\nChanged resources: {told}.")


def show_next(environment: Environment) -> None:
    """What to try now."""
    lines = [
        'eval "$(./freehold sandbox env)"      # pulumi, kubectl, aws, psql and redis-cli work on it',
        "./freehold tenant create globex --plan starter",
        environment.command("status"),
        "./freehold sandbox stop               # no process stays; `up` goes on from there",
    ]
    console().print("\nNext:\n  " + "\n  ".join(lines), markup=False)


def _tenant_rows(tenant: Tenant, live: Live) -> list[tuple[str, ...]]:
    status = tenant.status if not tenant.last_error else f"{tenant.status}: {tenant.last_error}"
    head = (tenant.id, tenant.plan, str(tenant.tier), status)
    namespaces = live.namespaces.get(tenant.id, ())
    if not namespaces:
        return [(*head, "none", "", f"kubectl get namespace -l freehold.dev/tenant={tenant.id}")]
    return [
        (
            *(head if index == 0 else ("", "", "", "")),
            one.name,
            _quota(one.hard, one.used),
            f"kubectl -n {one.name} get resourcequota",
        )
        for index, one in enumerate(namespaces)
    ]


def _quota(hard: Mapping[str, str], used: Mapping[str, str]) -> str:
    parts = [f"{name.removeprefix('limits.')} {used.get(name, '0')} of {hard[name]}" for name in _QUOTA if name in hard]
    return ", ".join(parts) or "none"
