"""Kubeconfig files: with a client certificate for the sandbox's own parts, with `aws eks get-token` for people."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from sandbox.files import write_atomically
from sandbox.processes.certificates import Authority, KeyPair


def write_client_kubeconfig(path: Path, server: str, authority: Authority, client: KeyPair, name: str) -> Path:
    """For a component that logs in with a client certificate; all in one file, mode 0600."""
    user = {
        "client-certificate-data": _encoded(client.certificate.read_bytes()),
        "client-key-data": _encoded(client.key.read_bytes()),
    }
    _write(path, [(name, server, authority.certificate_pem, user)])
    return path


def write_login_kubeconfig(path: Path, clusters: Sequence[tuple[str, str, str, str]]) -> None:
    """For people: a context for each (name, region, endpoint, CA) that logs in as the stack's exported one does."""
    _write(
        path,
        [
            (
                name,
                endpoint,
                authority_pem,
                {
                    "exec": {
                        "apiVersion": "client.authentication.k8s.io/v1beta1",
                        "command": "aws",
                        "args": ["--region", region, "eks", "get-token", "--cluster-name", name, "--output", "json"],
                        "interactiveMode": "Never",
                    }
                },
            )
            for name, region, endpoint, authority_pem in clusters
        ],
    )


def _write(path: Path, entries: Sequence[tuple[str, str, str, dict[str, Any]]]) -> None:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": name, "cluster": {"server": server, "certificate-authority-data": _encoded(ca.encode())}}
            for name, server, ca, _ in entries
        ],
        "users": [{"name": name, "user": user} for name, _, _, user in entries],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name, _, _, _ in entries],
        "current-context": entries[0][0] if entries else "",
    }
    write_atomically(path, yaml.safe_dump(document, sort_keys=False).encode(), 0o600)


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()
