"""Reads the types of an installed Pulumi SDK from its source files, without importing the SDK.

Importing the twelve `pulumi_aws` modules that we use costs 70 MB and a second; cutting one class out of a
file and parsing only that costs milliseconds. The generated code has one form throughout: an `XArgs` class
with a keyword-only `__init__` (no default = required) and a `pulumi.getter(name=...)` per wire name.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from errors import FreeholdError


@dataclass(frozen=True)
class Scalar:
    name: Literal["string", "integer", "number", "boolean", "any", "asset", "archive"]


@dataclass(frozen=True)
class ListOf:
    item: Type


@dataclass(frozen=True)
class MapOf:
    value: Type


@dataclass(frozen=True)
class OneOf:
    options: tuple[Type, ...]


@dataclass(frozen=True)
class Reference:
    """A nested class of the SDK (an object or an enumeration) that is read when it is needed: some are recursive."""

    folder: Path
    name: str
    output: bool = False


Type = Scalar | ListOf | MapOf | OneOf | Reference


@dataclass(frozen=True)
class Property:
    wire: str
    type: Type
    required: bool


_ANY = Scalar("any")
_SCALARS: Mapping[str, Scalar] = {
    "str": Scalar("string"),
    "int": Scalar("integer"),
    "float": Scalar("number"),
    "bool": Scalar("boolean"),
    "Any": _ANY,
    "object": _ANY,
    "Asset": Scalar("asset"),
    "Archive": Scalar("archive"),
}
_TOP_LEVEL = re.compile(r"^(?:@|class |def |async def |if |[A-Za-z_]\w* *=)", re.MULTILINE)


def package_folder(package: str) -> Path:
    """The folder of an installed Python package, which stays unimported."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise FreeholdError(f"the Python package {package} is not installed", mend="run ./freehold doctor")
    return Path(spec.origin).parent


@lru_cache(maxsize=64)
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def forget_sources() -> None:
    """Drops the cached file texts (an `_inputs.py` can be 2 MB); parsed classes are kept by their readers."""
    _text.cache_clear()


def snake_case(name: str) -> str:
    """`bucketOwnershipControls` -> `bucket_ownership_controls`, the SDK's rule for file names."""
    split = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", split).lower()


def _cut(text: str, header: str) -> str | None:
    start = 0 if text.startswith(header) else text.find("\n" + header) + 1
    if start == 0 and not text.startswith(header):
        return None
    end = _TOP_LEVEL.search(text, start + len(header))
    return text[start : end.start() if end else len(text)]


def _class_definition(text: str, name: str) -> ast.ClassDef | None:
    source = _cut(text, f"class {name}:") or _cut(text, f"class {name}(")
    if source is None:
        return None
    node = ast.parse(source).body[0]
    return node if isinstance(node, ast.ClassDef) else None


def _functions(node: ast.ClassDef) -> Iterator[ast.FunctionDef]:
    return (child for child in node.body if isinstance(child, ast.FunctionDef))


def _getters(node: ast.ClassDef) -> Iterator[tuple[str, str, ast.expr | None]]:
    """Python name, wire name and annotated type of each property."""
    for function in _functions(node):
        for decorator in function.decorator_list:
            if ast.unparse(decorator) == "pulumi.getter":
                yield function.name, function.name, function.returns
            elif isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pulumi.getter":
                wire = next((k.value for k in decorator.keywords if k.arg == "name"), None)
                yield (
                    function.name,
                    str(wire.value) if isinstance(wire, ast.Constant) else function.name,
                    function.returns,
                )


def _reference(text: str, folder: Path) -> Type | None:
    """What a quoted name means; None for the forms that never reach the wire."""
    *module, name = text.split(".")
    if name.endswith("ArgsDict"):
        return None
    output = "outputs" in module
    siblings = [part.lstrip("_") for part in module if part != "outputs" and part not in ("pulumi", "_builtins")]
    root = folder if not siblings else _root_of(folder) / siblings[0]
    return Reference(root, name, output)


def _root_of(folder: Path) -> Path:
    return next(p for p in (folder, *folder.parents) if (p / "pulumi-plugin.json").exists())


