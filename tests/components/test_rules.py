"""The rules that every component keeps, over all classes there are."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import keyword
import pkgutil
import re
import textwrap
from typing import Any, cast, get_type_hints

import pulumi
import pytest

import components
from components.tags import MANAGER
from tests.components.every_component import SAMPLES, declared
from tests.components.recording import CANARY, Declared, outside_secrets

# Never changed without an alias: a new token makes the engine replace everything below the component.
TOKENS = {
    "Access": "freehold:kubernetes:Access",
    "Autoscaling": "freehold:kubernetes:Autoscaling",
    "BillingWebhook": "freehold:aws:BillingWebhook",
    "FunctionGuard": "freehold:aws:FunctionGuard",
    "Bucket": "freehold:aws:Bucket",
    "BudgetAlerts": "freehold:aws:BudgetAlerts",
    "CacheUser": "freehold:aws:CacheUser",
    "ClosedNamespace": "freehold:kubernetes:ClosedNamespace",
    "ClosedSecurityGroup": "freehold:aws:ClosedSecurityGroup",
    "Cluster": "freehold:aws:Cluster",
    "ClusterAddons": "freehold:aws:ClusterAddons",
    "DefaultStorage": "freehold:kubernetes:DefaultStorage",
    "Enclosure": "freehold:aws:Enclosure",
    "FlowLogs": "freehold:aws:FlowLogs",
    "Key": "freehold:aws:Key",
    "Network": "freehold:aws:Network",
    "NodeAutoscaler": "freehold:kubernetes:NodeAutoscaler",
    "NodeGroup": "freehold:aws:NodeGroup",
    "NodeScaling": "freehold:aws:NodeScaling",
    "Notifier": "freehold:aws:Notifier",
    "NotifierDeployment": "freehold:kubernetes:NotifierDeployment",
    "ObjectAccess": "freehold:aws:ObjectAccess",
    "Postgres": "freehold:aws:Postgres",
    "Quota": "freehold:kubernetes:Quota",
    "Redis": "freehold:aws:Redis",
    "Runner": "freehold:kubernetes:Runner",
    "RunnerIdentity": "freehold:aws:RunnerIdentity",
    "RunnerRights": "freehold:kubernetes:RunnerRights",
    "ServiceLogin": "freehold:postgres:ServiceLogin",
    "SharedDatabase": "freehold:postgres:SharedDatabase",
    "StoredSecret": "freehold:aws:StoredSecret",
    "TenantBoundary": "freehold:aws:TenantBoundary",
    "TenantRules": "freehold:kubernetes:TenantRules",
    "TenantSchema": "freehold:postgres:TenantSchema",
    "TenantWorkspace": "freehold:tenant:TenantWorkspace",
    "Traffic": "freehold:kubernetes:Traffic",
    "Workload": "freehold:kubernetes:Workload",
    "WorkloadRole": "freehold:aws:WorkloadRole",
    "Workspace": "freehold:kubernetes:Workspace",
}

# What runs in a cell's cluster for all tenants; anything else in a namespace is one tenant's.
OF_THE_CELL = {"ClosedNamespace", "NodeAutoscaler", "NotifierDeployment", "Runner"}

every_component = pytest.mark.parametrize("component", SAMPLES, ids=lambda component: component.__name__)


def _classes() -> set[type[pulumi.ComponentResource]]:
    found = set()
    for module in pkgutil.walk_packages(components.__path__, "components."):
        for member in vars(importlib.import_module(module.name)).values():
            if not isinstance(member, type) or member.__module__ != module.name:
                continue
            if issubclass(member, pulumi.ComponentResource):
                found.add(member)
    return found


def _constructor(component: type[pulumi.ComponentResource]) -> ast.FunctionDef:
    tree = ast.parse(textwrap.dedent(inspect.getsource(component)))
    return next(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "__init__")


def test_every_class_has_a_sample() -> None:
    assert _classes() == set(SAMPLES)


def test_type_tokens() -> None:
    tokens = {component.__name__: declared(component).components()[0].type for component in SAMPLES}
    assert tokens == TOKENS
    assert len(set(tokens.values())) == len(tokens)


@every_component
def test_signature_and_frozen_arguments(component: type[pulumi.ComponentResource]) -> None:
    parameters = list(inspect.signature(component.__init__).parameters.values())
    assert [parameter.name for parameter in parameters] == ["self", "name", "args", "opts"]
    assert parameters[3].default is None
    arguments: Any = get_type_hints(component.__init__)["args"]
    assert dataclasses.is_dataclass(arguments)
    made = object.__new__(cast("type[object]", arguments))
    first = dataclasses.fields(arguments)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(made, first, None)


@every_component
def test_children_are_named_after_their_parent_and_belong_to_it(component: type[pulumi.ComponentResource]) -> None:
    recording = declared(component)
    names = {resource.urn: resource.name for resource in recording.resources}
    root, *children = recording.resources
    assert root.name == "sample"
    assert children
    for child in children:
        assert child.parent in names, f"{child.name} has no parent among the component's resources"
        assert child.name.startswith(f"{names[child.parent]}-"), f"{child.name} under {names[child.parent]}"
    assert len({(child.type, child.name) for child in children}) == len(children)


@every_component
def test_outputs_are_registered_once_and_last(component: type[pulumi.ComponentResource]) -> None:
    recording = declared(component)
    own = sorted(resource.urn for resource in recording.components())
    assert sorted(urn for urn in recording.outputs_registered if "::pulumi:pulumi:Stack::" not in urn) == own
    last = _constructor(component).body[-1]
    assert ast.unparse(last).startswith("self.register_outputs("), f"last statement is {ast.unparse(last)}"


@every_component
def test_options_go_to_super_only(component: type[pulumi.ComponentResource]) -> None:
    uses = [
        node
        for node in ast.walk(_constructor(component))
        if isinstance(node, ast.Name) and node.id == "opts" and isinstance(node.ctx, ast.Load)
    ]
    assert len(uses) == 1


@every_component
def test_no_resource_waits_for_a_value(component: type[pulumi.ComponentResource]) -> None:
    """What is made inside `apply` is missing from a preview, where nothing is known."""
    known = {(resource.type, resource.name) for resource in declared(component).resources}
    unknown = {(resource.type, resource.name) for resource in declared(component, preview=True).resources}
    assert unknown == known


@every_component
def test_secrets_stay_secret(component: type[pulumi.ComponentResource]) -> None:
    for resource in declared(component).resources:
        leaked = [text for text in outside_secrets(resource.inputs) if CANARY in text]
        assert not leaked, f"{resource.type} {resource.name} shows {leaked}"


@every_component
def test_ownership_is_marked_on_everything_that_takes_marks(component: type[pulumi.ComponentResource]) -> None:
    for resource in declared(component).resources:
        if _taggable(resource):
            _check(resource, resource.plain().get("tags", {}), "product", "environment", "cost-centre", "managed-by")
            assert resource.plain()["tags"]["managed-by"] == MANAGER
        elif resource.type.startswith("kubernetes:"):
            labels = resource.plain()["metadata"].get("labels", {})
            domain = [f"freehold.dev/{key}" for key in ("product", "environment", "cost-centre")]
            namespaced = "namespace" in resource.plain()["metadata"] or resource.type.endswith(":Namespace")
            if namespaced and component.__name__ not in OF_THE_CELL:
                domain.append("freehold.dev/tenant")
            _check(resource, labels, *domain, "app.kubernetes.io/managed-by")


@every_component
def test_ec2_takes_every_description(component: type[pulumi.ComponentResource]) -> None:
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
    for resource in declared(component).resources:
        if resource.type.startswith(("aws:ec2/securityGroup", "aws:vpc/securityGroup")):
            assert re.fullmatch(r"[a-zA-Z0-9. _:/()#,@\[\]+=&;{}!$*-]{1,255}", resource.plain()["description"]), (
                resource.name
            )


def _check(resource: Declared, marks: dict[str, str], *required: str) -> None:
    missing = [key for key in required if not marks.get(key)]
    assert not missing, f"{resource.type} {resource.name} lacks {missing}"


def _taggable(resource: Declared) -> bool:
    """Whether the installed SDK's class for this type takes tags."""
    if not resource.type.startswith("aws:"):
        return False
    module, name = resource.type.removeprefix("aws:").split("/", 1)
    # The SDK's module of a service whose name is a word of Python ends in an underscore: `lambda_`.
    module += "_" * keyword.iskeyword(module)
    sdk = getattr(importlib.import_module(f"pulumi_aws.{module}"), f"{name.split(':')[1]}")
    return "tags" in inspect.signature(sdk._internal_init).parameters
