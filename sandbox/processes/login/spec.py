"""The token webhook as a process: one for all clusters of the sandbox."""

from __future__ import annotations

from sandbox.processes.http_check import https_check
from sandbox.processes.python_process import python_command, python_environment
from sandbox.processes.site import Site
from sandbox.supervisor.spec import ProcessSpec

NAME = "token-webhook"


def login_url(site: Site, cluster: str) -> str:
    """Where the API server of `cluster` asks."""
    return f"https://127.0.0.1:{site.ports.assign(NAME)}/clusters/{cluster}"


def login(site: Site, aws_endpoint: str) -> ProcessSpec:
    port, port_is_free = site.port(NAME)
    authority = site.authority
    serving = authority.server(NAME)
    return ProcessSpec(
        name=NAME,
        kind=NAME,
        port=port,
        command=python_command(
            "sandbox.processes.login",
            "--home",
            str(site.home.root),
            "--port",
            str(port),
            "--aws",
            aws_endpoint,
            "--certificate",
            str(serving.certificate),
            "--key",
            str(serving.key),
            "--client-authority",
            str(authority.certificate_path),
        ),
        environment=python_environment(),
        prepare=port_is_free,
        check=https_check(port, "/healthz", authority.certificate_path, authority.client("login-check", "supervisor")),
    )
