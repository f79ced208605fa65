"""The AWS API for the stand-in: one botocore session, small clients, errors in one line."""

from __future__ import annotations

import ctypes
import hashlib
import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from threading import RLock, local
from typing import Any, TypeVar

import botocore.loaders
import botocore.session
from botocore import xform_name
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    ParamValidationError,
)
from botocore.model import OperationModel, ServiceModel, Shape

import whole_answers
from sandbox.providers import creations
from sandbox.providers.interface import ProviderError

# For what a living service refuses for now; the official provider allows 25.
_ATTEMPTS = 8
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


class PrunedLoader(botocore.loaders.Loader):  # type: ignore[misc]
    """Loads service models without documentation and with only the operations asked for, each once in this process.

    EC2's model alone is 16 MB of objects; what the tables call of it is less than one.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = RLock()
        self._wanted: dict[str, set[str]] = {}
        self._models: dict[tuple[str, str, str | None], Any] = {}

    def want(self, service: str, operations: Iterable[str]) -> None:
        """From now on the service's model has these operations too."""
        with self._lock:
            known = self._wanted.setdefault(service, set())
            if not known.issuperset(operations):
                known.update(operations)
                self._models = {key: model for key, model in self._models.items() if key[0] != service}

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        key = (service_name, type_name, api_version)
        with self._lock:
            if key not in self._models:
                loader = botocore.loaders.Loader()  # a throw-away: its cache would keep the whole model
                loader.search_paths[:] = self.search_paths
                model = loader.load_service_model(service_name, type_name, api_version)
                if type_name == "service-2" and service_name in self._wanted:
                    _prune(model, self._wanted[service_name])
                    _return_memory()
                self._models[key] = model
            return self._models[key]


_LOADER = PrunedLoader()


def _prune(model: dict[str, Any], wanted: set[str]) -> None:
    model["operations"] = {name: body for name, body in model["operations"].items() if xform_name(name) in wanted}
    kept: dict[str, Any] = {}

    def keep(node: Any) -> None:
        if isinstance(node, dict):
            node.pop("documentation", None) if isinstance(node.get("documentation"), str) else None
            name = node.get("shape")
            if isinstance(name, str) and name not in kept:
                kept[name] = model["shapes"][name]
                keep(kept[name])
            for value in node.values():
                keep(value)
        elif isinstance(node, list):
            for value in node:
                keep(value)

    keep(model["operations"])
    model["shapes"] = kept


class Api:
    """Clients of one configured provider instance; safe to use from several threads."""

    def __init__(
        self,
        *,
        region: str,
        access_key: str | None,
        secret_key: str | None,
        token: str | None = None,
        profile: str | None = None,
        endpoint: str | None = None,
        endpoints: Mapping[str, str] | None = None,
        operations: Mapping[str, Iterable[str]],
    ) -> None:
        self.region = region
        self.endpoint, self._endpoints = endpoint, dict(endpoints or {})
        self._credentials = {
            "aws_access_key_id": access_key,
            "aws_secret_access_key": secret_key,
            "aws_session_token": token,
        }
        self._lock = RLock()
        self._clients: dict[str, BaseClient] = {}
        self._invocation = local()
        for service, names in operations.items():
            _LOADER.want(service, names)
        self._session = botocore.session.Session(profile=profile)
        self._session.register_component("data_loader", _LOADER)
        self._identity: dict[str, str] | None = None

    def client(self, service: str) -> BaseClient:
        with self._lock:
            if service not in self._clients:
                client = self._clients[service] = self._session.create_client(
                    service,
                    region_name=self.region,
                    endpoint_url=self._endpoints.get(service) or self.endpoint,
                    config=Config(
                        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
                        connect_timeout=5,
                        read_timeout=60,
                        max_pool_connections=20,
                        s3={"addressing_style": "path"},
                        ignore_configured_endpoint_urls=False,
                    ),
                    **{name: value for name, value in self._credentials.items() if value},
                )
                client.meta.events.register("before-call", self._name_invocation)
                whole_answers.require(client)
            return self._clients[service]

    def endpoint_of(self, service: str) -> str:
        """The URL that a service's requests go to."""
        return str(self.client(service).meta.endpoint_url)

    def operation(self, service: str, name: str) -> OperationModel:
        """The service model of an operation by its snake-case name; learns an operation that no table named."""
        with self._lock:
            client = self.client(service)
            if name not in client.meta.method_to_api_mapping:
                _LOADER.want(service, [name])
                del self._clients[service]
                client = self.client(service)
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
        self._invocation.id = told or str(uuid.uuid4())
        try:
            while True:
                try:
                    return call()
                except (EndpointConnectionError, ConnectionRefusedError, whole_answers.CutShort):
                    if self.endpoint is None or time.monotonic() > deadline:
                        raise
                    time.sleep(_RETRY_SECONDS)
        finally:
            self._invocation.id = None

    def _name_invocation(self, context: dict[str, Any], **_: Any) -> None:
        """botocore sends this id as `amz-sdk-invocation-id` with every attempt."""
        if (invocation := getattr(self._invocation, "id", None)) is not None:
            context.setdefault("retries", {}).setdefault("invocation-id", invocation)

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
            for client in self._clients.values():
                client.close()
            self._clients.clear()


def _in_short(value: object) -> str:
    """A function's archive is twelve million bytes, and four times that as text."""
    return hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else str(value)


def _return_memory() -> None:
    """Gives the pages of a model that was cut down back to the system; the C library keeps them otherwise."""
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):  # another C library: only memory is at stake
        return
