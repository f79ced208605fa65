"""The budget notifier as a process: the one that a container runs, with the settings that a cell gives it."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.processes.aws.spec import NAME as AWS
from sandbox.processes.catcher.spec import NAME as CATCHER
from sandbox.processes.http_check import http_check
from sandbox.processes.python_process import python_command, python_environment
from sandbox.processes.site import Site
from sandbox.supervisor.spec import ProcessSpec

NAME = "notifier"


def notifier(site: Site, settings: Mapping[str, str]) -> ProcessSpec:
    """`settings` are the variables of services/notifier/settings.py that are the cell's, and the credentials."""
    port, port_is_free = site.port(NAME)
    return ProcessSpec(
        name=NAME,
        kind=NAME,
        port=port,
        command=python_command("services.notifier"),
        environment={
            **python_environment(),
            **settings,
            "PORT": str(port),
            "NOTIFIER_HOST": "127.0.0.1",
            "PGSSLROOTCERT": str(site.authority.certificate_path),
            # All that it sends to is on the loopback.
            "NO_PROXY": "127.0.0.1,localhost",
        },
        after=(AWS, CATCHER),
        prepare=port_is_free,
        # Not /readyz: a database that starts later than it would otherwise have it restarted.
        check=http_check(port, "/healthz"),
    )
