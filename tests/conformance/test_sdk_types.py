"""Type information read from the SDKs' source agrees with what the SDKs say when they are imported."""

from __future__ import annotations

import importlib
import inspect
from operator import attrgetter

import pytest
from pulumi._types import input_type_py_to_pulumi_names

from sandbox.providers.interface import UNKNOWN, ProviderError, Value
from sandbox.providers.sdk_types import SdkTypes

AWS = SdkTypes("aws")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the SDK's own, at import
@pytest.mark.parametrize(
    ("token", "module", "name"),
    [
        ("aws:ec2/vpc:Vpc", "pulumi_aws.ec2", "VpcArgs"),
        ("aws:rds/instance:Instance", "pulumi_aws.rds", "InstanceArgs"),
        ("aws:elasticache/replicationGroup:ReplicationGroup", "pulumi_aws.elasticache", "ReplicationGroupArgs"),
        ("aws:s3/bucketVersioning:BucketVersioning", "pulumi_aws.s3", "bucket_versioning.BucketVersioningInitArgs"),
    ],
)
def test_names_and_required_agree_with_the_imported_class(token: str, module: str, name: str) -> None:
    # By the package's attributes: importing a module inside a package that the SDK has not loaded yet (it does so on
    # first use) leaves that package without the module's classes, for every test that comes after.
    args = attrgetter(name)(importlib.import_module(module))
    wires = input_type_py_to_pulumi_names(args)
    parameters = [p for p in inspect.signature(args.__init__).parameters.values() if p.kind is p.KEYWORD_ONLY]
    assert set(AWS.inputs(token)) == {wires[p.name] for p in parameters}
    assert {n for n, p in AWS.inputs(token).items() if p.required} == {
        wires[p.name] for p in parameters if p.default is p.empty
    }


@pytest.mark.parametrize("package", ["random", "postgresql"])
def test_every_type_of_a_small_sdk_can_be_read(package: str) -> None:
    sdk = SdkTypes(package)
    assert sdk.tokens()
    for token in sdk.tokens():
        assert sdk.outputs(token)


@pytest.mark.parametrize(
    ("inputs", "path", "reason"),
    [
        ({"cidrBlok": "10.0.0.0/16"}, "cidrBlok", "did you mean `cidrBlock`"),
        ({"enableDnsSupport": "yes"}, "enableDnsSupport", "expected a boolean; got a string"),
        ({"tags": {"a.b": 1}}, 'tags["a.b"]', "expected a string; got an integer"),
    ],
)
def test_a_wrong_property_is_named(inputs: dict[str, object], path: str, reason: str) -> None:
    (failure,) = AWS.validate("aws:ec2/vpc:Vpc", inputs)  # type: ignore[arg-type]
    assert failure.property == path and reason in failure.reason


def test_nested_list_and_enum_paths() -> None:
    policy: dict[str, Value] = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Alow", "Principal": {"Service": UNKNOWN}}],
    }
    (failure,) = AWS.validate("aws:iam/role:Role", {"assumeRolePolicy": policy})
    assert failure.property == "assumeRolePolicy.Statement[0].Effect"
    (missing,) = AWS.validate("aws:iam/role:Role", {"assumeRolePolicy": None})
    assert missing.reason == "missing required property `assumeRolePolicy`"


def test_functions_know_their_required_arguments() -> None:
    (failure,) = AWS.validate_invoke("aws:secretsmanager/getSecretVersion:getSecretVersion", {})
    assert failure.property == "secretId"
    assert "secretString" in AWS.invoke_outputs("aws:secretsmanager/getSecretVersion:getSecretVersion")


def test_an_unknown_type_is_named() -> None:
    with pytest.raises(ProviderError, match=r"aws:ec2/vcp:Vcp: pulumi_aws .* has no such resource type"):
        AWS.inputs("aws:ec2/vcp:Vcp")
