"""What there is after an `up`, and what `status` shows: state, registry and live services side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from rich.console import Console

from cli import activity
from cli.live import Line, Live, Namespace, look
from cli.output import console, spell
from errors import FreeholdError
from fleet.counting import counted
from fleet.environments import Environment
from fleet.events import Violation
from fleet.outcomes import Outcome
from fleet.registry import Registry, Tenant
from fleet.state import StackState
from stacks.contract import PlatformContract

Json = Any

_QUOTA = ("limits.cpu", "limits.memory", "pods")


@dataclass(frozen=True)
class Policies:
    """What the policies said of an environment's stacks, each when it was run last."""

    checked: Sequence[str]
    resources: int
    violations: Sequence[Violation]

    @classmethod
    def of(cls, outcomes: Iterable[Outcome]) -> Policies:
        runs = list(outcomes)
        checked = {name for run in runs for name in run.checked}
        return cls(sorted(checked), sum(run.analysed for run in runs), [one for run in runs for one in run.violations])

    def __str__(self) -> str:
        checked = counted(len(self.checked), "policy", "policies")
        said = f"{checked} over {counted(self.resources, 'resource')}, {counted(len(self.violations), 'violation')}"
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
    tenants: Sequence[Tenant] | None
    """None where the registry was not opened."""
    changes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By stack; empty for `status`, which changes nothing."""
    policies: Policies | None = None
    activity: Sequence[Line] = ()
    events: Sequence[Line] = ()
    """What came of a rehearsal's events."""
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether every service answered and is as it should be."""
        return not self._wrong

    @property
    def _wrong(self) -> Sequence[Line]:
        return [line for line in (*self.live.lines, *self.activity, *self.events) if not line.ok]

    def failure(self, *, as_json: bool) -> FreeholdError:
        """The error where it is not `ok`: it points at what was shown, which in JSON has no marks."""
        names = ", ".join(line.what for line in self._wrong)
        mend = f'see the entries with "ok": false: {names}' if as_json else "see the lines marked with ! above"
        what = "not everything answered as it should"
        return FreeholdError(what, where=f"environment {self.environment}", mend=mend)

    def as_json(self) -> Json:
        content = {
            "environment": self.environment,
            "target": self.target,
            "account": self.account,
            "region": self.region,
            "resources": self.resources,
            "components": dict(self.components),
            "live": [asdict(line) for line in self.live.lines],
            "activity": [asdict(line) for line in self.activity],
            "tenants": [
                {
                    **tenant.model_dump(mode="json"),
                    "namespaces": [asdict(one) for one in self.live.namespaces.get(tenant.id, ())],
                }
                for tenant in self.tenants
            ]
            if self.tenants is not None
            else None,
            "ok": self.ok,
        }
        if self.policies is not None:
            content["changes"] = {stack: dict(changes) for stack, changes in self.changes.items()}
            content["policies"] = asdict(self.policies)
            content["events"] = [asdict(one) for one in self.events]
            content["seconds"] = {name: round(value, 2) for name, value in self.seconds.items()}
        return content


def collect(
    environment: Environment,
    state: StackState,
    contract: PlatformContract,
    database: sa.Engine | None,
    changed: Mapping[str, Outcome] = MappingProxyType({}),
    unchanged: Sequence[Outcome] = (),
) -> Summary:
    """Read everything now; without a database what can be seen from outside the network. `changed` are the runs of this
    `up` by stack, `unchanged` earlier ones that still hold."""
    return Summary(
        environment=environment.cell,
        target=environment.target,
        account=contract.account,
        region=contract.region,
        components=state.by_component(),
        resources=len(state.managed),
        live=look(contract, environment.engine, inside=database is not None),
        activity=[activity.outside(environment)] if database is None else activity.look(database, environment),
        tenants=None if database is None else Registry(database).list(cell=environment.cell),
        changes={stack: outcome.changes for stack, outcome in changed.items()},
        policies=Policies.of([*changed.values(), *unchanged]) if changed else None,
    )


def show(summary: Summary) -> None:
    """For a person. Each fact is followed by the ordinary command that shows the same."""
    out = console()
    cell = summary.environment

    def command(text: str) -> None:
        out.print(f"      $ {text}", style="dim", markup=False)

    out.print(
        f"\nEnvironment {cell} ({summary.target}), account {summary.account}, region {summary.region}", style="bold"
    )
    out.print(
        f"\n  {counted(summary.resources, 'resource')}: " + ", ".join(f"{n} {c}" for n, c in summary.components.items())
    )
    command(f"pulumi stack -s {cell}")
    for line in (*summary.live.lines, *summary.activity):
        _show_line(line, out, command)
    if summary.tenants is not None:
        out.print(f"\n  {counted(len(summary.tenants), 'tenant')} in the registry")
        command(f"{activity.psql(summary.target)} -c 'select id, plan, status from tenants'")
    for tenant in summary.tenants or ():
        _show_tenant(tenant, summary.live, out, command)
    if summary.policies is not None:
        out.print(f"\n  policies: {summary.policies}", markup=False)
        command(f"pulumi preview -s {cell} --policy-pack policies")
    for line in summary.events:
        _show_line(line, out, command)
    if summary.seconds:
        out.print("\n  took: " + ", ".join(f"{name} {spell(value)}" for name, value in summary.seconds.items()))
    if summary.changes:
        _show_changes(summary)


def _show_line(line: Line, out: Console, command: Callable[[str], None]) -> None:
    mark = " " if line.ok else "!"
    out.print(f"{mark} {line.what}: {line.value}", style=None if line.ok else "red", markup=False)
    command(line.command)


def _show_tenant(tenant: Tenant, live: Live, out: Console, command: Callable[[str], None]) -> None:
    out.print(f"  {tenant.id}: plan {tenant.plan} ({tenant.tier}), {tenant.status}", markup=False)
    if tenant.last_error:
        out.print(f"    {tenant.last_error}", style="red", markup=False)
    for namespace in live.namespaces.get(tenant.id, ()):
        out.print(f"    namespace {namespace.name}: {_quota(namespace)}", markup=False)
        command(f"kubectl -n {namespace.name} get resourcequota")


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


def _quota(namespace: Namespace) -> str:
    """`cpu 100m of 2, memory 128Mi of 2Gi, pods 1 of 10`: used, and what the quota allows."""
    parts = [
        f"{name.removeprefix('limits.')} {namespace.used.get(name, '0')} of {namespace.hard[name]}"
        for name in _QUOTA
        if name in namespace.hard
    ]
    return ", ".join(parts) or "no quota"
