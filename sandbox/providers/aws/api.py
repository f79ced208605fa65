"""The AWS API for the stand-in: calls that outlive a restart of the endpoint, errors in one line."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from threading import RLock
from typing import Any, TypeVar

from botocore.client import BaseClient
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    ParamValidationError,
)
from botocore.model import OperationModel, ServiceModel, Shape

import whole_answers
from sandbox.providers import creations
from sandbox.providers.aws import clients
from sandbox.providers.aws.clients import Access
from sandbox.providers.interface import ProviderError

# The sandbox's AWS endpoint, when it was killed, is there again within seconds, on a busy machine within many.
_RESTART_SECONDS = 60.0
_RETRY_SECONDS = 0.25

T = TypeVar("T")


class ApiError(ProviderError):
    """The API refused a call; `code` is AWS's error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class WrongParameter(ProviderError):
    """botocore's service model refused a request; `report` names API parameters."""


class Api:
    """Clients of one configured provider instance; safe to use from several threads."""

    def __init__(self, access: Access, operations: Mapping[str, Iterable[str]]) -> None:
        self.region, self.endpoint = access.region, access.endpoint
        self._clients = clients.obtain(access, operations)
        self._lock = RLock()
        self._identity: dict[str, str] | None = None
        self._closed = False

    def client(self, service: str) -> BaseClient:
        return self._clients.client(service)

    def endpoint_of(self, service: str) -> str:
        """The URL that a service's requests go to."""
        return str(self.client(service).meta.endpoint_url)

    def operation(self, service: str, name: str) -> OperationModel:
        """The service model of an operation by its snake-case name; learns an operation that no table named."""
        client = self._clients.having(service, name)
        if name not in client.meta.method_to_api_mapping:
            raise ProviderError(f"botocore's model of {service} has no operation {name}")
        model: ServiceModel = client.meta.service_model
        return model.operation_model(client.meta.method_to_api_mapping[name])

    def input_shape(self, service: str, operation: str) -> Shape | None:
        return self.operation(service, operation).input_shape

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Calls an operation. Raises ApiError, WrongParameter or ProviderError, each one line."""
        self.operation(service, operation)
        try:
            content = f"{service} {operation} {json.dumps(parameters, sort_keys=True, default=_in_short)}"
            answer: dict[str, Any] = self.reached(
                lambda: getattr(self.client(service), operation)(**parameters), content
            )
        except ClientError as error:
            detail = error.response.get("Error", {})
            raise ApiError(str(detail.get("Code")), " ".join(str(detail.get("Message")).split())) from error
        except ParamValidationError as error:
            raise WrongParameter(" ".join(str(error.kwargs["report"]).split())) from error
        except BotoCoreError as error:
            # An answer that could not be read comes here too.
            raise self._unanswered(service, operation, error) from error
        for failed in answer.get("Unsuccessful") or []:  # EC2's batch operations answer 200 for what they refuse
            detail = failed.get("Error", {})
            raise ApiError(str(detail.get("Code")), " ".join(str(detail.get("Message")).split()))
        return answer

    def all(self, service: str, operation: str, select: str, **parameters: Any) -> list[Any]:
        """Every item of a paged operation; `select` is the answer's list."""
        self.operation(service, operation)
        try:
            client = self.client(service)
            if not client.can_paginate(operation):
                return list(self.call(service, operation, **parameters).get(select, []))
            paginator = client.get_paginator(operation)
            return self.reached(
                lambda: [item for page in paginator.paginate(**parameters) for item in page.get(select, [])]
            )
        except ClientError as error:
            detail = error.response.get("Error", {})
            raise ApiError(str(detail.get("Code")), " ".join(str(detail.get("Message")).split())) from error
        except BotoCoreError as error:
            raise self._unanswered(service, operation, error) from error

    def reached(self, call: Callable[[], T], content: str | None = None) -> T:
        """`call`, again and again while nobody listens, or who does dies while it answers.

        All its attempts carry one invocation id, by which the sandbox's endpoint knows what it has done already, when
        it was killed before it could answer; or when we were, in the middle of a create, and the next host sends the
        same `content` for it.
        """
        deadline = time.monotonic() + _RESTART_SECONDS
        creation = creations.current()
        told = creation.invocation(content) if creation is not None and content is not None else None
        self._clients.invoke_as(told or str(uuid.uuid4()))
        try:
            while True:
                try:
                    return call()
                except (EndpointConnectionError, ConnectionRefusedError, whole_answers.CutShort):
                    self._clients.worn = True
                    if self.endpoint is None or time.monotonic() > deadline:
                        raise
                    time.sleep(_RETRY_SECONDS)
        finally:
            self._clients.invoke_as(None)

    def _unanswered(self, service: str, operation: str, error: BotoCoreError) -> ProviderError:
        mend = "; is the sandbox running? ./freehold sandbox status" if self.endpoint else ""
        return ProviderError(f"{service} {operation}: {' '.join(str(error).split())}{mend}")

    @property
    def account(self) -> str:
        return self.identity()["Account"]

    @property
    def partition(self) -> str:
        return self.identity()["Arn"].split(":")[1]

    def identity(self) -> dict[str, str]:
        """The caller: Account, Arn, UserId."""
        with self._lock:
            if self._identity is None:
                self._identity = self.call("sts", "get_caller_identity")
            return self._identity

    def close(self) -> None:
        with self._lock:
            if not self._closed:
                self._closed = True
                clients.give_back(self._clients)


def _in_short(value: object) -> str:
    """A function's archive is twelve million bytes, and four times that as text."""
    return hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else str(value)
