"""What is asked again of an API server, and as whom: a busy one, and one that does not know the login any more."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sandbox.processes.certificates import Authority
from sandbox.providers.kubernetes import connection
from sandbox.providers.kubernetes.cluster import cluster
from sandbox.providers.kubernetes.connection import ApiError, Connection
from sandbox.providers.kubernetes.kubeconfig import ExecLogin
from sandbox.providers.kubernetes.login import Login
from tests.conformance.kubernetes.test_handshakes import access, serving
from tests.conformance.kubernetes.test_handshakes import connection as trusting


@contextmanager
def answering(*codes: int) -> Iterator[tuple[str, list[str]]]:
    """Its address, and whom it saw; each request is answered by the next code, and then by the last."""
    seen, left = list[str](), list(codes)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization", ""))
            code = left.pop(0) if len(left) > 1 else left[0]
            body = json.dumps({"kind": "Status", "reason": "Told", "message": f"code {code}"}).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """To nobody."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", seen
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("code", [429, 502, 503, 504])
def test_a_busy_server_is_asked_again_while_there_is_patience(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_PAUSE", (0.001, 0.001))
    with answering(code, code, 200) as (server, seen):
        Connection(access(server), {}).request("GET", "/", patience=10)
        assert len(seen) == 3
    with answering(code) as (server, seen), pytest.raises(ApiError, match=f"code {code}"):
        Connection(access(server), {}).request("GET", "/", patience=0)
    assert len(seen) == 1


@pytest.mark.parametrize("code", [400, 403, 404, 409, 422, 500])
def test_what_is_refused_is_refused_at_once(code: int) -> None:
    with answering(code, 200) as (server, seen), pytest.raises(ApiError, match=f"code {code}") as refused:
        Connection(access(server), {}).request("GET", "/", patience=10)
    assert (refused.value.code, refused.value.reason, len(seen)) == (code, "Told", 1)


@pytest.fixture
def login(tmp_path: Path) -> ExecLogin:
    """A command that gives another token each time it is asked."""
    count = f'echo x >> "{tmp_path}/asked"; n=$(wc -l < "{tmp_path}/asked")'
    program = tmp_path / "login"
    program.write_text(f'#!/bin/sh\n{count}\necho "{{\\"status\\": {{\\"token\\": \\"token-$((n))\\"}}}}"\n')
    program.chmod(0o755)
    return ExecLogin("client.authentication.k8s.io/v1", str(program), (), (), None)


def test_a_login_that_has_ended_is_made_anew_once(login: ExecLogin) -> None:
    """As when the API server was restarted, or somebody changed who may log in."""
    with answering(401, 200) as (server, seen):
        Connection(access(server, login=login), {}).request("GET", "/")
        assert seen == ["Bearer token-1", "Bearer token-2"]
    with answering(401, 401, 200) as (server, seen), pytest.raises(ApiError, match="code 401"):
        Connection(access(server, login=login), {}).request("GET", "/", patience=10)
    assert len(seen) == 2, "it would go on for ever"
    with answering(401) as (server, seen), pytest.raises(ApiError, match="code 401"):
        Connection(replace(access(server), token="given"), {}).request("GET", "/", patience=10)
    assert seen == ["Bearer given"], "there is no other"


def test_a_new_token_is_not_thrown_away_for_the_old_one_s_sake(login: ExecLogin) -> None:
    """Threads that were refused at once ask for one new token together."""
    held = Login(access("http://127.0.0.1:1", login=login), {})
    old = held.token()
    assert held.reject(old)
    new = held.token()
    assert new != old
    assert held.reject(old), "another thread's answer comes late"
    assert held.token() == new


def test_a_token_is_shared_by_those_for_whom_the_login_would_print_the_same(login: ExecLogin, tmp_path: Path) -> None:
    """Each run of a command has a folder of its own first on PATH; AWS' command takes half a second for a token."""
    named = replace(login, command="login")
    (tmp_path / "run").mkdir()
    there = f"{tmp_path}:/usr/bin:/bin"
    with answering(200) as (server, seen):
        for environment in (
            {"PATH": there, "AWS_PROFILE": "one"},
            {"PATH": f"{tmp_path / 'run'}:{there}", "AWS_PROFILE": "one"},
            {"PATH": there, "AWS_PROFILE": "another"},
        ):
            cluster(access(server, login=named), environment).connection.request("GET", "/")
        (tmp_path / "run" / "login").symlink_to(tmp_path / "login")
        another_command = {"PATH": f"{tmp_path / 'run'}:{there}", "AWS_PROFILE": "one"}
        cluster(access(server, login=named), another_command).connection.request("GET", "/")
    assert seen == ["Bearer token-1", "Bearer token-1", "Bearer token-2", "Bearer token-3"]


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_an_unverified_server_is_met_where_the_kubeconfig_says_so_alone(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path / "ours", "kubernetes"), Authority(tmp_path / "theirs", "kubernetes")
    with serving(theirs, hang_up=0) as server:
        unverified = replace(trusting(server, ours).access, verify=False)
        assert Connection(unverified, {}).request("GET", "/readyz", patience=5) == {"kind": "Status"}
