"""Tells the sandbox's AWS endpoint what AWS would decide: the addresses of the sandbox's own servers."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any, TypeVar

from sandbox.providers import creations
from sandbox.providers.aws.context import Context
from sandbox.providers.interface import ProviderError
from sandbox.supervisor.messages import SupervisorError

_SECONDS = 30.0

Server = TypeVar("Server")


def started(create: Callable[[], Server], take_over: Callable[[], Server]) -> Server:
    """A new server; where the host of this create was killed when it had asked for it, the one that came of it."""
    try:
        return create()
    except SupervisorError as error:
        creation = creations.current()
        if error.reason != "exists" or creation is None or not creation.taken_over:
            raise
        return take_over()


def tell(context: Context, service: str, name: str, **fields: Any) -> None:
    """`POST /freehold/<service>/<name>`. Raises ProviderError where the endpoint does not know the name."""
    base = context.api.endpoint_of(service)
    url = f"{base.rstrip('/')}/freehold/{service}/{urllib.parse.quote(name, safe='')}"
    body = json.dumps({**fields, "region": context.api.region}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="POST")

    def send() -> None:
        try:
            urllib.request.urlopen(request, timeout=_SECONDS).close()
        except urllib.error.URLError as error:
            if isinstance(error.reason, ConnectionRefusedError):
                raise error.reason from error
            raise

    try:
        context.api.reached(send)
    except urllib.error.HTTPError as error:
        raise ProviderError(
            f"the sandbox's AWS endpoint refused {service} {name}: {error.read().decode()[:200]}"
        ) from error
    except OSError as error:
        raise ProviderError(f"cannot reach the sandbox's AWS endpoint at {base}: {error}") from error
