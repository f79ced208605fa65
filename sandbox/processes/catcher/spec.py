"""The catcher of alerts as a process, and the record that sends alerts there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.processes.http_check import http_check
from sandbox.processes.python_process import python_command, python_environment
from sandbox.processes.site import Site
from sandbox.supervisor.spec import ProcessSpec

NAME = "catcher"
_SMTP = "catcher-smtp"


def catcher(site: Site) -> ProcessSpec:
    port, port_is_free = site.port(NAME)
    smtp_port, smtp_port_is_free = site.port(_SMTP)
    serving = site.authority.server(NAME)

    def prepare() -> None:
        port_is_free()
        smtp_port_is_free()

    return ProcessSpec(
        name=NAME,
        kind=NAME,
        port=port,
        command=python_command(
            "sandbox.processes.catcher",
            "--home",
            str(site.home.root),
            "--port",
            str(port),
            "--smtp-port",
            str(smtp_port),
            "--certificate",
            str(serving.certificate),
            "--key",
            str(serving.key),
        ),
        environment=python_environment(),
        prepare=prepare,
        check=http_check(port, "/healthz"),
    )


def sinks(site: Site, signing_secret: str) -> Mapping[str, Any]:
    """What the secret of the sinks holds in a sandbox; see services/notifier/settings.py."""
    base = f"http://127.0.0.1:{site.ports.assign(NAME)}"
    return {
        "webhook": {"url": f"{base}/webhook", "secrets": [signing_secret]},
        "slack": {"url": f"{base}/slack"},
        "mail": {
            "host": "127.0.0.1",
            "port": site.ports.assign(_SMTP),
            "sender": "alerts@freehold.example",
            "recipients": ["finance@freehold.example"],
            "encryption": "starttls",
            "authority": str(site.authority.certificate_path),
        },
    }
