"""Bearer tokens: given, in a file, or printed by a login command and kept until shortly before they expire.

Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from sandbox.providers.interface import ProviderError
from sandbox.providers.kubernetes.kubeconfig import Access, ExecLogin

_TIMEOUT = 60.0
_MARGIN = 60.0
"""Seconds before its expiry that a token is taken as expired."""


class Login:
    """The Authorization header of one user; asked for by any thread."""

    def __init__(self, access: Access, environment: Mapping[str, str]) -> None:
        self._access = access
        self._environment = dict(environment)
        self._lock = threading.Lock()
        self._token: str | None = None
        self._expires = 0.0

    def token(self) -> str | None:
        """The bearer token, None where the user logs in by certificate."""
        if self._access.token:
            return self._access.token
        if self._access.token_file:
            return _read(self._access.token_file)
        if self._access.login is None:
            return None
        with self._lock:
            if self._token is None or time.time() >= self._expires:
                self._token, self._expires = self._ask(self._access.login)
            return self._token

    def reject(self, token: str | None) -> bool:
        """The server refused this token: forget it. True where asking again may help."""
        if self._access.login is None or token is None:
            return False
        with self._lock:
            if self._token == token:
                self._token = None
        return True

    def _ask(self, login: ExecLogin) -> tuple[str, float]:
        spec: dict[str, object] = {"interactive": False}
        if login.cluster is not None:
            spec["cluster"] = json.loads(login.cluster)
        info = {"apiVersion": login.api_version, "kind": "ExecCredential", "spec": spec}
        environment = {**self._environment, **dict(login.environment), "KUBERNETES_EXEC_INFO": json.dumps(info)}
        try:
            done = subprocess.run(
                [login.command, *login.arguments],
                env=environment,
                capture_output=True,
                text=True,
                timeout=_TIMEOUT,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        except FileNotFoundError:
            raise ProviderError(f"the kubeconfig's login command {login.command} was not found on PATH") from None
        except subprocess.TimeoutExpired:
            raise ProviderError(f"the kubeconfig's login command {login.command} took over {_TIMEOUT:.0f} s") from None
        if done.returncode != 0:
            said = " ".join(done.stderr.split())[-500:] or "nothing"
            raise ProviderError(
                f"the kubeconfig's login command {login.command} failed with {done.returncode}, it said: {said}"
            )
        try:
            status = json.loads(done.stdout)["status"]
            expiry = status.get("expirationTimestamp")
            expires = datetime.fromisoformat(expiry).timestamp() - _MARGIN if expiry else float("inf")
            return str(status["token"]), expires
        except (ValueError, KeyError, TypeError):
            raise ProviderError(
                f"the kubeconfig's login command {login.command} printed no ExecCredential token"
            ) from None


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise ProviderError(f"the kubeconfig's tokenFile {path} cannot be read: {error.strerror}") from None
