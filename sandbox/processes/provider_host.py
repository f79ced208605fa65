"""The warm provider host as a process."""

from __future__ import annotations

import socket

from sandbox.home import Home
from sandbox.processes.python_process import python_command, python_environment
from sandbox.supervisor.spec import ProcessSpec

_TIMEOUT_SECONDS = 5.0


def provider_host(home: Home) -> ProcessSpec:
    def check() -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_TIMEOUT_SECONDS)
            connection.connect(str(home.socket("providers")))

    return ProcessSpec(
        name="provider-host",
        kind="provider-host",
        command=python_command("sandbox.providers.host", "--home", str(home.root)),
        environment=python_environment(),
        check=check,
    )
