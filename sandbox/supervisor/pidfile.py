"""Which process is ours: a pid alone is reused, a pid with its start time and the boot is not."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from sandbox.files import write_atomically

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class _Stat:
    """What /proc/PID/stat says (proc_pid_stat(5)): fields 3, 6 and 22."""

    state: str
    session: int
    start_ticks: int


class ProcessIdentity(BaseModel):
    """A process for as long as it lives, and never another that was given its number later."""

    model_config = ConfigDict(frozen=True)

    pid: int
    start_ticks: int
    """Clock ticks between boot and its start: independent of the wall clock."""
    boot_id: str
    stop_signal: int = signal.SIGTERM

    @classmethod
    def of(cls, pid: int, stop_signal: int = signal.SIGTERM) -> ProcessIdentity | None:
        """None where no such process lives."""
        stat = _stat(pid)
        if stat is None:
            return None
        return cls(pid=pid, start_ticks=stat.start_ticks, boot_id=boot_id(), stop_signal=stop_signal)

    @classmethod
    def own(cls) -> ProcessIdentity:
        """This process."""
        identity = cls.of(os.getpid())
        assert identity is not None
        return identity

    def is_alive(self) -> bool:
        """A zombie counts as dead: it runs no more and only waits to be reaped."""
        if self.boot_id != boot_id():
            return False
        stat = _stat(self.pid)
        return stat is not None and stat.start_ticks == self.start_ticks and stat.state != "Z"

    def session_members(self) -> list[int]:
        """The processes of the session that it leads or led, itself included.

        A pid is not handed out again while a session of that number has members, so these are its own descendants,
        unless another process has the pid now: then the session is that one's, and nothing here is ours.
        """
        if self.boot_id != boot_id():
            return []
        leader = _stat(self.pid)
        if leader is not None and leader.start_ticks != self.start_ticks:
            return []
        members = []
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                stat = _stat(int(entry.name))
                if stat and stat.session == self.pid and stat.start_ticks >= self.start_ticks and stat.state != "Z":
                    members.append(int(entry.name))
        return members

    def end(self, grace_seconds: float) -> bool:
        """End the process and its session: its stop signal first, SIGKILL after the grace. False if nothing lived."""
        members = self.session_members()
        if not members:
            return False
        if self.is_alive():
            _signal(self.pid, self.stop_signal)
        else:
            for pid in members:
                _signal(pid, signal.SIGTERM)
        deadline = time.monotonic() + grace_seconds
        # The whole of /proc is read only once its leader is gone.
        while (self.is_alive() or self.session_members()) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        while members := self.session_members():
            for pid in members:
                _signal(pid, signal.SIGKILL)
            time.sleep(_POLL_SECONDS)
        return True


def boot_id() -> str:
    return _BOOT_ID.read_text().strip()


def read(path: Path) -> ProcessIdentity | None:
    """The identity in a pid file; None where there is none, or one that was cut short by a full disk or a power cut."""
    try:
        return ProcessIdentity.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def write(path: Path, identity: ProcessIdentity) -> None:
    write_atomically(path, identity.model_dump_json().encode(), 0o644)


def _stat(pid: int) -> _Stat | None:
    try:
        with open(f"/proc/{pid}/stat") as file:
            text = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name, in parentheses, may hold anything: the fields follow its last parenthesis.
    fields = text.rpartition(")")[2].split()
    return _Stat(state=fields[0], session=int(fields[3]), start_ticks=int(fields[19]))


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
