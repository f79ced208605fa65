"""Lambda: functions, who may call them, and their addresses."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from sandbox.providers.archives import zipped
from sandbox.providers.aws.api import ApiError
from sandbox.providers.aws.context import Context
from sandbox.providers.aws.requests import parameters
from sandbox.providers.aws.table import AwsType, Call, Modify, Read, Tags, page, same
from sandbox.providers.typed import Autoname, Kind, exactly_one_of, one_of

_MISSING = ("ResourceNotFoundException",)
_UNRESERVED = -1
"""Where the program reserves no calls at a time."""

_CONFIGURATION = same(
    "deadLetterConfig",
    "description",
    "environment",
    "handler",
    "loggingConfig",
    "memorySize",
    "role",
    "runtime",
    "timeout",
    "vpcConfig",
)


def _create(context: Context) -> str:
    request: dict[str, Any] = {"Code": {"ZipFile": zipped(context.inputs["code"])}}
    parameters(context, FUNCTION.create, context.inputs, into=request)
    if tags := context.inputs.get("tags"):
        request["Tags"] = dict(tags)
    return str(context.call("create_function", **request)["FunctionName"])


def _limit(context: Context) -> None:
    limit = context.inputs.get("reservedConcurrentExecutions", _UNRESERVED)
    if limit == _UNRESERVED:
        context.call("delete_function_concurrency", FunctionName=context.id)
    else:
        context.call("put_function_concurrency", FunctionName=context.id, ReservedConcurrentExecutions=limit)


def _changed(context: Context, changed: frozenset[str]) -> None:
    if "reservedConcurrentExecutions" in changed:
        _limit(context)
    if changed & {"code", "sourceCodeHash", "architectures"}:
        request: dict[str, Any] = {"FunctionName": context.id, "ZipFile": zipped(context.inputs["code"])}
        if architectures := context.inputs.get("architectures"):
            request["Architectures"] = architectures
        context.call("update_function_code", **request)


def _observe(context: Context, found: dict[str, Any]) -> None:
    found.setdefault("reservedConcurrentExecutions", _UNRESERVED)
    if not found.get("description"):
        found.pop("description", None)


FUNCTION = AwsType(
    token="aws:lambda/function:Function",
    kind=Kind.LIVE,
    documentation=page("lambda/function"),
    note="Zip archives; the code and its hash are kept and never run, and what the role may do is not checked",
    service="lambda",
    autoname=Autoname("name", 64),
    defaults={"memorySize": 128, "timeout": 3, "reservedConcurrentExecutions": _UNRESERVED},
    rules=(exactly_one_of("code"),),
    computed=frozenset({"architectures", "loggingConfig", "vpcConfig.vpcId"}),
    sets=frozenset({"vpcConfig.subnetIds", "vpcConfig.securityGroupIds"}),
    replace_on=frozenset({"name"}),
    create=Call("create_function", {"name": "FunctionName", "architectures": "Architectures", **_CONFIGURATION}),
    create_hook=_create,
    told=frozenset({"deadLetterConfig", "description"}),
    hooked=frozenset({"architectures", "code", "reservedConcurrentExecutions", "sourceCodeHash"}),
    after_create=_limit,
    reads=(
        Read(
            "get_function",
            {"FunctionName": "{id}"},
            "@",
            {
                "arn": "Configuration.FunctionArn",
                "codeSha256": "Configuration.CodeSha256",
                "lastModified": "Configuration.LastModified",
                "name": "Configuration.FunctionName",
                "reservedConcurrentExecutions": "Concurrency.ReservedConcurrentExecutions",
                "sourceCodeSize": "Configuration.CodeSize",
                "version": "Configuration.Version",
                "architectures": "Configuration.Architectures",
                **{name: f"Configuration.{api}" for name, api in _CONFIGURATION.items()},
            },
        ),
    ),
    observe=_observe,
    computed_outputs={
        "invokeArn": "arn:{partition}:apigateway:{region}:lambda:path/2015-03-31/functions/{arn}/invocations",
        "qualifiedArn": "{arn}:{version}",
        "qualifiedInvokeArn": (
            "arn:{partition}:apigateway:{region}:lambda:path/2015-03-31/functions/{arn}:{version}/invocations"
        ),
    },
    volatile=frozenset({"codeSha256", "lastModified", "sourceCodeSize"}),
    modifies=(
        Modify(
            "update_function_configuration",
            _CONFIGURATION,
            {"FunctionName": "{id}"},
            clear={
                "deadLetterConfig": {"targetArn": ""},
                "description": "",
                "environment": {"variables": {}},
                "vpcConfig": {"subnetIds": [], "securityGroupIds": []},
            },
        ),
    ),
    after_update=_changed,
    delete=Call("delete_function", fixed={"FunctionName": "{id}"}),
    missing=_MISSING,
    tags=Tags(
        "tag_resource",
        "untag_resource",
        {"Resource": "arn:{partition}:lambda:{region}:{account}:function:{id}"},
        in_create="Tags",
        as_map=True,
        read="Tags",
    ),
    operations=("put_function_concurrency", "delete_function_concurrency", "update_function_code"),
)

_STATEMENT = {
    "action": "Action",
    "eventSourceToken": "EventSourceToken",
    "function": "FunctionName",
    "functionUrlAuthType": "FunctionUrlAuthType",
    "invokedViaFunctionUrl": "InvokedViaFunctionUrl",
    "principal": "Principal",
    "sourceAccount": "SourceAccount",
    "sourceArn": "SourceArn",
    "statementId": "StatementId",
}


def _statement(context: Context) -> dict[str, Any] | None:
    function, name = context.value("function"), context.value("statementId")
    try:
        answer = context.call("get_policy", FunctionName=function)
    except ApiError as error:
        if error.code in _MISSING:
            return None
        raise
    for statement in json.loads(answer["Policy"])["Statement"]:
        if statement["Sid"] == name:
            return {"function": function, "statementId": name, **_properties(statement)}
    return None


def _properties(statement: dict[str, Any]) -> dict[str, Any]:
    condition = statement.get("Condition", {})
    principal = statement["Principal"]
    conditions = {
        "functionUrlAuthType": condition.get("StringEquals", {}).get("lambda:FunctionUrlAuthType"),
        "invokedViaFunctionUrl": condition.get("Bool", {}).get("lambda:InvokedViaFunctionUrl"),
        "sourceAccount": condition.get("StringEquals", {}).get("AWS:SourceAccount"),
        "sourceArn": condition.get("ArnLike", {}).get("AWS:SourceArn"),
    }
    return {
        "action": statement["Action"],
        "principal": next(iter(principal.values())) if isinstance(principal, dict) else principal,
        **{name: value for name, value in conditions.items() if value is not None},
    }


PERMISSION = AwsType(
    token="aws:lambda/permission:Permission",
    kind=Kind.LIVE,
    documentation=page("lambda/permission"),
    note="Kept in the function's policy, and not enforced",
    service="lambda",
    autoname=Autoname("statementId", 100, "statementIdPrefix"),
    conflicts=(frozenset({"statementId", "statementIdPrefix"}),),
    rules=(one_of("functionUrlAuthType", "AWS_IAM", "NONE"),),
    create=Call("add_permission", _STATEMENT),
    id_form="{statementId}",
    import_form="{function}/{statementId}",
    replace_on=frozenset({*_STATEMENT, "statementIdPrefix"}),
    read_hook=_statement,
    delete=Call("remove_permission", fixed={"FunctionName": "{function}", "StatementId": "{id}"}),
    missing=_MISSING,
    operations=("get_policy",),
)

_ADDRESS = {"authorizationType": "AuthType", "invokeMode": "InvokeMode"}

FUNCTION_URL = AwsType(
    token="aws:lambda/functionUrl:FunctionUrl",
    kind=Kind.LIVE,
    documentation=page("lambda/functionurl"),
    note="Nothing answers at the address; the statement that the provider adds to the function's policy is not added",
    service="lambda",
    defaults={"invokeMode": "BUFFERED"},
    create=Call("create_function_url_config", {"functionName": "FunctionName", **_ADDRESS}),
    id_form="{functionName}",
    replace_on=frozenset({"functionName"}),
    reads=(
        Read(
            "get_function_url_config",
            {"FunctionName": "{id}"},
            "@",
            {
                "authorizationType": "AuthType",
                "functionArn": "FunctionArn",
                "functionUrl": "FunctionUrl",
                "invokeMode": "InvokeMode",
            },
        ),
    ),
    observe=lambda context, found: found.update(
        functionName=context.id, urlId=str(urlsplit(found["functionUrl"]).hostname).split(".")[0]
    ),
    modifies=(Modify("update_function_url_config", _ADDRESS, {"FunctionName": "{id}"}),),
    delete=Call("delete_function_url_config", fixed={"FunctionName": "{id}"}),
    missing=_MISSING,
)

TYPES = (FUNCTION, PERMISSION, FUNCTION_URL)
