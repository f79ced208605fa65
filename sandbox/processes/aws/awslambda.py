"""What moto's Lambda lacks: dead letters, logging, conditions of permissions, and functions' real networks.

https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import moto.awslambda.urls as urls
from moto.awslambda.models import LambdaFunction
from moto.awslambda.responses import LambdaResponse
from moto.core.exceptions import JsonRESTError
from moto.ec2.models import ec2_backends

Answer = tuple[int, dict[str, Any], str]

# Configuration that moto takes and forgets.
_KEPT = ("DeadLetterConfig", "LoggingConfig")


class FunctionOperations(LambdaResponse):
    """moto's operations and these."""

    def create_function(self) -> Answer:
        status, headers, content = super().create_function()
        return status, headers, self._completed(content, self._keep(json.loads(content)["FunctionName"]))

    def update_function_configuration(self) -> Answer:
        function = self._keep(self._named(-2))
        status, headers, content = super().update_function_configuration()
        return status, headers, self._completed(content, function)

    def update_function_code(self) -> Answer:
        function = self.backend.get_function(self._named(-2))
        if architectures := self.json_body.get("Architectures"):
            function.architectures = architectures
        status, headers, content = super().update_function_code()
        return status, headers, self._completed(content, function)

    def get_function(self) -> str:
        answer = json.loads(super().get_function())
        function = self.backend.get_function(self._named(-1))
        return json.dumps({**answer, "Configuration": self._complete(answer["Configuration"], function)})

    def get_function_configuration(self) -> str:
        return self._completed(super().get_function_configuration(), self.backend.get_function(self._named(-2)))

    def add_permission(self) -> str:
        """A statement's id is its own, and what is said of the function's address becomes a condition."""
        asked = self.json_body
        statements = self.backend.get_function(self._named(-2)).policy.statements
        if any(one.get("Sid") == asked["StatementId"] for one in statements):
            raise _conflict(f"The statement id ({asked['StatementId']}) provided already exists")
        answer = super().add_permission()
        made = statements[-1]
        for name, operator in (("FunctionUrlAuthType", "StringEquals"), ("InvokedViaFunctionUrl", "Bool")):
            if name in made:
                made.setdefault("Condition", {})[operator] = {f"lambda:{name}": made.pop(name)}
        return json.dumps({**json.loads(answer), "Statement": json.dumps(made)})

    def create_function_url_config(self) -> Answer:
        function = self.backend.get_function(self._named(-2))
        if function.url_config is not None:
            raise _conflict(f"A function URL of {function.function_name} exists already")
        status, headers, _ = super().create_function_url_config()
        assert function.url_config is not None
        function.url_config.url += "/"  # as AWS tells it
        return status, headers, json.dumps(function.url_config.to_dict())

    def update_function_url_config(self) -> str:
        function = self.backend.get_function(self._named(-2))
        if function.url_config is not None and (mode := self.json_body.get("InvokeMode")):
            function.url_config.config["InvokeMode"] = mode
        return super().update_function_url_config()

    def _named(self, part: int) -> str:
        return unquote(self.path.split("/")[part])

    def _keep(self, name: str) -> LambdaFunction:
        function: LambdaFunction = self.backend.get_function(name)
        kept = vars(function).setdefault("freehold_configuration", {})
        kept.update({key: self.json_body[key] for key in _KEPT if key in self.json_body})
        return function

    def _completed(self, content: str | bytes, function: LambdaFunction) -> str:
        return json.dumps(self._complete(json.loads(content), function))

    def _complete(self, configuration: dict[str, Any], function: LambdaFunction) -> dict[str, Any]:
        kept = vars(function).get("freehold_configuration", {})
        logging = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{function.function_name}"}
        told = {**configuration, "LoggingConfig": {**logging, **kept.get("LoggingConfig", {})}}
        if kept.get("DeadLetterConfig", {}).get("TargetArn"):
            told["DeadLetterConfig"] = kept["DeadLetterConfig"]
        network = function.vpc_config
        if network and network["SubnetIds"]:
            subnet = ec2_backends[self.current_account][self.region].get_subnet(network["SubnetIds"][0])
            told["VpcConfig"] = {**network, "VpcId": subnet.vpc_id}
        else:
            told.pop("VpcConfig", None)
        return told


def _conflict(message: str) -> JsonRESTError:
    error = JsonRESTError("ResourceConflictException", message)
    error.code = 409
    return error


def install() -> None:
    """Before the service's first request: moto reads its routes then."""
    for path in list(urls.url_paths):
        urls.url_paths[path] = FunctionOperations.dispatch
