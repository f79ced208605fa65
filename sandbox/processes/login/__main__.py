"""`python -m sandbox.processes.login`: the webhook that the API servers ask whose a token is (TLS, client certificate).

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#webhook-token-authentication
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import logging
import re
import signal
import ssl
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sandbox.home import Home
from sandbox.processes.login.access import AccessEntries, NoAccess
from sandbox.processes.login.tokens import Caller, TokenRefused, TokenVerifier
from sandbox.providers.recorded import RecordedStore

_PATH = re.compile(r"^/clusters/(?P<cluster>[A-Za-z0-9][A-Za-z0-9_-]*)(\?.*)?$")
_BODY_LIMIT_BYTES = 64 * 1024
# STS is asked once in a while for one token, not for every request that carries it; access entries are read every time.
_CACHE_SECONDS = 10.0
_CACHE_ENTRIES = 1000

_log = logging.getLogger(__name__)


class Login:
    """Answers TokenReviews for all clusters of the sandbox."""

    def __init__(self, verifier: TokenVerifier, entries: AccessEntries) -> None:
        self._verifier, self._entries = verifier, entries
        self._verified: dict[tuple[str, str], tuple[float, Caller, datetime.datetime]] = {}
        self._lock = threading.Lock()

    def review(self, token: str, cluster: str) -> dict[str, Any]:
        """The `status` of the TokenReview."""
        try:
            user = self._entries.user(self._caller(token, cluster), cluster)
        except (TokenRefused, NoAccess) as error:
            _log.info("cluster %s: %s", cluster, error)
            return {"authenticated": False, "error": str(error)}
        return {
            "authenticated": True,
            "user": {
                "username": user.username,
                "uid": user.uid,
                "groups": list(user.groups),
                "extra": {name: list(values) for name, values in user.extra.items()},
            },
        }

    def _caller(self, token: str, cluster: str) -> Caller:
        key = (hashlib.sha256(token.encode()).hexdigest(), cluster)
        now = datetime.datetime.now(datetime.UTC)
        with self._lock:
            known = self._verified.get(key)
        if known is not None and time.monotonic() - known[0] < _CACHE_SECONDS and now < known[2]:
            return known[1]
        caller, expires = self._verifier.verify(token, cluster, now)
        with self._lock:
            if len(self._verified) >= _CACHE_ENTRIES:
                self._verified.clear()
            self._verified[key] = (time.monotonic(), caller, expires)
        return caller


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Against a connection that is opened and left.
    timeout = 60
    login: Login

    def do_GET(self) -> None:
        self._answer(HTTPStatus.OK if self.path == "/healthz" else HTTPStatus.NOT_FOUND, {})

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        match = _PATH.match(self.path)
        if match is None or not 0 < length <= _BODY_LIMIT_BYTES:
            self.close_connection = True
            return self._answer(HTTPStatus.BAD_REQUEST, {})
        try:
            token = json.loads(self.rfile.read(length))["spec"]["token"]
        except (ValueError, KeyError, TypeError):
            return self._answer(HTTPStatus.BAD_REQUEST, {})
        try:
            status = self.login.review(str(token), match["cluster"])
        except OSError as error:
            _log.warning("STS cannot be asked: %s", error)
            return self._answer(HTTPStatus.SERVICE_UNAVAILABLE, {})
        return self._answer(
            HTTPStatus.OK, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status}
        )

    def log_message(self, format: str, *args: object) -> None:
        """Refusals are logged with their reason by `Login`; the rest is noise."""

    def _answer(self, status: HTTPStatus, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        # A peer without our certificate, or one that hung up: no traceback for that.
        _log.info("a connection failed", exc_info=_log.isEnabledFor(logging.DEBUG))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--aws", required=True, help="the sandbox's own endpoint, the only place a token is sent to")
    parser.add_argument("--certificate", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--client-authority", type=Path, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    _Handler.login = Login(TokenVerifier(arguments.aws), AccessEntries(RecordedStore(Home(arguments.home).recorded)))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(arguments.client_authority))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(arguments.certificate, arguments.key)
    server = _Server(("127.0.0.1", arguments.port), _Handler)
    # The handshake is for the connection's own thread: in the one that accepts, a silent peer would stop all others.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main()
