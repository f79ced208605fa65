"""Writes objects: server-side apply that never adopts, or create and merge patch where that is switched off.

Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from sandbox.providers import creations
from sandbox.providers.interface import ProviderError
from sandbox.providers.kubernetes import ignoring, objects
from sandbox.providers.kubernetes.connection import ApiError, Connection, Json
from sandbox.providers.kubernetes.discovery import Endpoint

_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_SETTLE = 10.0
"""Seconds that the API server's own caches and controllers get to notice what was only just made."""

# etcd's first write is revision 2, so that no object is ever at 1: applying at this version creates, or fails.
_NEVER = "1"


class Exists(ProviderError):
    """Something of this name is there already."""


class Gone(ProviderError):
    """The object that is to be changed is not there any more."""


class Conflict(ProviderError):
    """Another field manager owns what this apply would change."""


def new_manager() -> str:
    """A field manager's name of its own for each object, in the form that Pulumi's provider gives.

    In a create it is that create's: sent again after its host was killed, it knows what it has made by it.
    """
    creation = creations.current()
    return f"{objects.MANAGER_PREFIX}{creation.serial[:8] if creation is not None else secrets.token_hex(4)}"


class Writer:
    """Writing to one API server."""

    def __init__(self, connection: Connection, *, server_side: bool, upsert: bool) -> None:
        self._connection = connection
        self.server_side = server_side
        self._upsert = upsert

    def create(
        self, at: Endpoint, namespace: str, body: Json, manager: str, *, force: bool, dry_run: bool, patience: float
    ) -> Json:
        """Make the object. Raises Exists where there is one of its name."""
        name = str(body["metadata"].get("name", ""))
        if self.server_side and name:
            version = {} if self._upsert else {"resourceVersion": _NEVER}
            sent = {**body, "metadata": {**body["metadata"], **version}}
            method, path, content = "PATCH", at.path(namespace, name), _APPLY
        else:
            sent, method, path, content = body, "POST", at.path(namespace), "application/json"
        query = _query(manager, force=force and method == "PATCH", dry_run=dry_run)
        deadline = time.monotonic() + _SETTLE
        while True:
            try:
                return self._connection.request(method, path, sent, query=query, content=content, patience=patience)
            except ApiError as error:
                if _settles(error, at) and not dry_run and time.monotonic() < deadline:
                    time.sleep(0.1)
                elif _is_conflict(error) and self._upsert:
                    raise _conflict(error) from None
                elif _is_conflict(error) or (error.code == 409 and error.subject in (at.plural, _qualified(at))):
                    live = self._own(at.path(namespace, name), manager, f"{at.kind} {name}")
                    creation = creations.current()
                    if creation is None or not creation.taken_over:
                        return live
                    try:  # what is wanted may have changed since it was cut off
                        return self.update(
                            at, namespace, {}, body, manager, force=force, dry_run=dry_run, patience=patience
                        )
                    except Conflict:  # and somebody else may have changed it, which a refresh tells
                        return live
                else:
                    raise

    def _own(self, path: str, manager: str, what: str) -> Json:
        """The object that an earlier, unanswered try of ours made, told by its manager. Raises Exists for another's."""
        live = self._connection.request("GET", path)
        if any(entry.get("manager") == manager for entry in live["metadata"].get("managedFields") or ()):
            return live
        raise Exists(
            f"{what} exists already in {live['metadata'].get('namespace') or 'the cluster'} and is not in this stack; "
            "delete it, import it, or choose another name"
        )

    def update(
        self,
        at: Endpoint,
        namespace: str,
        old: Json,
        new: Json,
        manager: str,
        *,
        force: bool,
        dry_run: bool,
        patience: float,
        ignored: Sequence[str] = (),
    ) -> Json:
        """Make the object as `new` says; `old` is what was asked for last. Raises Gone and Conflict."""
        name = str(new["metadata"]["name"])
        path = at.path(namespace, name)
        query = _query(manager, force=force and self.server_side, dry_run=dry_run)
        content, body = _MERGE, merge_patch(old, new)
        deadline = time.monotonic() + _SETTLE
        while True:
            try:
                if self.server_side:
                    # An apply makes what is not there: the provider looks first. The uid holds in between as well.
                    live = self._connection.request("GET", path, patience=patience)
                    wanted = ignoring.without_others(new, live, manager, ignored) if ignored else new
                    uid = {"uid": live["metadata"]["uid"]}
                    content, body = _APPLY, {**wanted, "metadata": {**wanted["metadata"], **uid}}
                return self._connection.request("PATCH", path, body, query=query, content=content, patience=patience)
            except ApiError as error:
                if _settles(error, at) and not dry_run and time.monotonic() < deadline:
                    time.sleep(0.1)
                elif _is_conflict(error):
                    raise _conflict(error) from None
                elif _is_gone(error, at):
                    where = f" in {namespace}" if at.namespaced else ""
                    raise Gone(
                        f"{at.kind} {name}{where} is gone, deleted by somebody else; refresh the stack, and the next "
                        "update makes it again"
                    ) from None
                else:
                    raise

    def delete(self, at: Endpoint, namespace: str, name: str, uid: str, policy: str, patience: float) -> bool:
        """Ask for the deletion; True where the object is gone at once, or was. Another object of the name is spared."""
        body: Json = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": policy}
        if uid:
            body["preconditions"] = {"uid": uid}
        try:
            answer = self._connection.request("DELETE", at.path(namespace, name), body, patience=patience)
        except ApiError as error:
            if error.code == 404 or (error.code == 409 and uid and "uid" in str(error).lower()):
                return True
            raise
        return answer.get("kind") == "Status"


def merge_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> Json:
    """RFC 7386: what is new or changed, and null for what is gone."""
    patch: Json = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            inner = merge_patch(before, value)
            if inner:
                patch[key] = inner
        elif before != value:
            patch[key] = value
    return patch


def _query(manager: str, *, force: bool, dry_run: bool) -> str:
    parts = {"fieldManager": manager, "fieldValidation": "Strict"}
    if force:
        parts["force"] = "true"
    if dry_run:
        parts["dryRun"] = "All"
    return urlencode(parts)


def _qualified(at: Endpoint) -> str:
    group = at.api_version.rpartition("/")[0]
    return f"{at.plural}.{group}" if group else at.plural


def _settles(error: ApiError, at: Endpoint) -> bool:
    """Whether the same call works in a moment: the server has not yet noticed what was only just made."""
    text = str(error)
    if error.code == 409:
        # Admission counts a quota optimistically: two creates at once in one namespace.
        return error.subject == "resourcequotas" != at.plural
    if error.code == 403:
        return "error looking up service account" in text or "status unknown for quota" in text
    # A new CustomResourceDefinition is established before every handler serves it.
    return error.code == 404 and not error.subject


def _is_conflict(error: ApiError) -> bool:
    return error.code == 409 and any(reason == "FieldManagerConflict" for reason, _, _ in error.causes)


def _is_gone(error: ApiError, at: Endpoint) -> bool:
    """Whether the object is not there: before the write, or with another uid or none in it."""
    if error.code == 422:
        return any(field == "metadata.uid" for _, _, field in error.causes)
    of_it = error.subject in (at.plural, _qualified(at))
    return of_it and (error.code == 404 or (error.code == 409 and "uid mismatch" in str(error)))


def _conflict(error: ApiError) -> Conflict:
    fields = "; ".join(f"{field} ({message})" for _, message, field in error.causes)
    return Conflict(
        f'other field managers own {fields}; set the annotation {objects.PATCH_FORCE}: "true" to take these fields over'
    )
