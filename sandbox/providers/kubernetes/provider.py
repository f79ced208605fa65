"""The kubernetes provider of the sandbox."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from sandbox.providers.differences import differences, parse, text
from sandbox.providers.interface import (
    Checked,
    Created,
    Diff,
    DiffKind,
    Found,
    PartialFailure,
    Properties,
    Provider,
    ProviderError,
    Resource,
)
from sandbox.providers.kubernetes import (
    checking,
    deletion,
    objects,
    placing,
    previewing,
    replacement,
    settings,
)
from sandbox.providers.kubernetes.cluster import Cluster, cluster
from sandbox.providers.kubernetes.connection import ApiError, Json, Unreachable
from sandbox.providers.kubernetes.discovery import Endpoint, NoSuchKind
from sandbox.providers.kubernetes.rehearsal import Rehearsal
from sandbox.providers.kubernetes.waiting import NotReady, Waiter
from sandbox.providers.kubernetes.writing import Writer, new_manager
from sandbox.providers.registry import sdk_version

_PATIENCE = 30.0
"""Seconds that a real operation allows an API server to come back; a preview allows none."""
_DEFINED = 10.0
"""Seconds that a kind gets to be served after its definition was made."""
_SECRET_KINDS = {"kubernetes:core/v1:Secret": frozenset({"data", "stringData"})}


class KubernetesProvider(Provider):
    """Serves every kind of the API server that its kubeconfig names."""

    name = "kubernetes"

    def __init__(self) -> None:
        self.version = sdk_version(self.name)
        self._settings: settings.Settings | None = None
        self._cluster: Cluster | None = None
        self._waiter: Waiter | None = None
        self._writer: Writer | None = None
        self._answers: bool | None = None

    def check_config(self, inputs: Properties) -> Checked:
        return Checked(inputs, settings.check(inputs))

    def diff_config(self, old: Properties, new: Properties) -> Diff:
        changes = {text(path): kind for path, kind in differences(old, new)}
        if not settings.same_cluster(old, new):
            changes = {
                path: kind.replacing()
                if parse(path)[0] in ("kubeconfig", "context", "cluster", "clusterIdentifier")
                else kind
                for path, kind in changes.items()
            }
        return Diff(changes)

    def configure(self, config: Properties, environment: Mapping[str, str]) -> None:
        self._settings = settings.read(config, environment)
        if self._settings.access is not None:
            self._cluster = cluster(self._settings.access, environment)
            connection = self._cluster.connection
            self._waiter = Waiter(connection, _PATIENCE)
            self._writer = Writer(
                connection, server_side=self._settings.server_side_apply, upsert=self._settings.upsert
            )

    def secret_outputs(self, type: str) -> frozenset[str]:
        return _SECRET_KINDS.get(type, frozenset())

    def check(self, resource: Resource, inputs: Properties, old_inputs: Properties | None, seed: bytes) -> Checked:
        reason = checking.refused(resource.type, inputs)
        if reason is not None:
            raise ProviderError(reason)
        if old_inputs is not None and self._configured.skip_unreachable and not self._reachable():
            self.tell(
                resource.urn, "the cluster is unreachable; skipUpdateUnreachable leaves it as it is", warning=True
            )
            return Checked(old_inputs)
        checked = checking.object_of(resource, inputs)
        failures = checking.failures(checked, server_side=self._configured.server_side_apply)
        if failures:
            return Checked(checked, failures)
        checked = checking.named(resource, checked, old_inputs, seed)
        return Checked(placing.filled(checked, self._configured.namespace, lambda: self._namespaced(checked)))

    def diff(
        self, resource: Resource, id: str, old_inputs: Properties, old_outputs: Properties, inputs: Properties
    ) -> Diff:
        old, new = (
            placing.canonical(objects.normal(each), self._default_namespace, lambda: self._namespaced(inputs))
            for each in (old_inputs, inputs)
        )
        changes = dict(differences(old, new))
        if objects.flag(new, objects.REPLACE_UNREADY):
            if new["kind"] != "Job":
                self.tell(resource.urn, "pulumi.com/replaceUnready has no effect on this kind", warning=True)
            elif self._rehearsal.unready(objects.identity(resource, id, inputs)):
                changes[("metadata", "annotations", objects.REPLACE_UNREADY)] = DiffKind.UPDATE_REPLACE
        if not changes:
            return Diff()
        replaced = replacement.replaced_paths(
            new,
            mutable_config_maps=self._configured.mutable_config_maps,
            mutable_secrets=self._configured.mutable_secrets,
        )
        found = replacement.replacing(changes, replaced)
        same = all(objects.metadata(old, key) == objects.metadata(new, key) for key in ("name", "namespace"))
        first = same and not objects.flag(new, objects.AUTONAMED)
        replaces = any(kind.replaces for kind in found.values())
        return Diff({text(path): kind for path, kind in found.items()}, delete_before_replace=first and replaces)

    def create(self, resource: Resource, inputs: Properties, *, preview: bool, timeout: float) -> Created:
        body = objects.normal(inputs)
        manager = objects.annotation(inputs, objects.FIELD_MANAGER) or new_manager()
        if preview:
            return Created("", previewing.created(body, self._rehearsal.create(body, manager)))
        at = self._endpoint(body, wait=_DEFINED, patience=_PATIENCE)
        namespace = self._namespace(at, body)
        live = self._write.create(
            at, namespace, body, manager, force=self._forced(inputs), dry_run=False, patience=_PATIENCE
        )
        return Created(objects.id_of(live), self._settled(resource, at, live, inputs, manager, timeout))

    def read(self, resource: Resource, id: str, inputs: Properties, outputs: Properties) -> Found | None:
        wanted = objects.identity(resource, id, inputs)
        try:
            at = self._endpoint_of(wanted)
            path = at.path(wanted.namespace or self._default_namespace, wanted.name)
            live = self._connected.connection.request("GET", path, patience=self._allowance)
        except NoSuchKind:
            return None
        except ApiError as error:
            if error.code == 404:
                return None
            raise
        except Unreachable as error:
            return self._unread(resource, id, inputs, outputs, error)
        # A create whose engine was killed is in the state without its outputs: it goes on under the manager it has.
        applied = objects.applied_by(live) if inputs else ""
        seen = objects.outputs_of(live, str(outputs.get(objects.MANAGER_OUTPUT) or applied or new_manager()))
        if not inputs:
            return Found(objects.id_of(live), objects.adopted_inputs(live), seen)
        as_written = objects.drifted_inputs(objects.normal(inputs), objects.normal(outputs), live)
        state = self._wait.seen(live, inputs)
        if not state.ready:
            raise PartialFailure(id, as_written, seen, [f"{wanted.kind} {wanted.name} is not ready: {state.reason}"])
        return Found(id, as_written, seen)

    def update(
        self,
        resource: Resource,
        id: str,
        old_inputs: Properties,
        old_outputs: Properties,
        inputs: Properties,
        *,
        preview: bool,
        timeout: float,
    ) -> Properties:
        old, body = objects.normal(old_inputs), objects.normal(inputs)
        manager = str(objects.annotation(inputs, objects.FIELD_MANAGER) or old_outputs.get(objects.MANAGER_OUTPUT, ""))
        manager = manager or new_manager()
        if preview:
            dry = self._rehearsal.update(old, body, manager, force=self._forced(inputs), ignored=resource.ignored)
            return previewing.updated(dict(old_outputs), body, dry)
        at = self._endpoint(body, wait=_DEFINED, patience=_PATIENCE)
        namespace = self._namespace(at, body)
        live = self._write.update(
            at, namespace, old, body, manager,
            force=self._forced(inputs), dry_run=False, patience=_PATIENCE, ignored=resource.ignored,
        )  # fmt: skip
        return self._settled(resource, at, live, inputs, manager, timeout)

    def delete(self, resource: Resource, id: str, inputs: Properties, outputs: Properties, *, timeout: float) -> None:
        wanted = objects.identity(resource, id, inputs)
        policy = deletion.policy(wanted.kind, inputs)
        uid = objects.metadata(outputs, "uid")
        try:
            at = self._endpoint_of(wanted)
            namespace = wanted.namespace or self._default_namespace
            gone = self._write.delete(at, namespace, wanted.name, uid, policy, self._allowance)
        except NoSuchKind:  # the definition is gone, and every object of the kind with it
            return
        except Unreachable as error:
            if self._configured.delete_unreachable:
                self.tell(
                    resource.urn, "the cluster is unreachable; deleteUnreachable forgets the object", warning=True
                )
                return
            raise ProviderError(f"{error}; if the cluster is gone, set PULUMI_K8S_DELETE_UNREACHABLE=true") from None
        if gone or policy == "Orphan" or not deletion.waits(wanted, inputs):
            return
        try:
            self._wait.gone(at.path(namespace, wanted.name), uid, inputs, timeout)
        except NotReady as late:
            raise ProviderError(f"{wanted.kind} {id} was not deleted: {late.reason}") from None

    def invoke(self, token: str, args: Properties) -> Properties:
        if token == "kubernetes:yaml:decode":
            loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
            documents = yaml.load_all(str(args.get("text") or ""), Loader=loader)
            return {"result": [document for document in documents if document is not None]}
        raise ProviderError(f"{token}: the sandbox's kubernetes stand-in does not serve this function")

    def cancel(self) -> None:
        if self._waiter is not None:
            self._waiter.cancel()

    @property
    def _configured(self) -> settings.Settings:
        if self._settings is None:
            raise ProviderError("the kubernetes provider is not configured")
        return self._settings

    @property
    def _connected(self) -> Cluster:
        if self._cluster is None:
            raise Unreachable(self._configured.unusable)
        return self._cluster

    @property
    def _write(self) -> Writer:
        if self._writer is None:
            raise Unreachable(self._configured.unusable)
        return self._writer

    @property
    def _rehearsal(self) -> Rehearsal:
        return Rehearsal(self._cluster, self._writer, self._default_namespace)

    @property
    def _wait(self) -> Waiter:
        if self._waiter is None:
            raise Unreachable(self._configured.unusable)
        return self._waiter

    @property
    def _default_namespace(self) -> str:
        return self._configured.namespace or "default"

    @property
    def _allowance(self) -> float:
        """Patience for reads and deletes: none where the settings say what to do without an answer."""
        lenient = self._configured.delete_unreachable or self._configured.skip_unreachable
        return 0.0 if lenient else _PATIENCE

    def _endpoint(self, body: Json, *, wait: float = 0.0, patience: float) -> Endpoint:
        return self._connected.discovery.endpoint(
            str(body["apiVersion"]), str(body["kind"]), wait=wait, patience=patience
        )

    def _endpoint_of(self, wanted: objects.Identity) -> Endpoint:
        return self._endpoint({"apiVersion": wanted.api_version, "kind": wanted.kind}, patience=self._allowance)

    def _namespace(self, at: Endpoint, body: Json) -> str:
        return objects.namespace(body, self._default_namespace) if at.namespaced else ""

    def _namespaced(self, body: Properties) -> bool:
        try:
            return self._endpoint(dict(body), patience=0.0).namespaced
        except (NoSuchKind, Unreachable):
            return True  # most are; create asks again

    def _forced(self, inputs: Properties) -> bool:
        said = objects.annotation(inputs, objects.PATCH_FORCE)
        return self._configured.patch_force if said is None else said.lower() == "true"

    def _reachable(self) -> bool:
        if self._answers is None:
            try:
                self._connected.connection.request("GET", "/version")
                self._answers = True
            except Unreachable:
                self._answers = False
        return self._answers

    def _settled(
        self, resource: Resource, at: Endpoint, live: Json, inputs: Properties, manager: str, timeout: float
    ) -> Json:
        """The outputs once the object is ready. Raises PartialFailure where it exists and is not."""
        path = at.path(str(live["metadata"].get("namespace", "")), str(live["metadata"]["name"]))
        try:
            live, remark = self._wait.ready(live, path, inputs, timeout)
        except NotReady as late:
            reason = f"{at.kind} {objects.id_of(live)} exists and is not ready: {late.reason}"
            raise PartialFailure(
                objects.id_of(live), inputs, objects.outputs_of(late.live, manager), [reason]
            ) from None
        except ProviderError as error:
            reason = f"{at.kind} {objects.id_of(live)} exists, and its readiness is not known: {error}"
            raise PartialFailure(objects.id_of(live), inputs, objects.outputs_of(live, manager), [reason]) from None
        if remark:
            self.tell(resource.urn, remark)
        return objects.outputs_of(live, manager)

    def _unread(
        self, resource: Resource, id: str, inputs: Properties, outputs: Properties, error: Unreachable
    ) -> Found | None:
        if self._configured.delete_unreachable:
            self.tell(resource.urn, "the cluster is unreachable; deleteUnreachable forgets the object", warning=True)
            return None
        if self._configured.skip_unreachable:
            self.tell(
                resource.urn, "the cluster is unreachable; skipUpdateUnreachable keeps what was known", warning=True
            )
            return Found(id, inputs, outputs)
        raise ProviderError(f"{error}; if the cluster is gone, set PULUMI_K8S_DELETE_UNREACHABLE=true")
