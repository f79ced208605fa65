"""Objects as the API server has them, without a kubectl for each: one takes twenty times as long as the answer."""

from __future__ import annotations

import base64
import ssl
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3
import yaml


class Reader:
    """The administrator of one cluster, on connections that stay open."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        (cluster,), (user,) = config["clusters"], config["users"]
        address = urlsplit(cluster["cluster"]["server"])
        assert address.hostname is not None
        authority = base64.b64decode(cluster["cluster"]["certificate-authority-data"]).decode()
        context = ssl.create_default_context(cadata=authority)
        with tempfile.NamedTemporaryFile() as file:  # key pairs are read from files only
            for part in ("client-certificate-data", "client-key-data"):
                file.write(base64.b64decode(user["user"][part]) + b"\n")
            file.flush()
            context.load_cert_chain(file.name)
        self._pool = urllib3.HTTPSConnectionPool(address.hostname, address.port, ssl_context=context, timeout=60.0)
        self._paths = self._served()

    def path(self, kind: str, namespace: str) -> str | None:
        """Where objects of the kind are; None for one that the cluster did not serve when this was made."""
        return self._paths[kind.lower()].format(namespace) if kind.lower() in self._paths else None

    def get(self, path: str) -> Any:
        """What lies there; None where nothing does."""
        answer = self._pool.request("GET", path)
        assert answer.status in (200, 404), f"{path}: {answer.status} {answer.data!r}"
        return answer.json() if answer.status == 200 else None

    def create(self, path: str, manifest: Any) -> None:
        answer = self._pool.request("POST", path, json=manifest)
        assert answer.status == 201, f"{path}: {answer.status} {answer.data!r}"

    def close(self) -> None:
        self._pool.close()

    def _served(self) -> dict[str, str]:
        """By kind; of two groups that have the same, as for kubectl, the first counts."""
        groups = [f"/apis/{group['preferredVersion']['groupVersion']}" for group in self.get("/apis")["groups"]]
        found: dict[str, str] = {}
        for group in ("/api/v1", *groups):
            for one in self.get(group)["resources"]:
                if "/" not in one["name"]:
                    inside = "/namespaces/{}" if one["namespaced"] else ""
                    found.setdefault(one["kind"].lower(), f"{group}{inside}/{one['name']}")
        return found
