"""What AWS would decide and the sandbox knows: where clusters, databases and caches are really to be reached.

- `POST /freehold/eks/<cluster>` {endpoint, certificate_authority, issuer}
- `POST /freehold/rds/<instance>` {address, port}
- `POST /freehold/elasticache/<replication group>` {address, port}

Each takes `region` too (default us-east-1). They are journaled like any other request, and from then on the describe
operations tell the truth.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sandbox.supervisor.messages import first_error

_PREFIX = "/freehold/"
_Port = Annotated[int, Field(ge=1, le=65535)]


class _Decision(BaseModel):
    model_config = ConfigDict(extra="forbid")

    region: str = "us-east-1"


class _Eks(_Decision):
    endpoint: str
    certificate_authority: str
    """Base64 of the PEM, as `certificateAuthority.data` of DescribeCluster."""
    issuer: str


class _Address(_Decision):
    address: str
    port: _Port


class _Unknown(Exception):
    """There is no such cluster, instance or group."""


@dataclass(frozen=True)
class Server:
    """A server of the sandbox, as it was told of, or the nodes of a group."""

    service: str
    name: str


def node_group(cluster: str, group: str) -> Server:
    """Neither name has a slash (https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateNodegroup.html)."""
    return Server("eks nodes", f"{cluster}/{group}")


_TOLD: dict[Server, Callable[[], bool]] = {}
"""Whether the record is there still that the server was told for."""


def without_record() -> list[Server]:
    """The servers whose record went since this was asked last."""
    ended = [server for server, is_there in _TOLD.items() if not is_there()]
    for server in ended:
        del _TOLD[server]
    return ended


def _told(service: str, name: str, records: Callable[[], Mapping[str, Any]]) -> Any:
    """The record of that name, which the server is to end with."""
    record = records().get(name)
    if record is None:
        raise _Unknown
    ends_with(Server(service, name), name, records)
    return record


def ends_with(server: Server, key: str, records: Callable[[], Mapping[str, Any]]) -> None:
    """By itself and not by its key alone the record is looked for later: an instance can be renamed."""
    record = records()[key]

    def is_there() -> bool:
        return key in records() or any(one is record for one in records().values())

    _TOLD[server] = is_there


def is_ours(environ: Mapping[str, Any]) -> bool:
    return str(environ.get("PATH_INFO", "")).startswith(_PREFIX)


def answer(environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]) -> Iterable[bytes]:
    """The WSGI application below /freehold/."""
    status, content = _decide(environ)
    start_response(f"{status.value} {status.phrase}", [("Content-Type", "application/json")])
    return [json.dumps(content).encode()]


def _decide(environ: dict[str, Any]) -> tuple[HTTPStatus, dict[str, str]]:
    service, _, name = environ["PATH_INFO"].removeprefix(_PREFIX).partition("/")
    if environ["REQUEST_METHOD"] != "POST" or service not in _APPLY or not name:
        return HTTPStatus.NOT_FOUND, {"message": f"POST {_PREFIX}{{{','.join(_APPLY)}}}/<name>"}
    model, apply = _APPLY[service]
    try:
        apply(name, model.model_validate_json(environ["wsgi.input"].read()))
    except ValidationError as error:
        return HTTPStatus.BAD_REQUEST, {"message": first_error(error)}
    except _Unknown:
        return HTTPStatus.NOT_FOUND, {"message": f"{service} has no {name}"}
    return HTTPStatus.OK, {}


def _eks(name: str, decision: _Eks) -> None:
    from moto.eks.models import eks_backends

    cluster = _told("eks", name, lambda: eks_backends[DEFAULT_ACCOUNT_ID][decision.region].clusters)
    cluster.endpoint = decision.endpoint
    cluster.certificate_authority = {"data": decision.certificate_authority}
    cluster.identity = {"oidc": {"issuer": decision.issuer}}


def _rds(name: str, decision: _Address) -> None:
    from moto.rds.models import rds_backends

    _let_addresses_be_decided()
    instance = _told("rds", name, lambda: rds_backends[DEFAULT_ACCOUNT_ID][decision.region].databases)
    vars(instance)["freehold_address"] = decision.address
    instance.port = decision.port


def _elasticache(name: str, decision: _Address) -> None:
    from moto.elasticache.models import elasticache_backends

    backends = elasticache_backends[DEFAULT_ACCOUNT_ID]
    group = _told("elasticache", name, lambda: backends[decision.region].replication_groups)
    group.port = decision.port
    for node_group in group.node_groups:
        endpoint = {"address": decision.address, "port": decision.port}
        node_group["port"] = decision.port
        # moto's own templates read either form.
        for role in ("primary", "reader"):
            node_group[f"{role}_endpoint_address"] = decision.address
            node_group[f"{role}_endpoint"] = endpoint
        for member in node_group["node_group_members"]:
            if "read_endpoint" in member:
                member["read_endpoint"] = endpoint


_APPLY: dict[str, tuple[type[Any], Callable[[str, Any], None]]] = {
    "eks": (_Eks, _eks),
    "rds": (_Address, _rds),
    "elasticache": (_Address, _elasticache),
}


@functools.cache
def _let_addresses_be_decided() -> None:
    """moto computes an instance's address from its name; let a decided one come first."""
    from moto.rds.models import DBInstance

    computed: Any = vars(DBInstance)["address"]

    def address(self: Any) -> str:
        return str(vars(self).get("freehold_address") or computed.fget(self))

    DBInstance.address = property(address)  # type: ignore[method-assign, assignment]
