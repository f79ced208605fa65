"""JSON over kept-alive connections to one API server, from any number of threads."""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
import time
from collections.abc import Mapping
from typing import Any

import urllib3

from sandbox.providers.interface import ProviderError
from sandbox.providers.kubernetes.kubeconfig import Access
from sandbox.providers.kubernetes.login import Login

Json = dict[str, Any]

_CONNECTIONS = 32
_READ_TIMEOUT = 60.0
_PAUSE = (0.05, 1.0)
_BUSY = frozenset({429, 502, 503, 504})


class ApiError(ProviderError):
    """The API server answered with a failure (a `Status` object)."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        causes: tuple[tuple[str, str, str], ...] = (),
        subject: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.subject = subject
        """The plural of the kind that the answer is about; not always the one that was asked for."""
        self.causes = causes
        """Reason, message and field of each cause."""


class Unreachable(ProviderError):
    """No answer from the API server."""


class Connection:
    """One API server as one user."""

    def __init__(self, access: Access, environment: Mapping[str, str]) -> None:
        self.access = access
        self._login = Login(access, environment)
        # block=True: threads share the connections instead of opening ever more.
        self._pool = urllib3.PoolManager(
            num_pools=1,
            maxsize=_CONNECTIONS,
            block=True,
            retries=False,
            timeout=urllib3.Timeout(connect=5.0, read=_READ_TIMEOUT),
            ssl_context=_context(access) if access.server.startswith("https:") else None,
            assert_hostname=access.server_name,
            server_hostname=access.server_name,
        )

    def request(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        query: str = "",
        content: str = "application/json",
        accept: str = "application/json",
        patience: float = 0.0,
    ) -> Json:
        """The answer's object. For `patience` seconds an API server that does not answer is asked again.

        Raises ApiError for a refusal and Unreachable where there was no answer in time.
        """
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        url = f"{self.access.server}{path}{'?' if query else ''}{query}"
        deadline = time.monotonic() + patience
        pause, renewed = _PAUSE[0], False
        while True:
            token = self._login.token()
            headers = self._headers(token, accept, content if data is not None else None)
            failure: ProviderError
            try:
                response = self._pool.request(method, url, body=data, headers=headers)
                if response.status < 400:
                    return _object(response.data)
                failure = _failure(response.status, response.data)
                if response.status == 401 and not renewed and self._login.reject(token):
                    renewed = True
                    continue
                if response.status not in _BUSY:
                    raise failure
            except urllib3.exceptions.HTTPError as error:
                failure = Unreachable(f"no answer from the Kubernetes API server {self.access.server}: {_cause(error)}")
                if _refuses_tls(error):
                    raise failure from None
            if time.monotonic() + pause > deadline:
                raise failure
            time.sleep(pause)
            pause = min(pause * 2, _PAUSE[1])

    def _headers(self, token: str | None, accept: str, content: str | None) -> dict[str, str]:
        headers = {"Accept": accept, "User-Agent": "freehold-sandbox"}
        if content is not None:
            headers["Content-Type"] = content
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        elif self.access.basic is not None:
            headers["Authorization"] = "Basic " + base64.b64encode(":".join(self.access.basic).encode()).decode()
        return headers

    def close(self) -> None:
        self._pool.clear()


def _context(access: Access) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=access.certificate_authority)
    if not access.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if access.client_certificate and access.client_key:
        # ssl only reads key pairs from files.
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(f"{access.client_certificate}\n{access.client_key}\n")
            file.flush()
            context.load_cert_chain(file.name)
    return context


def _object(data: bytes) -> Json:
    parsed = json.loads(data) if data else {}
    return parsed if isinstance(parsed, dict) else {"items": parsed}


def _failure(code: int, data: bytes) -> ApiError:
    try:
        status = json.loads(data)
        details = status.get("details") or {}
        causes = tuple(
            (str(c.get("reason", "")), str(c.get("message", "")), str(c.get("field", "")))
            for c in details.get("causes") or ()
        )
        message = str(status.get("message", "")) or f"HTTP {code}"
        return ApiError(code, str(status.get("reason", "")), message, causes, str(details.get("kind", "")))
    except (ValueError, AttributeError):
        text = " ".join(data.decode(errors="replace").split())[:300]
        return ApiError(code, "", f"the Kubernetes API server answered HTTP {code} {text}".rstrip())


def _refuses_tls(error: urllib3.exceptions.HTTPError) -> bool:
    """Whether the two sides cannot agree, as with a wrong certificate: that does not mend itself. A handshake that the
    server did not live to finish does."""
    hung_up = error.args and isinstance(error.args[0], ssl.SSLEOFError | ssl.SSLZeroReturnError)
    return isinstance(error, urllib3.exceptions.SSLError) and not hung_up


def _cause(error: urllib3.exceptions.HTTPError) -> str:
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        return "connection refused" if "refused" in str(error) else "cannot connect"
    return type(error).__name__ if not error.args else " ".join(str(error.args[-1]).split())[:200]
