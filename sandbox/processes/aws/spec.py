"""The AWS API as a process: moto, with a journal so that nothing is lost when it is killed."""

from __future__ import annotations

from sandbox.processes.http_check import http_check
from sandbox.processes.python_process import python_command, python_environment
from sandbox.processes.site import Site
from sandbox.supervisor.spec import ProcessSpec

NAME = "moto"


def aws_endpoint(site: Site) -> str:
    return f"http://127.0.0.1:{site.ports.assign(NAME, 'FREEHOLD_AWS_PORT')}"


def aws(site: Site) -> ProcessSpec:
    port, port_is_free = site.port(NAME, "FREEHOLD_AWS_PORT")
    return ProcessSpec(
        name=NAME,
        kind=NAME,
        port=port,
        command=python_command("sandbox.processes.aws", "--home", str(site.home.root), "--port", str(port)),
        environment=python_environment(),
        prepare=port_is_free,
        check=http_check(port, "/freehold/health"),
        # A long journal is replayed before the first answer.
        ready_seconds=300.0,
    )
