"""Tells the sandbox's AWS endpoint what AWS would decide: the addresses of the sandbox's own servers."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from sandbox.providers.aws.context import Context
from sandbox.providers.interface import ProviderError

_SECONDS = 30.0


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
