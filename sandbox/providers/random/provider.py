"""The `random` provider's types on the operating system's generator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from sandbox.providers.interface import (
    UNKNOWN,
    Created,
    Found,
    Properties,
    ProviderError,
    Resource,
    Value,
)
from sandbox.providers.random import draw
from sandbox.providers.random.table import CLASSES, ID, MINIMA, PASSWORD, STRING, TABLE, UUID
from sandbox.providers.typed import ResourceType, TypedProvider

# The provider gives every password this id, so that the value does not become the id.
_PASSWORD_ID = "none"
_COMPUTED = {
    ID: ("b64Url", "b64Std", "hex", "dec"),
    PASSWORD: ("result", "bcryptHash"),
    STRING: ("result",),
    UUID: ("result",),
}


class RandomProvider(TypedProvider):
    """Values live in the state alone: reading answers what the state holds, deleting does nothing."""

    name = "random"
    table: ClassVar = TABLE

    def configure(self, config: Properties, environment: Mapping[str, str]) -> None:
        """There is nothing to configure."""

    def normalise(self, entry: ResourceType, inputs: dict[str, Value]) -> dict[str, Value]:
        """An empty map of keepers is none (the provider replaces only where a keeper has a value)."""
        if inputs.get("keepers") == {}:
            del inputs["keepers"]
        return inputs

    def create(self, resource: Resource, inputs: Properties, *, preview: bool, timeout: float) -> Created:
        given = _outputs(resource.type, inputs)
        if preview:
            return Created("", {**given, **dict.fromkeys(_COMPUTED[resource.type], UNKNOWN)})
        if resource.type == ID:
            value = draw.random_bytes(_integer(inputs, "byteLength"))
            return Created(draw.base64_url(value), {**given, **draw.spellings(value, str(inputs.get("prefix", "")))})
        if resource.type == UUID:
            result = draw.random_uuid()
            return Created(result, {**given, "result": result})
        result = draw.text(_integer(inputs, "length"), _alphabet(given))
        if resource.type == STRING:
            return Created(result, {**given, "result": result})
        return Created(_PASSWORD_ID, {**given, "result": result, "bcryptHash": draw.bcrypt_hash(result)})

    def read(self, resource: Resource, id: str, inputs: Properties, outputs: Properties) -> Found | None:
        self.entry(resource.type)
        if all(name in outputs for name in _COMPUTED[resource.type]):
            return Found(id, inputs, outputs)
        found = _imported(resource.type, id)
        if found is None or not inputs:
            return found
        # A creation that a killed engine did not see the end of: what was drawn is in the id, the rest in the inputs.
        prefix = str(inputs.get("prefix", ""))
        computed = {name: found.outputs[name] for name in _COMPUTED[resource.type]}
        if resource.type == ID:
            computed = dict(draw.spellings(draw.from_base64_url(id), prefix))
        return Found(id, inputs, {**_outputs(resource.type, inputs), **computed})

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
        """Only what changes no value gets here: every other change replaces."""
        return {**old_outputs, **_outputs(resource.type, inputs)}

    def delete(self, resource: Resource, id: str, inputs: Properties, outputs: Properties, *, timeout: float) -> None:
        """The value goes with the state."""

    def invoke(self, token: str, args: Properties) -> Properties:
        raise ProviderError(f"{token}: the random provider has no functions")


def _imported(token: str, id: str) -> Found | None:
    """What an import makes of an id: the value itself is the id, but for passwords, whose import id is the password.

    https://www.pulumi.com/registry/packages/random/api-docs/randompassword/#import
    """
    inputs: dict[str, Value]
    if token == ID:
        prefix, _, encoded = id.rpartition(",")
        value = draw.from_base64_url(encoded)
        inputs = {"byteLength": len(value)} | ({"prefix": prefix} if prefix else {})
        return Found(encoded, inputs, {**inputs, **draw.spellings(value, prefix)})
    if token == UUID:
        result = draw.canonical_uuid(id)
        return Found(result, {}, {"result": result})
    if token == PASSWORD and id == _PASSWORD_ID:
        # A password that was drawn and not yet in the state when the engine was killed: its value is lost.
        return None
    inputs = {"length": len(id)}
    outputs = {**_outputs(token, inputs), "result": id}
    if token == STRING:
        return Found(id, inputs, outputs)
    return Found(_PASSWORD_ID, inputs, {**outputs, "bcryptHash": draw.bcrypt_hash(id)})


def _outputs(token: str, inputs: Properties) -> dict[str, Value]:
    """The inputs with the provider's defaults, as its outputs show them."""
    given = {name: value for name, value in inputs.items() if not name.startswith("__")}
    if token in (ID, UUID):
        return given
    numeric = given.get("numeric", given.get("number", True))
    defaults = {**dict.fromkeys(CLASSES, True), **dict.fromkeys(MINIMA, 0)}
    return {**defaults, **given, "numeric": numeric, "number": numeric}


def _alphabet(outputs: Properties) -> draw.Alphabet:
    return draw.Alphabet(
        lower=bool(outputs["lower"]),
        upper=bool(outputs["upper"]),
        numeric=bool(outputs["numeric"]),
        special=bool(outputs["special"]),
        override_special=str(outputs.get("overrideSpecial", "")),
        min_lower=_integer(outputs, "minLower"),
        min_upper=_integer(outputs, "minUpper"),
        min_numeric=_integer(outputs, "minNumeric"),
        min_special=_integer(outputs, "minSpecial"),
    )


def _integer(properties: Properties, name: str) -> int:
    value = properties[name]
    assert isinstance(value, int | float)  # checked against the SDK's types
    return int(value)
