"""What every process of one sandbox shares: its folders, its ports, its certificate authority."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from sandbox.home import Home
from sandbox.processes.certificates import Authority
from sandbox.supervisor.ports import Ports


@dataclass(frozen=True)
class Site:
    home: Home
    ports: Ports

    @cached_property
    def authority(self) -> Authority:
        """Signs for databases, caches and the token webhook; clusters have authorities of their own."""
        return Authority(self.home.certificates / "sandbox", "freehold sandbox")

    def port(self, name: str, variable: str | None = None) -> tuple[int, Callable[[], None]]:
        """The port of process `name`, and the check to make before the process is started on it."""
        return self.ports.assign(name, variable), lambda: self.ports.require_free(name, variable)
