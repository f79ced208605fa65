"""AWS answers that were cut off: botocore takes what came for the whole of one, and nothing for an empty one.

A list of which nothing came would say that there is nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.client import BaseClient
from botocore.exceptions import ConnectionClosedError
from botocore.model import OperationModel


class CutShort(ConnectionClosedError):  # type: ignore[misc]
    """Who answered died meanwhile, or the connection did: less came than had been said."""


def require(client: BaseClient) -> None:
    """From now on the client's calls raise CutShort for such answers."""
    client.meta.events.register("before-parse", _require)


def _require(operation_model: OperationModel, response_dict: Mapping[str, Any], **_: Any) -> None:
    body, said = response_dict["body"], response_dict["headers"].get("content-length")
    of_another = operation_model.http.get("method") == "HEAD"  # the length is what a GET would give
    if isinstance(body, bytes) and said is not None and len(body) < int(said) and not of_another:
        raise CutShort(endpoint_url=f"{operation_model.service_model.service_name} {operation_model.name}")