def read_type(node: ast.expr, folder: Path) -> Type:
    """The type that an annotation names, with Input, Output, Optional and Awaitable taken off."""
    if isinstance(node, ast.Constant):
        return (_reference(str(node.value), folder) or _ANY) if node.value is not None else _ANY
    if isinstance(node, ast.Name | ast.Attribute):
        name = node.id if isinstance(node, ast.Name) else node.attr
        return _SCALARS.get(name, _ANY)
    if not isinstance(node, ast.Subscript):
        return _ANY
    outer = ast.unparse(node.value).rsplit(".", 1)[-1]
    inner = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
    if outer in ("Input", "Output", "Optional", "Awaitable"):
        return read_type(inner[0], folder)
    if outer in ("Sequence", "List", "list"):
        return ListOf(read_type(inner[0], folder))
    if outer in ("Mapping", "Dict", "dict"):
        return MapOf(read_type(inner[1], folder))
    if outer == "Union":
        return _union([o for o in inner if not _never_sent(o)], folder)
    return _ANY


def _never_sent(node: ast.expr) -> bool:
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        return False
    return node.value.endswith("ArgsDict") or node.value.startswith("outputs.")


def _union(options: list[ast.expr], folder: Path) -> Type:
    flat: list[Type] = []
    for option in options:
        found = read_type(option, folder)
        flat.extend(found.options if isinstance(found, OneOf) else [found])
    unique = tuple(dict.fromkeys(flat))
    return unique[0] if len(unique) == 1 else OneOf(unique)


def input_class(text: str, name: str, folder: Path) -> Mapping[str, Property] | None:
    """The properties of an `@pulumi.input_type` class by wire name; None where the text holds no such class."""
    node = _class_definition(text, name)
    if node is None:
        return None
    wires = {python: wire for python, wire, _ in _getters(node)}
    constructor = next((f for f in _functions(node) if f.name == "__init__"), None)
    found: dict[str, Property] = {}
    arguments = constructor.args if constructor else ast.arguments([], [], None, [], [], None, [])
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if argument.annotation is not None:
            wire = wires.get(argument.arg, argument.arg)
            found[wire] = Property(wire, read_type(argument.annotation, folder), default is None)
    return found


def output_class(text: str, name: str, folder: Path) -> Mapping[str, Property] | None:
    """The output properties of a resource or result class by wire name."""
    node = _class_definition(text, name)
    if node is None:
        return None
    return {
        wire: Property(
            wire,
            read_type(returns, folder),
            not ast.unparse(returns).startswith(("Optional", "pulumi.Output[Optional")),
        )
        for _, wire, returns in _getters(node)
        if returns is not None
    }


def enum_values(text: str, name: str) -> frozenset[object] | None:
    """The values of an enumeration class; None where the text holds no such class."""
    node = _class_definition(text, name)
    if node is None:
        return None
    return frozenset(
        child.value.value
        for child in node.body
        if isinstance(child, ast.Assign) and isinstance(child.value, ast.Constant)
    )


def additional_secret_outputs(text: str) -> frozenset[str]:
    """The outputs that the resource class of a file declares secret."""
    found = re.search(r"additional_secret_outputs=\[([^\]]*)\]", text)
    return frozenset(re.findall(r'"([^"]+)"', found.group(1))) if found else frozenset()


def invoke_arguments(text: str, function: str, folder: Path) -> Mapping[str, Property] | None:
    """The arguments of a `get_x` function by wire name.

    Every argument of `get_x` has a default; that of `get_x_output` is annotated `Optional[Optional[...]]` only
    where the argument may be left out.
    """
    source = _cut(text, f"def {function}_output(")
    if source is None:
        return None
    node = ast.parse(source).body[0]
    if not isinstance(node, ast.FunctionDef):
        return None
    wires = {python: wire for wire, python in re.findall(r"__args__\['(\w+)'\] = (\w+)", source)}
    found: dict[str, Property] = {}
    for argument in node.args.args:
        if argument.arg in wires and argument.annotation is not None:
            optional = ast.unparse(argument.annotation).startswith("pulumi.Input[Optional[Optional[")
            wire = wires[argument.arg]
            found[wire] = Property(wire, read_type(argument.annotation, folder), not optional)
    return found


def source(path: Path) -> str:
    """A source file's text, cached until `forget_sources`."""
    return _text(path)
