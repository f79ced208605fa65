"""Pulumi's ResourceProvider protocol over gRPC, for a `Provider` that knows only plain values.

Source: proto/pulumi/provider.proto and sdk/go/common/resource/plugin/provider_plugin.go of the engine.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any, TypeVar

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, plugin_pb2, provider_pb2, provider_pb2_grpc

from sandbox.providers import differences
from sandbox.providers.creations import Creations
from sandbox.providers.failures import abort, abort_partial
from sandbox.providers.interface import (
    Autonaming,
    Checked,
    Diff,
    DiffKind,
    NamingMode,
    PartialFailure,
    Provider,
    ProviderError,
    Resource,
)
from sandbox.providers.values import Decoded, decode, encode

log = logging.getLogger(__name__)

Request = TypeVar("Request")
Response = TypeVar("Response")

# What the engine keeps among a provider's inputs for itself.
_ENGINES_OWN = ("version", "pluginDownloadURL", "pluginChecksums")

_KINDS = {
    DiffKind.ADD: provider_pb2.PropertyDiff.ADD,
    DiffKind.ADD_REPLACE: provider_pb2.PropertyDiff.ADD_REPLACE,
    DiffKind.DELETE: provider_pb2.PropertyDiff.DELETE,
    DiffKind.DELETE_REPLACE: provider_pb2.PropertyDiff.DELETE_REPLACE,
    DiffKind.UPDATE: provider_pb2.PropertyDiff.UPDATE,
    DiffKind.UPDATE_REPLACE: provider_pb2.PropertyDiff.UPDATE_REPLACE,
}


def _answering(
    method: Callable[[Servicer, Request, grpc.ServicerContext], Response],
) -> Callable[[Servicer, Request, grpc.ServicerContext], Response]:
    """Turn what a provider raises into one clean gRPC error."""

    @wraps(method)
    def answer(self: Servicer, request: Request, context: grpc.ServicerContext) -> Response:
        try:
            return method(self, request, context)
        except Exception as error:
            if context.code() is not None:  # already ended, by abort_partial
                raise
            abort(context, f"{self.provider.name} {method.__name__} {getattr(request, 'urn', '')}", error)

    return answer


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """One provider instance, serving one engine process."""

    def __init__(self, provider: Provider, environment: Mapping[str, str], creations: Creations) -> None:
        self.provider = provider
        self._environment = environment
        self._creations = creations
        self._engine: engine_pb2_grpc.EngineStub | None = None
        self._channel: grpc.Channel | None = None

    def close(self) -> None:
        """Drop the connection back to the engine, and the provider's own."""
        if self._channel is not None:
            self._channel.close()
        self.provider.close()

    def _listen_to(self, address: str) -> None:
        if not address or self._channel is not None:
            return
        self._channel = grpc.insecure_channel(address)
        self._engine = engine_pb2_grpc.EngineStub(self._channel)
        self.provider.tell = self._tell

    def _tell(self, urn: str, text: str, *, warning: bool = False) -> None:
        assert self._engine is not None
        severity = engine_pb2.WARNING if warning else engine_pb2.INFO
        try:
            self._engine.Log(
                engine_pb2.LogRequest(severity=severity, message=text, urn=urn, ephemeral=not warning), timeout=5
            )
        except grpc.RpcError as error:  # an engine that is going away must not fail the work in hand
            log.warning("the engine did not take %r: %s", text, error)

    @_answering
    def Handshake(self, request: Any, context: Any) -> Any:
        self._listen_to(request.engine_address)
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=True, accept_resources=True, accept_outputs=False, supports_autonaming_configuration=True
        )

    @_answering
    def Attach(self, request: Any, context: Any) -> Any:
        self._listen_to(request.address)
        return Empty()

    @_answering
    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=self.provider.version)

    @_answering
    def GetSchema(self, request: Any, context: Any) -> Any:
        # The SDKs carry the types; the engine only needs a valid answer.
        return provider_pb2.GetSchemaResponse(
            schema=json.dumps({"name": self.provider.name, "version": self.provider.version})
        )

    @_answering
    def CheckConfig(self, request: Any, context: Any) -> Any:
        given = decode(request.news)
        kept = {k: v for k, v in given.properties.items() if k in _ENGINES_OWN or k.startswith("__")}
        checked = self.provider.check_config({k: v for k, v in given.properties.items() if k not in kept})
        return _check_response(Checked({**checked.inputs, **kept}, checked.failures), given, frozenset())

    @_answering
    def DiffConfig(self, request: Any, context: Any) -> Any:
        old = decode(request.old_inputs if request.HasField("old_inputs") else request.olds).properties
        new = decode(request.news).properties
        ours = [{k: v for k, v in p.items() if k not in _ENGINES_OWN and not k.startswith("__")} for p in (old, new)]
        return _diff_response(self.provider.diff_config(*ours), request.ignoreChanges)

    @_answering
    def Configure(self, request: Any, context: Any) -> Any:
        config = decode(request.args).properties
        self.provider.configure({k: v for k, v in config.items() if k not in _ENGINES_OWN}, self._environment)
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True,
            acceptResources=True,
            acceptOutputs=False,
            supportsPreview=True,
            supports_autonaming_configuration=True,
        )

    @_answering
    def Check(self, request: Any, context: Any) -> Any:
        resource = _resource(request)
        if request.HasField("autonaming"):
            setting = Autonaming(request.autonaming.proposed_name, NamingMode(request.autonaming.mode))
            resource = replace(resource, autonaming=setting)
        given = decode(request.news)
        old = decode(request.olds).properties if request.olds.fields else None
        checked = self.provider.check(resource, given.properties, old, request.randomSeed)
        return _check_response(checked, given, self.provider.secret_outputs(resource.type))

    @_answering
    def Diff(self, request: Any, context: Any) -> Any:
        found = self.provider.diff(
            _resource(request),
            request.id,
            decode(request.old_inputs).properties,
            decode(request.olds).properties,
            decode(request.news).properties,
        )
        return _diff_response(found, request.ignoreChanges)

    @_answering
    def Create(self, request: Any, context: Any) -> Any:
        if request.preview:
            return self._create(request, context)
        with self._creations.attempt(request.urn):
            return self._create(request, context)

    def _create(self, request: Any, context: Any) -> Any:
        resource = _resource(request)
        given = decode(request.properties)
        secret = self.provider.secret_outputs(resource.type)
        try:
            made = self.provider.create(resource, given.properties, preview=request.preview, timeout=request.timeout)
        except PartialFailure as failure:
            self._creations.record(resource.urn, failure.id)
            abort_partial(context, failure, (given.marks,), secret)
        if not request.preview:
            if not made.id:
                raise ProviderError(f"{resource.type} was made without an id")
            self._creations.record(resource.urn, made.id)
        return provider_pb2.CreateResponse(id=made.id, properties=encode(made.outputs, given.marks, secret=secret))

    @_answering
    def Read(self, request: Any, context: Any) -> Any:
        resource = _resource(request)
        inputs, state = decode(request.inputs), decode(request.properties)
        secret = self.provider.secret_outputs(resource.type)
        marks = (inputs.marks, state.marks)
        try:
            found = self.provider.read(resource, request.id, inputs.properties, state.properties)
        except PartialFailure as failure:
            abort_partial(context, failure, marks, secret)
        if found is None:
            self._creations.forget(resource.urn, request.id)  # somebody else deleted it
            return provider_pb2.ReadResponse(id="")
        return provider_pb2.ReadResponse(
            id=found.id,
            properties=encode(found.outputs, *marks, secret=secret),
            inputs=encode(found.inputs, inputs.marks, secret=secret),
        )

    @_answering
    def Update(self, request: Any, context: Any) -> Any:
        resource = replace(_resource(request), ignored=tuple(request.ignoreChanges))
        given = decode(request.news)
        secret = self.provider.secret_outputs(resource.type)
        try:
            outputs = self.provider.update(
                resource,
                request.id,
                decode(request.old_inputs).properties,
                decode(request.olds).properties,
                given.properties,
                preview=request.preview,
                timeout=request.timeout,
            )
        except PartialFailure as failure:
            abort_partial(context, failure, (given.marks,), secret)
        return provider_pb2.UpdateResponse(properties=encode(outputs, given.marks, secret=secret))

    @_answering
    def Delete(self, request: Any, context: Any) -> Any:
        inputs, outputs = decode(request.old_inputs).properties, decode(request.properties).properties
        self.provider.delete(_resource(request), request.id, inputs, outputs, timeout=request.timeout)
        self._creations.forget(request.urn, request.id)
        return Empty()

    @_answering
    def Invoke(self, request: Any, context: Any) -> Any:
        args = decode(request.args)
        answer = self.provider.invoke(request.tok, args.properties)
        return provider_pb2.InvokeResponse(
            **{"return": encode(answer, args.marks, secret=self.provider.secret_outputs(request.tok))}
        )

    @_answering
    def Cancel(self, request: Any, context: Any) -> Any:
        self.provider.cancel()
        return Empty()


