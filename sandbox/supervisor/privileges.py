"""How a managed process is started: as whom, and bound to the supervisor's life."""

from __future__ import annotations

import functools
import os
import pwd
import shutil
from contextlib import suppress
from pathlib import Path

from errors import FreeholdError
from sandbox.supervisor.spec import ProcessSpec

_USER = "nobody"


@functools.cache
def unprivileged_user() -> pwd.struct_passwd | None:
    """Under root, the user for programs that refuse to run as root (Postgres); None where we are not root."""
    return pwd.getpwnam(_USER) if os.geteuid() == 0 else None


def own(path: Path) -> None:
    """Give a folder and all in it to the user that unprivileged processes run as, where we are root."""
    user = unprivileged_user()
    if user is None:
        return
    for folder, _, files in os.walk(path):
        for place in (folder, *(os.path.join(folder, file) for file in files)):
            with suppress(FileNotFoundError):  # a server that runs on it makes and removes files all the time
                os.chown(place, user.pw_uid, user.pw_gid, follow_symlinks=place == folder)


def drop(command: tuple[str, ...]) -> tuple[str, ...]:
    """`command` as the unprivileged user, where we are root.

    FREEHOLD_HOME may lie below a folder that only root may enter (/root). The one capability that gets past that,
    CAP_DAC_READ_SEARCH, goes along (capabilities(7)): it reads, it does not write.
    """
    user = unprivileged_user()
    if user is None:
        return command
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise FreeholdError(
            "cannot give up root for Postgres: setpriv is missing",
            mend="install util-linux, or run as an ordinary user",
        )
    capabilities = "-all,+dac_read_search"
    return (
        setpriv,
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--clear-groups",
        f"--inh-caps={capabilities}",
        f"--ambient-caps={capabilities}",
        "--",
        *command,
    )


def launch_command(spec: ProcessSpec) -> tuple[str, ...]:
    """The command that starts `spec` so that the kernel stops it when the supervisor dies (PR_SET_PDEATHSIG, prctl(2)).

    The pid files are the first belt and this is the second: where setpriv is missing, the next start ends what is left.
    """
    command = spec.command
    setpriv = shutil.which("setpriv")
    if setpriv is not None:
        # Inside the drop: the kernel forgets the signal when a process changes its user (PR_SET_PDEATHSIG(2const)).
        command = (setpriv, f"--pdeathsig={spec.stop_signal.name.removeprefix('SIG')}", "--", *command)
    return drop(command) if spec.unprivileged else command
