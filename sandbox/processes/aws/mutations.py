"""Which requests change something. When in doubt, a request counts as one that does: it costs a line in the journal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

_READS = (
    "Describe",
    "List",
    "Get",
    "Head",
    "BatchGet",
    "Lookup",
    "Search",
    "Query",
    "Scan",
    "Select",
    "Check",
    "Estimate",
    "Simulate",
    "Validate",
    "Filter",
    "Test",
    "Decode",
)
# They read by name, and make something all the same: credentials, identities, tokens.
_WRITES = frozenset(
    {
        "GetSessionToken",
        "GetFederationToken",
        "GetId",
        "GetOpenIdToken",
        "GetOpenIdTokenForDeveloperIdentity",
        "GetCredentialsForIdentity",
        "GetAuthorizationToken",
        "GetRandomPassword",
        "GetDataKey",
    }
)
_READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def changes_something(environ: Mapping[str, Any], body: bytes) -> bool:
    """Whether the request must be journaled."""
    operation = operation_name(environ, body)
    if operation is None:
        return environ["REQUEST_METHOD"] not in _READ_METHODS
    if b"alias/aws/" in body:
        return True  # KMS makes an AWS-managed key when it is first looked at
    return operation in _WRITES or not operation.startswith(_READS)


def operation_name(environ: Mapping[str, Any], body: bytes) -> str | None:
    """The operation of a query- or JSON-protocol request; None for REST, where the method tells enough.

    https://smithy.io/2.0/aws/protocols/index.html
    """
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        return str(target).rpartition(".")[2]
    action = parse_qs(environ.get("QUERY_STRING", "")).get("Action")
    if not action and environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        action = parse_qs(body.decode(errors="replace")).get("Action")
    return action[0] if action else None
