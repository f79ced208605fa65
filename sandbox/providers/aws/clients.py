"""botocore's clients of one access to AWS, shared by all provider instances that have the same.

Each run of an engine configures an instance of its own. To make a session and its clients takes a quarter of what the
stand-in does for a tenant.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from threading import RLock, local
from typing import Any

import botocore.session
from botocore.client import BaseClient
from botocore.config import Config

import whole_answers
from sandbox.providers.aws.service_models import LOADER

# For what a living service refuses for now; the official provider allows 25.
_ATTEMPTS = 8
_CONNECTIONS = 128
"""At once to a service, of all engines that have the same access: as many as the host has threads for one of them."""
_KEPT = 8
"""Accesses that nobody uses now: an engine's next run has the same."""


@dataclass(frozen=True)
class Access:
    """Where the API is, and as whom it is called."""

    region: str
    access_key: str | None
    secret_key: str | None = field(repr=False)
    token: str | None = field(default=None, repr=False)
    profile: str | None = None
    endpoint: str | None = None
    endpoints: tuple[tuple[str, str], ...] = ()
    """By service, where it is another."""

    @property
    def settled(self) -> bool:
        """Whether it names its credentials itself, and not a file that may say something else next time."""
        return self.profile is None and bool(self.access_key and self.secret_key)


class Clients:
    """One botocore session and its clients; safe to use from several threads."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._lock = RLock()
        self._clients: dict[str, BaseClient] = {}
        self._invocation = local()
        self._session = botocore.session.Session(profile=access.profile)
        self._session.register_component("data_loader", LOADER)
        self.users = 0
        self.worn = False
        """The endpoint was gone while they were used: botocore counts failures, and then tries less often again."""

    def client(self, service: str) -> BaseClient:
        with self._lock:
            if service not in self._clients:
                access = self._access
                credentials = {
                    "aws_access_key_id": access.access_key,
                    "aws_secret_access_key": access.secret_key,
                    "aws_session_token": access.token,
                }
                client = self._clients[service] = self._session.create_client(
                    service,
                    region_name=access.region,
                    endpoint_url=dict(access.endpoints).get(service) or access.endpoint,
                    config=Config(
                        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
                        connect_timeout=5,
                        read_timeout=60,
                        max_pool_connections=_CONNECTIONS,
                        s3={"addressing_style": "path"},
                        ignore_configured_endpoint_urls=False,
                    ),
                    **{name: value for name, value in credentials.items() if value},
                )
                client.meta.events.register("before-call", self._name_invocation)
                whole_answers.require(client)
            return self._clients[service]

    def having(self, service: str, operation: str) -> BaseClient:
        """The client of a service with an operation, by its snake-case name, that no table may have named."""
        with self._lock:
            client = self.client(service)
            if operation not in client.meta.method_to_api_mapping:
                LOADER.want(service, [operation])
                del self._clients[service]
                client = self.client(service)
            return client

    def invoke_as(self, invocation: str | None) -> None:
        """From now on this thread's requests carry this id, as `amz-sdk-invocation-id`, with every attempt."""
        self._invocation.id = invocation

    def _name_invocation(self, context: dict[str, Any], **_: Any) -> None:
        if (invocation := getattr(self._invocation, "id", None)) is not None:
            context.setdefault("retries", {}).setdefault("invocation-id", invocation)

    def hang_up(self) -> None:
        """Close the connections; the clients make new ones where they are used again."""
        with self._lock:
            for client in self._clients.values():
                client.close()


_LOCK = RLock()
_shared: OrderedDict[Access, Clients] = OrderedDict()


def obtain(access: Access, operations: Mapping[str, Iterable[str]]) -> Clients:
    """To be given back; `operations` of each service are those that are called of it, by their snake-case names."""
    for service, names in operations.items():
        LOADER.want(service, names)
    with _LOCK:
        clients = _shared.get(access)
        if clients is None or clients.worn:
            clients = Clients(access)
        clients.users += 1
        if access.settled:
            _shared[access] = clients
            _shared.move_to_end(access)
        return clients


def give_back(clients: Clients) -> None:
    """Where nobody uses them any more, their connections are closed; the last ones are kept for the next use."""
    with _LOCK:
        clients.users -= 1
        if clients.users == 0:
            clients.hang_up()
        unused = [access for access, one in _shared.items() if one.users == 0]
        for access in unused[:-_KEPT]:
            del _shared[access]
