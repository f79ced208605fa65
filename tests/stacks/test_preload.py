"""What a process has read before runs of a program are forked from it. Each in a process of its own: it changes all."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pulumi import _types

from sandbox.home import CHECKOUT
from stacks import sdk_types

_READ_BEFORE = """
from stacks.preload import preload
preload("tenant", "aws")
import sys
from pulumi import _types
from pulumi_aws import iam
from pulumi_kubernetes.core import v1
known = _types._raw_return_hints.cache_info().misses
for inputs in (iam.RoleArgs, v1.NamespaceInitArgs, v1.ContainerPortArgs):
    assert _types.input_type_types(inputs)
for resource in (iam.Role, v1.Namespace):
    assert _types.resource_types(resource)
again = _types._raw_return_hints.cache_info().misses - known
_types.input_type_types(v1.ReplicationControllerInitArgs)
other = _types._raw_return_hints.cache_info().misses - known - again
print(again, other, "catalog.blueprints.chronos_cloud" in sys.modules, "pulumi_kubernetes.meta.v1" in sys.modules)
"""
_BROKEN_HINT = """
from pulumi import _types
real, broken = _types.resource_types, []
def resource_types(kind):
    if kind.__name__ == "Namespace":
        broken.append(kind)
        raise NameError("no such type")
    return real(kind)
_types.resource_types = resource_types
from stacks.preload import preload
preload("tenant", "aws")
from pulumi_aws import iam
known = _types._raw_return_hints.cache_info().misses
real(iam.Role)
print(len(broken), _types._raw_return_hints.cache_info().misses - known)
"""
_BROKEN_BLUEPRINT = """
from catalog import blueprints
blueprints.names = lambda: ("broken",)
from stacks.preload import preload
preload("tenant", "aws")
import sys
print("stacks.tenant" in sys.modules)
"""


def _said(program: str) -> list[str]:
    run = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


def test_the_types_and_blueprints_that_a_tenant_uses_are_read_before() -> None:
    """Those within them as well; and those of a class that no component names are not."""
    assert _said(_READ_BEFORE) == ["0", "1", "True", "True"]


def test_a_class_that_cannot_be_read_does_not_take_the_others_down() -> None:
    assert _said(_BROKEN_HINT) == ["1", "0"]


def test_a_broken_blueprint_does_not_take_the_others_down() -> None:
    assert _said(_BROKEN_BLUEPRINT) == ["True"]


def test_an_sdk_without_its_private_functions_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(_types, "resource_types")
    known = _types._raw_return_hints.cache_info().misses
    sdk_types.read(("components", "stacks"))
    assert _types._raw_return_hints.cache_info().misses == known
