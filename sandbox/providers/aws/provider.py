"""The AWS stand-in: Pulumi's `aws` types over the sandbox's AWS endpoint."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from sandbox.home import Home
from sandbox.providers.aws import engine, recording, tagging
from sandbox.providers.aws.about import about
from sandbox.providers.aws.api import Api
from sandbox.providers.aws.configuration import Settings
from sandbox.providers.aws.context import Context
from sandbox.providers.aws.invokes import INVOKES
from sandbox.providers.aws.observation import found_inputs, grown, merged
from sandbox.providers.aws.requests import refused, unknown_within
from sandbox.providers.aws.table import AwsType
from sandbox.providers.aws.tables import OPERATIONS, TABLE
from sandbox.providers.interface import (
    UNKNOWN,
    Checked,
    CheckFailure,
    Created,
    Diff,
    DiffKind,
    Found,
    Properties,
    ProviderError,
    Resource,
    Value,
)
from sandbox.providers.typed import Kind, ResourceType, TypedProvider


class AwsProvider(TypedProvider):
    """One configured `aws` provider."""

    name = "aws"
    table = TABLE

    def __init__(self) -> None:
        super().__init__()
        self._settings: Settings | None = None
        self._api: Api | None = None
        self._home = Home.from_environment()

    @property
    def api(self) -> Api:
        if self._api is None:
            raise ProviderError("the aws provider is not configured")
        return self._api

    def check_config(self, inputs: Properties) -> Checked:
        checked = super().check_config(inputs)
        return Checked(checked.inputs, [*checked.failures, *Settings.refused(inputs)])

    def configure(self, config: Properties, environment: Mapping[str, str]) -> None:
        self._settings = Settings.read(config, environment)
        self._home = Home.from_environment(environment)
        self._api = self._settings.api(OPERATIONS)

    def normalise(self, entry: ResourceType, inputs: dict[str, Value]) -> dict[str, Value]:
        """Default tags under the resource's own, and policy documents that were given as objects as JSON."""
        if self._settings and "tagsAll" in self.sdk.outputs(entry.token):
            tags = tagging.with_defaults(self._settings.default_tags, inputs.get("tags"))
            if tags:
                inputs["tags"] = tags
        for name in entry.documents & set(inputs):
            value = inputs[name]
            if isinstance(value, Mapping) and not unknown_within(value):
                inputs[name] = json.dumps(value)
        return inputs

    def check(self, resource: Resource, inputs: Properties, old_inputs: Properties | None, seed: bytes) -> Checked:
        checked = super().check(resource, inputs, old_inputs, seed)
        failures = list(checked.failures)
        entry = self.entry(resource.type)
        region = checked.inputs.get("region")
        if isinstance(region, str) and "region" in self.sdk.inputs(entry.token) and region != self.api.region:
            failures.append(
                CheckFailure("region", f"the sandbox's region is {self.api.region}; use a provider of region {region}")
            )
        if not failures and isinstance(entry, AwsType):
            failures.extend(refused(self._context(resource, entry, dict(checked.inputs))))
        return Checked(checked.inputs, failures)

    def diff(
        self, resource: Resource, id: str, old_inputs: Properties, old_outputs: Properties, inputs: Properties
    ) -> Diff:
        """By table; a property that is newly given and is so already, as the state saw it, is no change (import)."""
        entry = self.entry(resource.type)
        there = grown(entry, inputs, old_outputs)
        inputs = {**inputs, **there}
        found = super().diff(resource, id, {**old_inputs, **there}, old_outputs, inputs)
        context = self._context(resource, entry, _own(inputs))

        def is_so(path: str) -> bool:
            name = re.split(r"[.\[]", path, maxsplit=1)[0]
            return bool(merged(context, name, inputs.get(name), old_outputs.get(name)) == inputs.get(name))

        added = (DiffKind.ADD, DiffKind.ADD_REPLACE)
        changes = {path: kind for path, kind in found.changes.items() if not (kind in added and is_so(path))}
        return Diff(changes, found.delete_before_replace)

    def create(self, resource: Resource, inputs: Properties, *, preview: bool, timeout: float) -> Created:
        entry = self.entry(resource.type)
        if preview:
            return Created("", self._predicted(entry, inputs))
        context = self._context(resource, entry, _own(inputs), seconds=timeout)
        with about(resource, context):
            outputs = (recording if entry.kind is Kind.RECORDED else engine).create(context)
        return Created(context.id, outputs)

    def read(self, resource: Resource, id: str, inputs: Properties, outputs: Properties) -> Found | None:
        entry = self.entry(resource.type)
        context = self._context(resource, entry, _own(inputs), id=id, outputs=outputs)
        with about(resource, context):
            kept = {name: value for name, value in inputs.items() if name.startswith("__")}
            if entry.kind is Kind.RECORDED:
                record = recording.read(context)
                return Found(record.id, {**record.inputs, **kept}, record.outputs) if record else None
            found = engine.read(context)
            if found is None:
                return None
            wanted = found_inputs(context, _own(inputs), found)
            context.inputs = wanted
            context.outputs = {n: v for n, v in outputs.items() if n in wanted}
            return Found(context.id, {**wanted, **kept}, engine.outputs(context, found))

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
        entry = self.entry(resource.type)
        inputs = {**inputs, **grown(entry, inputs, old_outputs)}
        if preview:
            changing: dict[str, Value] = dict.fromkeys(_volatile(entry), UNKNOWN)
            # What is asked for as before stays as it is: a server here has another port than the one asked for.
            given = {name: value for name, value in _own(inputs).items() if value != old_inputs.get(name)}
            return {**old_outputs, **given, **self._tags_all(entry, inputs), **changing}
        context = self._context(
            resource, entry, _own(inputs), id=id, old=_own(old_inputs), outputs=old_outputs, seconds=timeout
        )
        with about(resource, context):
            state: dict[str, Any] = (recording if entry.kind is Kind.RECORDED else engine).update(context)
        return state

    def delete(self, resource: Resource, id: str, inputs: Properties, outputs: Properties, *, timeout: float) -> None:
        entry = self.entry(resource.type)
        context = self._context(resource, entry, _own(inputs), id=id, outputs=outputs, seconds=timeout)
        with about(resource, context):
            (recording if entry.kind is Kind.RECORDED else engine).delete(context)

    def invoke(self, token: str, args: Properties) -> Properties:
        if token not in INVOKES:
            raise ProviderError(f"{token}: the sandbox's aws stand-in does not serve this function")
        given = {name: value for name, value in args.items() if value is not None}
        failures = self.sdk.validate_invoke(token, given)
        if failures:
            raise ProviderError(f"{token}: {failures[0].property}: {failures[0].reason}")
        return INVOKES[token](self.api, given)

    def secret_outputs(self, type: str) -> frozenset[str]:
        if type in INVOKES:
            secret = {"secretString", "secretBinary"}
            return frozenset(secret) if type.endswith(":getSecretVersion") else frozenset()
        return super().secret_outputs(type)

    def close(self) -> None:
        if self._api is not None:
            self._api.close()

    def _context(
        self,
        resource: Resource,
        entry: ResourceType,
        inputs: dict[str, Any],
        *,
        id: str = "",
        old: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
        seconds: float = 0,
    ) -> Context:
        assert isinstance(entry, AwsType)
        return Context(
            self.api,
            entry,
            self.sdk,
            resource,
            self._home,
            self.tell,
            inputs,
            id,
            old or {},
            outputs or {},
            {},
            seconds,
        )

    def _tags_all(self, entry: ResourceType, inputs: Properties) -> dict[str, Value]:
        known = "tagsAll" in self.sdk.outputs(entry.token)
        return {"tagsAll": inputs.get("tags", {})} if known else {}

    def _predicted(self, entry: ResourceType, inputs: Properties) -> Properties:
        """What a preview can say: the inputs, and UNKNOWN for what the service decides."""
        takes = self.sdk.inputs(entry.token)
        decided = [
            n for n in self.sdk.outputs(entry.token) if n not in inputs and (n not in takes or n in entry.computed)
        ]
        return {**dict.fromkeys(decided, UNKNOWN), **_own(inputs), **self._tags_all(entry, inputs)}


def _own(properties: Properties) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if not name.startswith("__") and value is not None}


def _volatile(entry: ResourceType) -> frozenset[str]:
    return entry.volatile if isinstance(entry, AwsType) else frozenset()
