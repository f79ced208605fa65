"""All managed processes: started in the order of their dependencies, stopped in the reverse."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

from errors import FreeholdError
from sandbox.home import Home
from sandbox.supervisor import pidfile
from sandbox.supervisor.messages import ProcessStatus
from sandbox.supervisor.process import ManagedProcess
from sandbox.supervisor.spec import ProcessSpec

_ORPHAN_GRACE_SECONDS = 10.0


class ProcessTable:
    """Processes by name; independent ones start and stop at the same time."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._processes: dict[str, ManagedProcess] = {}
        self._closed = False

    def __getitem__(self, name: str) -> ManagedProcess:
        return self._processes[name]

    def names(self) -> list[str]:
        return list(self._processes)

    def processes(self) -> tuple[ManagedProcess, ...]:
        """As they are now: another thread may look through them while the table changes."""
        return tuple(self._processes.values())

    def status(self) -> tuple[ProcessStatus, ...]:
        return tuple(process.status() for process in self.processes())

    async def end_orphans(self) -> int:
        """End what an earlier, killed supervisor left running; returns how many processes lived."""
        files = list(self._home.run.glob("*.pid"))
        identities = [identity for identity in map(pidfile.read, files) if identity is not None]
        ended = await asyncio.gather(
            *(asyncio.to_thread(identity.end, _ORPHAN_GRACE_SECONDS) for identity in identities)
        )
        for file in files:
            file.unlink(missing_ok=True)
        return sum(ended)

    async def start(self, specs: Iterable[ProcessSpec]) -> None:
        """Start new processes; returns when all are ready, raises the first failure once every one is decided."""
        if self._closed:
            raise FreeholdError("is stopping", where="sandbox", mend="./freehold sandbox start")
        names = []
        for spec in specs:
            self._processes[spec.name] = ManagedProcess(spec, self._home)
            names.append(spec.name)
        outcomes = await asyncio.gather(*(self._start_one(name) for name in names), return_exceptions=True)
        # The failure of a dependency explains those of its dependents, and comes before them in `specs`.
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    def runs(self, name: str) -> bool:
        """Whether there is a process of that name that has neither ended nor is about to."""
        return name in self._processes and self._processes[name].state not in ("failed", "stopping", "stopped")

    async def replace(self, spec: ProcessSpec) -> None:
        """Stop the process of that name and start it as `spec` says; returns when it serves."""
        await self.remove([spec.name])
        await self.start([spec])

    def redefine(self, spec: ProcessSpec) -> None:
        """The process goes on as it is; its next start, after a crash, follows `spec`."""
        self._processes[spec.name].spec = spec

    async def remove(self, names: Collection[str]) -> None:
        """Stop processes, dependents first, and forget them."""
        left = {name: self._processes[name] for name in names if name in self._processes}
        while left:
            needed = {other for process in left.values() for other in process.spec.after}
            free = [name for name in left if name not in needed]
            await asyncio.gather(*(left.pop(name).stop() for name in free))
        for name in names:
            self._processes.pop(name, None)

    async def close(self) -> None:
        """Stop them all, and start none any more, whoever was about to (an update that restarts a server)."""
        self._closed = True
        await self.remove(self.names())

    async def _start_one(self, name: str) -> None:
        process = self._processes[name]
        for needed in process.spec.after:
            await self._processes[needed].ready()
        process.start()
        await process.ready()
