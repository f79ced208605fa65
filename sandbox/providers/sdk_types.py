"""What an installed Pulumi SDK says about its resource types and functions, and validation against it."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from threading import RLock

import pulumi

from sandbox.providers import sdk_source
from sandbox.providers.interface import CheckFailure, Properties, ProviderError, Unknown, Value
from sandbox.providers.sdk_source import ListOf, MapOf, OneOf, Property, Reference, Scalar, Type


class SdkTypes:
    """The types of one SDK package, such as `SdkTypes("aws")` for `pulumi_aws`; safe to use from several threads."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.python_package = f"pulumi_{package.replace('-', '_')}"
        self.version = version(self.python_package)
        self.folder = sdk_source.package_folder(self.python_package)
        self._lock = RLock()
        self._inputs: dict[str, Mapping[str, Property]] = {}
        self._outputs: dict[str, Mapping[str, Property]] = {}
        self._secrets: dict[str, frozenset[str]] = {}
        self._nested: dict[Reference, Mapping[str, Property] | frozenset[object]] = {}
        self._classes, self._modules = self._registrations()

    def _registrations(self) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
        """Token -> (Python module, class) and token module -> Python module, from the package's registration data."""
        text = (self.folder / "__init__.py").read_text(encoding="utf-8")
        found = re.search(r'resource_modules="""\n(.*?)\n"""', text, re.DOTALL)
        if found is None:
            raise ProviderError(f"{self.python_package}: no registration data in its __init__.py")
        classes: dict[str, tuple[str, str]] = {}
        modules = {"index": self.python_package}
        for module in json.loads(found.group(1)):
            modules.setdefault(module["mod"].split("/")[0], module["fqn"])
            classes.update({token: (module["fqn"], name) for token, name in module["classes"].items()})
        return classes, modules

    def tokens(self) -> frozenset[str]:
        """Every resource type of the package."""
        return frozenset(self._classes)

    def inputs(self, token: str) -> Mapping[str, Property]:
        """Input properties by wire name. Raises ProviderError for a type that the package does not have."""
        return self._resource(token, self._inputs)

    def outputs(self, token: str) -> Mapping[str, Property]:
        """Output properties by wire name (`id` and `urn` are the engine's own)."""
        return self._resource(token, self._outputs)

    def secret_outputs(self, token: str) -> frozenset[str]:
        """Outputs that the SDK declares secret."""
        self.inputs(token)
        return self._secrets[token]

    def config(self) -> Mapping[str, Property]:
        """Input properties of the provider itself."""
        return self._resource(f"pulumi:providers:{self.package}", self._inputs)

    def invoke_inputs(self, token: str) -> Mapping[str, Property]:
        """Arguments of a function by wire name."""
        return self._invoke(token)[0]

    def invoke_outputs(self, token: str) -> Mapping[str, Property]:
        """Result properties of a function by wire name."""
        return self._invoke(token)[1]

    def nested(self, reference: Reference) -> Mapping[str, Property] | frozenset[object]:
        """The properties of a nested class, or the values of an enumeration."""
        with self._lock:
            if reference not in self._nested:
                self._nested[reference] = self._read_nested(reference)
            return self._nested[reference]

    def validate(self, token: str, inputs: Properties) -> list[CheckFailure]:
        """What is wrong with a resource's inputs: unknown or missing property, wrong type; each names its path."""
        return self.validate_object(self.inputs(token), inputs)

    def validate_invoke(self, token: str, arguments: Properties) -> list[CheckFailure]:
        """The same for a function's arguments."""
        return self.validate_object(self.invoke_inputs(token), arguments)

    def validate_object(
        self, known: Mapping[str, Property], given: Mapping[str, Value], path: str = ""
    ) -> list[CheckFailure]:
        failures: list[CheckFailure] = []
        for name, value in given.items():
            where = join(path, name)
            if name.startswith("__"):  # the engine's own, such as __defaults
                continue
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                failures.append(
                    CheckFailure(where, f"unknown property `{name}`" + (f"; did you mean `{near[0]}`?" if near else ""))
                )
            elif value is not None:
                failures.extend(self._mismatch(known[name].type, value, where))
        failures.extend(
            CheckFailure(join(path, name), f"missing required property `{name}`")
            for name, known_property in known.items()
            if known_property.required and given.get(name) is None
        )
        return failures

    def _mismatch(self, type: Type, value: Value, path: str) -> list[CheckFailure]:
        if value is None or isinstance(value, Unknown):
            return []
        if isinstance(type, Scalar):
            return (
                []
                if _is(type, value)
                else [_wrong(path, f"a{'n' if type.name[0] in 'aei' else ''} {type.name}", value)]
            )
        if isinstance(type, ListOf):
            if not isinstance(value, Sequence) or isinstance(value, str):
                return [_wrong(path, "a list", value)]
            return [f for i, item in enumerate(value) for f in self._mismatch(type.item, item, f"{path}[{i}]")]
        if isinstance(type, MapOf):
            if not isinstance(value, Mapping):
                return [_wrong(path, "a map", value)]
            return [f for key, item in value.items() for f in self._mismatch(type.value, item, join(path, key))]
        if isinstance(type, OneOf):
            attempts = [self._mismatch(option, value, path) for option in type.options]
            # The option of the right kind fails further down, which tells more than "expected a string".
            return min(
                attempts,
                key=lambda failures: (bool(failures), any(f.property == path for f in failures), len(failures)),
            )
        nested = self.nested(type)
        if isinstance(nested, frozenset):
            if value in nested:
                return []
            return [CheckFailure(path, f"expected one of {', '.join(sorted(map(str, nested)))}; got {value!r}")]
        if not isinstance(value, Mapping):
            return [_wrong(path, "an object", value)]
        return self.validate_object(nested, value, path)

    def _resource(self, token: str, table: dict[str, Mapping[str, Property]]) -> Mapping[str, Property]:
        with self._lock:
            if token not in self._inputs:
                self._read_resource(token)
            return table[token]

    def _read_resource(self, token: str) -> None:
        if token == f"pulumi:providers:{self.package}":
            module, name = self.python_package, "Provider"
        elif token in self._classes:
            module, name = self._classes[token]
        else:
            raise ProviderError(f"{token}: {self.python_package} {self.version} has no such resource type")
        folder = self._module_folder(module)
        text = self._file_with(folder, f"class {name}(pulumi.", sdk_source.snake_case(name))
        inputs = sdk_source.input_class(text, f"{name}Args", folder)
        if inputs is None:  # the SDK's name where a nested class took the first one
            inputs = sdk_source.input_class(text, f"{name}InitArgs", folder)
        outputs = sdk_source.output_class(text, name, folder)
        if inputs is None or outputs is None:
            raise ProviderError(f"{token}: {module} holds no {name}Args and {name}")
        self._inputs[token], self._outputs[token] = inputs, outputs
        self._secrets[token] = sdk_source.additional_secret_outputs(text)
        sdk_source.forget_sources()

    def _invoke(self, token: str) -> tuple[Mapping[str, Property], Mapping[str, Property]]:
        with self._lock:
            if token not in self._inputs:
                _, module, function = token.split(":")
                folder = self._module_folder(self._modules.get(module.split("/")[0], self.python_package))
                python_name = sdk_source.snake_case(function)
                text = self._file_with(folder, f"'{token}'", python_name)
                inputs = sdk_source.invoke_arguments(text, python_name, folder)
                outputs = sdk_source.output_class(text, function[0].upper() + function[1:] + "Result", folder)
                if inputs is None or outputs is None:
                    raise ProviderError(f"{token}: {self.python_package} {self.version} has no such function")
                self._inputs[token], self._outputs[token] = inputs, outputs
                sdk_source.forget_sources()
            return self._inputs[token], self._outputs[token]

    def _module_folder(self, module: str) -> Path:
        return self.folder.joinpath(*module.split(".")[1:])

    def _file_with(self, folder: Path, needle: str, likely: str) -> str:
        guess = folder / f"{likely}.py"
        others = (path for path in sorted(folder.glob("*.py")) if path != guess)
        for path in ([guess] if guess.exists() else []) + list(others):
            text = path.read_text(encoding="utf-8")
            if needle in text:
                return text
        raise ProviderError(f"{self.python_package} {self.version} has nothing like {needle} in {folder.name}")

    def _read_nested(self, reference: Reference) -> Mapping[str, Property] | frozenset[object]:
        try:
            if reference.output:
                found = sdk_source.output_class(
                    sdk_source.source(reference.folder / "outputs.py"), reference.name, reference.folder
                )
                return found if found is not None else {}
            for file in ("_inputs.py", "_enums.py"):
                path = reference.folder / file
                if path.exists():
                    text = sdk_source.source(path)
                    properties = (
                        sdk_source.input_class(text, reference.name, reference.folder) if file == "_inputs.py" else None
                    )
                    values = sdk_source.enum_values(text, reference.name) if file == "_enums.py" else None
                    if properties is not None or values is not None:
                        return properties if properties is not None else values or frozenset()
        finally:
            sdk_source.forget_sources()
        raise ProviderError(
            f"{self.python_package} {self.version}: no class {reference.name} in {reference.folder.name}"
        )


def join(path: str, name: str) -> str:
    """A property path with one more step: `a.b`, or `a["b.c"]` where the name is no identifier."""
    if re.fullmatch(r"[A-Za-z_$][\w$-]*", name):
        return f"{path}.{name}" if path else name
    return f'{path}["{name}"]'


def _is(type: Scalar, value: Value) -> bool:
    match type.name:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "integer":
            return not isinstance(value, bool) and (
                isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            )
        case "asset":
            return isinstance(value, pulumi.Asset)
        case "archive":
            return isinstance(value, pulumi.Archive)
        case _:
            return True


def _wrong(path: str, expected: str, value: Value) -> CheckFailure:
    # The value itself may be a secret: only its kind is told.
    kinds = {bool: "a boolean", int: "an integer", float: "a number", str: "a string"}
    got = next((text for kind, text in kinds.items() if isinstance(value, kind)), None)
    got = got or (
        "a list" if isinstance(value, Sequence) else "a map" if isinstance(value, Mapping) else type(value).__name__
    )
    return CheckFailure(path, f"expected {expected}; got {got}")
