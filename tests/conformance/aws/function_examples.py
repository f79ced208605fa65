"""How functions, their addresses and the metrics of their logs are lived through."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.providers.values import HashedArchive
from tests.conformance.aws.ec2_network_examples import TAGS, refused
from tests.conformance.aws.lifecycle import Example, World


def _zip(text: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as target:
        target.writestr(zipfile.ZipInfo("handler.py"), text)
    return made.getvalue()


def _hash(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def _archive(content: bytes) -> HashedArchive:
    """A zip file, as the engine names it to a provider."""
    digest = hashlib.sha256(content).hexdigest()
    path = Path(tempfile.gettempdir()) / f"freehold-test-{digest[:16]}.zip"
    path.write_bytes(content)
    return HashedArchive(digest, (("path", str(path)),))


FIRST, SECOND = _zip("first"), _zip("second")


def _role(world: World) -> Mapping[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return world.make("aws:iam/role:Role", {"assumeRolePolicy": document})


def _network(world: World) -> dict[str, Any]:
    vpc = world.make("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/16"})
    subnet = world.make("aws:ec2/subnet:Subnet", {"vpcId": vpc["id"], "cidrBlock": "10.0.1.0/24"})
    group = world.make("aws:ec2/securityGroup:SecurityGroup", {"vpcId": vpc["id"], "description": "function"})
    return {"subnetIds": [subnet["id"]], "securityGroupIds": [group["id"]]}


def _inputs(world: World) -> dict[str, Any]:
    letters = world.make("aws:sqs/queue:Queue", {})
    return {
        "name": "webhook",
        "description": "Takes events",
        "code": _archive(FIRST),
        "sourceCodeHash": _hash(FIRST),
        "handler": "handler.main",
        "runtime": "python3.13",
        "architectures": ["arm64"],
        "memorySize": 512,
        "timeout": 20,
        "role": _role(world)["arn"],
        "reservedConcurrentExecutions": 10,
        "environment": {"variables": {"PRODUCT": "chronos"}},
        "vpcConfig": _network(world),
        "deadLetterConfig": {"targetArn": letters["arn"]},
        "loggingConfig": {"logFormat": "Text", "logGroup": "/functions/webhook"},
        "tags": TAGS,
    }


def _seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = world.client("lambda").get_function(FunctionName=id)
    configuration = found["Configuration"]
    # The bytes arrived: their hash is what AWS itself computes.
    assert configuration["CodeSha256"] == state["codeSha256"] == state["sourceCodeHash"]
    assert (configuration["MemorySize"], configuration["Timeout"]) == (state["memorySize"], state["timeout"])
    assert configuration["Architectures"] == state["architectures"]
    assert configuration["Environment"] == {"Variables": state["environment"]["variables"]}
    assert configuration["DeadLetterConfig"] == {"TargetArn": state["deadLetterConfig"]["targetArn"]}
    assert configuration["LoggingConfig"]["LogGroup"] == state["loggingConfig"]["logGroup"]
    assert configuration["VpcConfig"]["SubnetIds"] == state["vpcConfig"]["subnetIds"]
    assert configuration["VpcConfig"]["VpcId"] == state["vpcConfig"]["vpcId"]
    assert found["Concurrency"] == {"ReservedConcurrentExecutions": state["reservedConcurrentExecutions"]}
    assert found["Tags"] == state["tags"]


def _gone(world: World, id: str, state: Mapping[str, Any]) -> None:
    refused("ResourceNotFound", world.client("lambda").get_function, FunctionName=id)


def _function(world: World) -> Mapping[str, Any]:
    return world.make(
        "aws:lambda/function:Function",
        {"code": _archive(FIRST), "handler": "handler.main", "runtime": "python3.13", "role": _role(world)["arn"]},
    )


def _permission_inputs(world: World) -> dict[str, Any]:
    return {
        "statementId": "by-address",
        "function": _function(world)["name"],
        "action": "lambda:InvokeFunctionUrl",
        "principal": "*",
        "functionUrlAuthType": "NONE",
    }


def _permission_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    policy = json.loads(world.client("lambda").get_policy(FunctionName=state["function"])["Policy"])
    (statement,) = policy["Statement"]
    assert (statement["Sid"], statement["Action"], statement["Principal"]) == (id, state["action"], "*")
    assert statement["Condition"] == {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}


def _permission_gone(world: World, id: str, state: Mapping[str, Any]) -> None:
    refused("ResourceNotFound", world.client("lambda").get_policy, FunctionName=state["function"])


def _address_inputs(world: World) -> dict[str, Any]:
    return {"functionName": _function(world)["name"], "authorizationType": "NONE"}


def _address_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = world.client("lambda").get_function_url_config(FunctionName=id)
    assert found["FunctionUrl"] == state["functionUrl"] == f"https://{state['urlId']}.lambda-url.us-east-1.on.aws/"
    assert (found["AuthType"], found["InvokeMode"]) == (state["authorizationType"], state["invokeMode"])


def _address_gone(world: World, id: str, state: Mapping[str, Any]) -> None:
    refused("ResourceNotFound", world.client("lambda").get_function_url_config, FunctionName=id)


def _filter_inputs(world: World) -> dict[str, Any]:
    return {
        "name": "unmatched",
        "logGroupName": world.make("aws:cloudwatch/logGroup:LogGroup", {})["name"],
        "pattern": '{ $.state = "unmatched" }',
        "metricTransformation": {"name": "unmatched", "namespace": "Billing", "value": "1"},
    }


def _filters(world: World, state: Mapping[str, Any]) -> list[Any]:
    found: list[Any] = world.client("logs").describe_metric_filters(logGroupName=state["logGroupName"])["metricFilters"]
    return found


def _filter_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    (found,) = _filters(world, state)
    assert (found["filterName"], found["filterPattern"]) == (id, state["pattern"])
    (counted,) = found["metricTransformations"]
    assert counted["metricName"] == state["metricTransformation"]["name"]
    assert counted["metricNamespace"] == state["metricTransformation"]["namespace"]


def _filter_gone(world: World, id: str, state: Mapping[str, Any]) -> None:
    assert _filters(world, state) == []


EXAMPLES = (
    Example(
        "aws:lambda/function:Function",
        _inputs,
        change={
            "code": _archive(SECOND),
            "sourceCodeHash": _hash(SECOND),
            "memorySize": 1024,
            "reservedConcurrentExecutions": 5,
            "environment": {"variables": {"PRODUCT": "spoke"}},
        },
        replace={"name": "other"},
        seen=_seen,
        gone=_gone,
        hidden=frozenset({"code", "sourceCodeHash"}),
    ),
    Example(
        "aws:lambda/permission:Permission",
        _permission_inputs,
        replace={"principal": "sns.amazonaws.com", "functionUrlAuthType": "AWS_IAM"},
        seen=_permission_seen,
        gone=_permission_gone,
        import_id=lambda id, outputs: f"{outputs['function']}/{id}",
    ),
    Example(
        "aws:lambda/functionUrl:FunctionUrl",
        _address_inputs,
        change={"authorizationType": "AWS_IAM"},
        replace={"functionName": "other"},
        seen=_address_seen,
        gone=_address_gone,
    ),
    Example(
        "aws:cloudwatch/logMetricFilter:LogMetricFilter",
        _filter_inputs,
        change={"pattern": '{ $.state = "received" }'},
        replace={"name": "other"},
        seen=_filter_seen,
        gone=_filter_gone,
        import_id=lambda id, outputs: f"{outputs['logGroupName']}:{id}",
    ),
)
