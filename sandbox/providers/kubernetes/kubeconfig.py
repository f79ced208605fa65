"""Reads a kubeconfig into what a connection needs.

Source: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sandbox.providers.interface import ProviderError


@dataclass(frozen=True)
class ExecLogin:
    """A command that prints an ExecCredential (client.authentication.k8s.io)."""

    api_version: str
    command: str
    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    cluster: str | None
    """The cluster's part of KUBERNETES_EXEC_INFO as JSON, where the login asks for it."""


@dataclass(frozen=True)
class Access:
    """How to reach one API server as one user; two equal ones can share connections."""

    server: str
    certificate_authority: str | None
    server_name: str | None
    verify: bool
    client_certificate: str | None
    client_key: str | None
    token: str | None
    token_file: str | None
    basic: tuple[str, str] | None
    login: ExecLogin | None
    namespace: str


def load(text: str, environment: Mapping[str, str]) -> tuple[Mapping[str, Any], Path]:
    """The kubeconfig given as its content or its path, and the folder that its relative paths start from."""
    folder = Path(environment.get("PWD", "/"))
    if "\n" not in text and not text.lstrip().startswith("{"):
        path = Path(text.replace("~", environment.get("HOME", "~"), 1) if text.startswith("~") else text)
        path = path if path.is_absolute() else folder / path
        try:
            text, folder = path.read_text(), path.parent
        except OSError as error:
            raise ProviderError(f"the kubeconfig {path} cannot be read: {error.strerror}") from None
    try:
        parsed = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise ProviderError(f"the kubeconfig is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(parsed, Mapping):
        raise ProviderError("the kubeconfig is neither a mapping nor the path of a file that exists")
    return parsed, folder


def access(config: Mapping[str, Any], folder: Path, *, context: str | None, cluster: str | None) -> Access:
    """The access that the current context, or the one named, gives. Raises ProviderError where a part is missing."""
    name = context or config.get("current-context")
    if not name:
        raise ProviderError("the kubeconfig has no current-context; set the provider's `context`")
    chosen = _named(config, "contexts", "context", str(name))
    target = _named(config, "clusters", "cluster", str(cluster or chosen.get("cluster") or ""))
    user = _named(config, "users", "user", str(chosen.get("user") or "")) if chosen.get("user") else {}
    server = target.get("server")
    if not server:
        raise ProviderError(f"the kubeconfig's cluster of context {name} has no server")
    basic = (str(user["username"]), str(user.get("password", ""))) if "username" in user else None
    return Access(
        server=str(server).rstrip("/"),
        certificate_authority=_content(target, "certificate-authority", folder),
        server_name=target.get("tls-server-name"),
        verify=not target.get("insecure-skip-tls-verify", False),
        client_certificate=_content(user, "client-certificate", folder),
        client_key=_content(user, "client-key", folder),
        token=user.get("token"),
        token_file=str(folder / user["tokenFile"]) if user.get("tokenFile") else None,
        basic=basic,
        login=_login(user["exec"], target, folder) if user.get("exec") else None,
        namespace=str(chosen.get("namespace") or ""),
    )


def _named(config: Mapping[str, Any], section: str, key: str, name: str) -> Mapping[str, Any]:
    for entry in config.get(section) or ():
        if entry.get("name") == name:
            return entry.get(key) or {}
    raise ProviderError(f"the kubeconfig has no {key} named {name!r}")


def _content(part: Mapping[str, Any], key: str, folder: Path) -> str | None:
    """The PEM text of `key`-data (base64) or of the file `key`."""
    if part.get(f"{key}-data"):
        try:
            return base64.b64decode(part[f"{key}-data"], validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise ProviderError(f"the kubeconfig's {key}-data is not base64 of a PEM text") from None
    if part.get(key):
        try:
            return (folder / str(part[key])).read_text()
        except OSError as error:
            raise ProviderError(f"the kubeconfig's {key} {part[key]} cannot be read: {error.strerror}") from None
    return None


def _login(part: Mapping[str, Any], target: Mapping[str, Any], folder: Path) -> ExecLogin:
    command = str(part.get("command") or "")
    if not command:
        raise ProviderError("the kubeconfig's exec login has no command")
    if "/" in command:  # a bare name is looked up on PATH, as kubectl does
        command = str(folder / command)
    info = {"server": target.get("server"), "certificate-authority-data": target.get("certificate-authority-data")}
    return ExecLogin(
        api_version=str(part.get("apiVersion") or "client.authentication.k8s.io/v1"),
        command=command,
        arguments=tuple(str(argument) for argument in part.get("args") or ()),
        environment=tuple((str(pair["name"]), str(pair["value"])) for pair in part.get("env") or ()),
        cluster=json.dumps(info) if part.get("provideClusterInfo") else None,
    )
