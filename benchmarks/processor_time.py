"""Where the processors' time goes: seconds by what a process is, over all processes below some roots."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

import psutil

_Found = Mapping[int, tuple[psutil.Process, int, float]]
"""By a process' number: itself, its parent's, its seconds until now."""

_PAUSE_SECONDS = 0.2
_ROLES: Mapping[str, Callable[[str], bool]] = {
    "engine": lambda line: line.startswith("pulumi ") or "/pulumi " in line,
    "policy pack": lambda line: "policy" in line,
    "pip list": lambda line: " pip " in f"{line} " and " list" in line,
    "language host": lambda line: "pulumi-language-python" in line and "pulumi-language-python-exec" not in line,
    "program": lambda line: "pulumi-language-python-exec" in line,
    "program (imported once, forked)": lambda line: "fleet.program_host" in line,
    "runner": lambda line: "fleet.runner" in line,
    "providers": lambda line: "sandbox.providers" in line or "pulumi-resource-" in line,
    "AWS endpoint": lambda line: "sandbox.processes" in line or "moto" in line,
    "Kubernetes": lambda line: any(name in line for name in ("kube-", "etcd", "kwok")),
    "Postgres": lambda line: line.startswith("postgres") or "/postgres" in line,
    "Redis": lambda line: "redis-server" in line,
    "supervisor": lambda line: "sandbox.supervisor" in line,
}
"""What a process is by its command line; the first that matches."""


def role(line: str) -> str:
    """What the process with this command line is."""
    return next((name for name, matches in _ROLES.items() if matches(line)), "other")


class Profile:
    """Adds up the time of `roots` and of all that descends from them while it is entered.

    It looks a few times a second, so what a process does after the last look at it is missed: read it as a lower bound.
    `busy` is the time that this machine's processors were at work, for whomever, and misses nothing.
    """

    def __init__(self, roots: Sequence[int]) -> None:
        self._roots = list(roots)
        self._before: dict[tuple[int, float], float] = {}
        self._now: dict[tuple[int, float], tuple[str, float]] = {}
        self.busy = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._look()
        self._before = {key: seconds for key, (_, seconds) in self._now.items()}
        self.busy = -_busy()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.busy += _busy()
        self._over.set()
        self._thread.join()
        self._look()

    def watch(self, root: int) -> None:
        """One more, which was started since."""
        self._roots.append(root)

    @property
    def seconds(self) -> Mapping[str, float]:
        """By what a process is."""
        total: dict[str, float] = defaultdict(float)
        for key, (line, seconds) in self._now.items():
            total[role(line)] += seconds - self._before.get(key, 0.0)
        return total

    def _watch(self) -> None:
        while not self._over.wait(_PAUSE_SECONDS):
            self._look()

    def _look(self) -> None:
        found: dict[int, tuple[psutil.Process, int, float]] = {}
        for process in psutil.process_iter():
            with suppress(psutil.Error), process.oneshot():
                times = process.cpu_times()
                found[process.pid] = process, process.ppid(), times.user + times.system
        for process, _, seconds in self._descended(found):
            with suppress(psutil.Error):
                # Read each time: what a process is changes with its `exec`.
                if line := " ".join(process.cmdline()):
                    self._now[process.pid, process.create_time()] = line, seconds

    def _descended(self, found: _Found) -> Iterator[tuple[psutil.Process, int, float]]:
        """Of `found`, the roots and what descends from them."""
        ours: dict[int, bool] = {0: False} | dict.fromkeys(self._roots, True)

        def is_ours(pid: int) -> bool:
            if pid not in ours:
                ours[pid] = pid in found and is_ours(found[pid][1])
            return ours[pid]

        return (one for pid, one in found.items() if is_ours(pid))


def _busy() -> float:
    times = psutil.cpu_times()
    idle: float = times.idle + times.iowait + times.steal
    return sum(times) - idle - times.guest - times.guest_nice  # a guest's time is in `user` too
