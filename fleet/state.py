"""What a stack's state says, read once: from the file backend's own file, or by `pulumi stack export`."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from errors import FreeholdError, TransientError
from fleet.counting import counted
from fleet.events import Progress
from fleet.failures import explain
from fleet.state_files import after_last_update, history, last_copy, local_backend, state_path, stored
from sandbox.files import unreadable

Json = Any

_PROVIDER = "pulumi:providers:"
_EXPORT_SECONDS = 120
_LOG = "`pulumi stack export`"


@dataclass(frozen=True)
class PendingOperation:
    """An operation that the engine began and whose end it did not see. `kind` is creating, updating, deleting, ..."""

    kind: str
    urn: str


@dataclass(frozen=True)
class StackState:
    """A stack's checkpoint; secrets in it stay encrypted."""

    resources: tuple[Mapping[str, Json], ...] = ()
    pending: tuple[PendingOperation, ...] = ()

    @classmethod
    def of_deployment(cls, deployment: Mapping[str, Json] | None) -> Self:
        content = deployment or {}
        operations = content.get("pending_operations") or ()
        return cls(
            tuple(content.get("resources") or ()),
            tuple(PendingOperation(str(op["type"]), str(op["resource"]["urn"])) for op in operations),
        )

    @property
    def outputs(self) -> Mapping[str, Json]:
        """The stack's outputs; a secret one is the engine's envelope around its ciphertext."""
        for resource in self.resources:
            if resource["type"] == "pulumi:pulumi:Stack":
                outputs: Mapping[str, Json] = resource.get("outputs") or {}
                return outputs
        return {}

    @property
    def managed(self) -> tuple[Mapping[str, Json], ...]:
        """The resources that stand for something real: no components, no providers."""
        return tuple(r for r in self.resources if r.get("custom") and not r["type"].startswith(_PROVIDER))

    @property
    def protected(self) -> tuple[str, ...]:
        """The URNs of what the engine refuses to delete."""
        return tuple(dict.fromkeys(str(r["urn"]) for r in self.resources if r.get("protect")))

    def ids(self, urn: str) -> frozenset[str]:
        """The ids of what exists under this URN, of one that waits for its deletion too.

        One that was deleted to be replaced (`pendingReplacement`) is gone, and its successor may have the same id.
        """
        there = (r for r in self.resources if r["urn"] == urn and not r.get("pendingReplacement"))
        return frozenset(str(r["id"]) for r in there if r.get("id"))

    def by_component(self) -> dict[str, int]:
        """How many resources each top-level component holds, by its name and kind, in the order of the program."""
        parents = {r["urn"]: r.get("parent", "") for r in self.resources}
        kinds = {r["urn"]: r["type"] for r in self.resources}
        counts: Counter[str] = Counter()
        for resource in self.managed:
            urn = resource["urn"]
            while (parent := parents.get(urn, "")) and kinds.get(parent) != "pulumi:pulumi:Stack":
                urn = parent
            name, kind = urn.rsplit("::", 1)[-1], kinds[urn].rsplit(":", 1)[-1]
            counts[f"{name} ({kind})"] += 1
        return dict(counts)


def read_state(project: str, stack: str, environment: Mapping[str, str], workdir: Path) -> StackState | None:
    """The state of a stack, None where there is no such stack.

    From the file backend this costs no run of the CLI; from any other it costs one (about 0.4 s).
    """
    backend = local_backend(environment)
    if backend is None:
        return _exported(stack, environment, workdir)
    path = state_path(backend, project, stack)
    try:
        return _within(path)
    except FileNotFoundError:
        # It may have become the other form since it was looked for.
        moved = state_path(backend, project, stack) != path
        return read_state(project, stack, environment, workdir) if moved else None
    except OSError as error:
        raise unreadable(path, error) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        copy, backups = last_copy(backend, project, stack), f"{backend}/.pulumi/backups"
        mend = f"restore it from {copy.name} or from {backups}" if copy else f"restore it from {backups}"
        raise FreeholdError(f"the state is damaged ({error})", where=str(path), mend=mend) from None


def refuse_lost(project: str, stack: str, environment: Mapping[str, str]) -> None:
    """For a stack that has no state: raises FreeholdError where it had one, by the history that goes with `stack rm`
    alone. Made anew it would make everything once more, and nothing would hold what there is."""
    backend = local_backend(environment)
    if backend is None or (last := after_last_update(backend, project, stack)) is None:
        return
    try:
        there = len(_within(last).managed)
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        there = None  # it had one all the same
    if there == 0:
        return
    whole = (None if there is None else last, last_copy(backend, project, stack))
    copies = sorted((path for path in whole if path is not None), key=lambda path: path.stat().st_mtime_ns)
    copy = copies[-1] if copies else f"the last of {backend}/.pulumi/backups"
    held = "its state is gone" if there is None else f"its state is gone, which held {counted(there, 'resource')}"
    path, folder = state_path(backend, project, stack), history(backend, project, stack)
    mend = f"copy {copy} there; only if nothing of it exists any more, remove {folder}"
    raise FreeholdError(held, where=str(path), mend=mend)


def _within(path: Path) -> StackState:
    content = json.loads(stored(path))
    return StackState.of_deployment(content["checkpoint"].get("latest"))


def _exported(stack: str, environment: Mapping[str, str], workdir: Path) -> StackState | None:
    command = ["pulumi", "--non-interactive", "stack", "export", "--stack", stack]
    try:
        run = subprocess.run(
            command, cwd=workdir, env=dict(environment), capture_output=True, text=True, timeout=_EXPORT_SECONDS
        )
    except subprocess.TimeoutExpired:
        what = f"its state was not read within {_EXPORT_SECONDS} s"
        raise TransientError(what, where=f"stack {stack}", mend=f"see {_LOG}") from None
    if run.returncode == 0:
        return StackState.of_deployment(json.loads(run.stdout).get("deployment"))
    if "no stack named" in run.stderr:
        return None
    raise explain(stack, "stack export", Progress(), run.stderr or f"error: exit code {run.returncode}", _LOG)