def _resource(request: Any) -> Resource:
    # urn:pulumi:<stack>::<project>::<parent type$...$type>::<name>
    urn: str = request.urn
    _, _, qualified, name = urn.split("::", 3)
    return Resource(urn, request.type or qualified.rsplit("$", 1)[-1], request.name or name)


def _check_response(checked: Checked, given: Decoded, secret: frozenset[str]) -> Any:
    return provider_pb2.CheckResponse(
        inputs=encode(checked.inputs, given.marks, secret=secret),
        failures=[provider_pb2.CheckFailure(property=f.property, reason=f.reason) for f in checked.failures],
    )


def _diff_response(found: Diff, ignored: Sequence[str]) -> Any:
    changes = differences.without(found.changes, ignored) if ignored else dict(found.changes)
    tops = {path: str(differences.parse(path)[0]) for path in changes}
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if changes else provider_pb2.DiffResponse.DIFF_NONE,
        diffs=sorted(set(tops.values())),
        replaces=sorted({tops[path] for path, kind in changes.items() if kind.replaces}),
        detailedDiff={p: provider_pb2.PropertyDiff(kind=_KINDS[kind], inputDiff=True) for p, kind in changes.items()},
        hasDetailedDiff=True,
        deleteBeforeReplace=found.delete_before_replace,
    )


def serve(servicer: Servicer, server: grpc.Server) -> int:
    """Add the servicer to a server on a free loopback port; returns the port."""
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    return int(server.add_insecure_port("127.0.0.1:0"))


def struct(properties: Mapping[str, Any]) -> Struct:
    """Plain properties as the wire form, with nothing secret."""
    return encode(properties)
