"""Dry runs: what the API server would make of a write, or why it would refuse."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.providers.interface import ProviderError
from sandbox.providers.kubernetes import objects, readiness
from sandbox.providers.kubernetes.cluster import Cluster
from sandbox.providers.kubernetes.connection import ApiError, Json, Unreachable
from sandbox.providers.kubernetes.discovery import Endpoint, NoSuchKind
from sandbox.providers.kubernetes.writing import Exists, Writer
from sandbox.providers.values import has_unknown


class Rehearsal:
    """Dry runs at one cluster, if there is one. None stands for "cannot be told": a preview then goes by the inputs."""

    def __init__(self, cluster: Cluster | None, writer: Writer | None, namespace: str) -> None:
        self._cluster = cluster
        self._writer = writer
        self._namespace = namespace

    def create(self, body: Json, manager: str) -> Json | None:
        """The object as it would be made."""
        if self._cluster is None or self._writer is None or has_unknown(body):
            return None
        try:
            at, namespace = self._place(self._cluster, body)
            return self._writer.create(at, namespace, body, manager, force=False, dry_run=True, patience=0.0)
        except (NoSuchKind, Unreachable, Exists):
            # Its definition or its cluster may be made in this very update; what exists may be replaced in it.
            return None
        except ApiError as error:
            if error.code in (403, 404, 409):
                return None
            raise

    def update(self, old: Json, body: Json, manager: str, *, force: bool, ignored: Sequence[str]) -> Json | None:
        """The object as it would become. Raises ApiError for a field that cannot be changed in place, Gone for what is
        not there."""
        if self._cluster is None or self._writer is None or has_unknown(body):
            return None
        try:
            at, namespace = self._place(self._cluster, body)
            return self._writer.update(
                at, namespace, old, body, manager, force=force, dry_run=True, patience=0.0, ignored=ignored
            )
        except (NoSuchKind, Unreachable):
            return None
        except ApiError as error:
            if error.code in (403, 404):
                return None
            raise

    def unready(self, wanted: objects.Identity) -> bool:
        """Whether the object is there and not ready; False where that cannot be asked."""
        if self._cluster is None:
            return False
        try:
            at = self._cluster.discovery.endpoint(wanted.api_version, wanted.kind)
            path = at.path(wanted.namespace or self._namespace, wanted.name)
            return not readiness.check(self._cluster.connection.request("GET", path)).ready
        except ProviderError:
            return False

    def _place(self, cluster: Cluster, body: Json) -> tuple[Endpoint, str]:
        at = cluster.discovery.endpoint(str(body["apiVersion"]), str(body["kind"]))
        return at, objects.namespace(body, self._namespace) if at.namespaced else ""
