"""Health checks over HTTP, with the server's certificate verified."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable
from pathlib import Path

from sandbox.processes.certificates import KeyPair
from sandbox.supervisor.spec import NotReady

_TIMEOUT_SECONDS = 5.0


def tls_context(certificate_authority: Path, client: KeyPair | None = None) -> ssl.SSLContext:
    """Trusts that authority alone, and presents the client certificate if there is one."""
    context = ssl.create_default_context(cafile=str(certificate_authority))
    if client is not None:
        context.load_cert_chain(client.certificate, client.key)
    return context


def https_check(port: int, path: str, certificate_authority: Path, client: KeyPair | None = None) -> Callable[[], None]:
    """A check that is content with status 200 at `path` of https://127.0.0.1:`port`."""
    contexts: list[ssl.SSLContext] = []

    def check() -> None:
        # Made at the first check, not at once: reading certificates takes its time while everything starts.
        if not contexts:
            contexts.append(tls_context(certificate_authority, client))
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS, context=contexts[0])
        _require_ok(connection, path)

    return check


def http_check(port: int, path: str) -> Callable[[], None]:
    """A check that is content with status 200 at `path` of http://127.0.0.1:`port`."""
    return lambda: _require_ok(http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS), path)


def _require_ok(connection: http.client.HTTPConnection, path: str) -> None:
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except http.client.HTTPException as error:
        raise NotReady(f"{path}: {type(error).__name__}") from None
    finally:
        connection.close()
    if status != http.client.OK:
        raise NotReady(f"{path} answers {status}")
