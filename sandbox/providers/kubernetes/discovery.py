"""Which kinds an API server serves, and under which paths.

Source: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#aggregated-discovery
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from urllib.parse import quote

from sandbox.providers.interface import ProviderError
from sandbox.providers.kubernetes.connection import Connection, Json

_AGGREGATED = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
)


class NoSuchKind(ProviderError):
    """The API server does not serve the kind (yet: its CustomResourceDefinition may still be to come)."""


@dataclass(frozen=True)
class Endpoint:
    """One kind's place in the API."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool

    def path(self, namespace: str, name: str = "") -> str:
        """The path of the collection, or of the object `name` in it."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        scope = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced else ""
        return f"{root}{scope}/{self.plural}" + (f"/{quote(name, safe=':')}" if name else "")


class Discovery:
    """The kinds of one API server, read once and again when one is asked for that is not among them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._kinds: dict[tuple[str, str], Endpoint] = {}

    def endpoint(self, api_version: str, kind: str, *, patience: float = 0.0, wait: float = 0.0) -> Endpoint:
        """Where `kind` is served. `wait` seconds are allowed for a kind that was only just defined."""
        found = self._kinds.get((api_version, kind))
        deadline = time.monotonic() + wait
        while found is None:
            with self._lock:
                if (api_version, kind) not in self._kinds:
                    self._kinds = self._read(patience)
                found = self._kinds.get((api_version, kind))
            if found is None:
                if time.monotonic() >= deadline:
                    raise NoSuchKind(
                        f"the Kubernetes API server serves no {kind} in {api_version}; "
                        "is its CustomResourceDefinition made first (depends_on)?"
                    )
                time.sleep(0.2)
        return found

    def _read(self, patience: float) -> dict[tuple[str, str], Endpoint]:
        kinds: dict[tuple[str, str], Endpoint] = {}
        for root in ("/api", "/apis"):
            answer = self._connection.request("GET", root, accept=_AGGREGATED, patience=patience)
            for group in answer.get("items", ()):
                _add(kinds, group)
        return kinds


def _add(kinds: dict[tuple[str, str], Endpoint], group: Json) -> None:
    name = group["metadata"].get("name", "")
    for version in group.get("versions", ()):
        api_version = f"{name}/{version['version']}" if name else str(version["version"])
        for resource in version.get("resources", ()):
            kind = (resource.get("responseKind") or {}).get("kind")
            if kind:
                kinds[(api_version, str(kind))] = Endpoint(
                    api_version, str(kind), str(resource["resource"]), resource.get("scope") == "Namespaced"
                )
