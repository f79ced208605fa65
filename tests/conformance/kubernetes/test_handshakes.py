"""Connections to an API server that ends before it has agreed on TLS, and to one whose certificate is another's."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.processes.certificates import Authority
from sandbox.providers.kubernetes.connection import Connection, Unreachable
from sandbox.providers.kubernetes.kubeconfig import Access, ExecLogin

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 18\r\n\r\n{"kind": "Status"}'


@contextmanager
def serving(authority: Authority, hang_up: int) -> Iterator[str]:
    """Its address. It leaves the first connections in their handshake, and answers the next."""
    pair = authority.server("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for number in range(hang_up + 1):
                connection, _ = server.accept()
                with connection, contextlib.suppress(ssl.SSLError):  # the client takes another's certificate for none
                    if number < hang_up:
                        connection.recv(5)  # so that it is closed after the client has begun
                        connection.recv(65536)
                        continue
                    with context.wrap_socket(connection, server_side=True) as agreed:
                        agreed.recv(65536)
                        agreed.sendall(ANSWER)

        server.settimeout(10)  # of a client that gives up
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{server.getsockname()[1]}"
        thread.join(10)
    assert not thread.is_alive()


def access(server: str, authority: str | None = None, login: ExecLogin | None = None) -> Access:
    return Access(
        server=server,
        certificate_authority=authority,
        server_name=None,
        verify=True,
        client_certificate=None,
        client_key=None,
        token=None,
        token_file=None,
        basic=None,
        login=login,
        namespace="default",
    )


def connection(server: str, trusted: Authority) -> Connection:
    return Connection(access(server, trusted.certificate_pem), {})


def test_a_server_that_ends_in_a_handshake_is_asked_again(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "kubernetes")
    with serving(authority, hang_up=2) as server:
        assert connection(server, authority).request("GET", "/readyz", patience=30) == {"kind": "Status"}


def test_a_wrong_certificate_is_told_at_once(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path / "ours", "kubernetes"), Authority(tmp_path / "theirs", "kubernetes")
    with serving(theirs, hang_up=0) as server, pytest.raises(Unreachable, match="certificate verify failed"):
        connection(server, ours).request("GET", "/readyz", patience=30)
