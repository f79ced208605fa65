"""Presigned STS requests: who sends one is who signed it, and the signature is checked.

moto looks for the caller in the Authorization header alone and believes any signature. Logins to the clusters rest on
presigned GetCallerIdentity requests, so here their signature, age and session token are verified
(https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html).
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote

Refusal = tuple[str, list[tuple[str, str]], bytes]

# STS takes a presigned request for 15 minutes whatever X-Amz-Expires says, and AWS allows clocks to be 5 minutes off.
_VALID = datetime.timedelta(minutes=15)
_SKEW = datetime.timedelta(minutes=5)
_ALGORITHM = "AWS4-HMAC-SHA256"
_NOTHING = hashlib.sha256(b"").hexdigest()


def with_caller(environ: Mapping[str, Any]) -> Mapping[str, Any]:
    """A presigned STS request with its caller where moto looks for it; any other as it is."""
    query = _query(environ)
    if query is None:
        return environ
    caller = (
        f"{_ALGORITHM} Credential={query.get('X-Amz-Credential', '')}, "
        f"SignedHeaders={query.get('X-Amz-SignedHeaders', '')}, Signature={query.get('X-Amz-Signature', '')}"
    )
    return {**environ, "HTTP_AUTHORIZATION": caller}


def refuse(environ: Mapping[str, Any]) -> Refusal | None:
    """STS' answer to a presigned request that is not valid now; None where it is, or where it is no such request."""
    query = _query(environ)
    if query is None:
        return None
    scope = query.get("X-Amz-Credential", "").split("/")
    if len(scope) != 5 or query.get("X-Amz-Algorithm") != _ALGORITHM:
        return _error("IncompleteSignature", "the request is not presigned by Signature Version 4")
    try:
        signed_at = datetime.datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
    except (KeyError, ValueError):
        return _error("IncompleteSignature", "X-Amz-Date is missing or malformed")
    now = datetime.datetime.now(datetime.UTC)
    if not now - _VALID <= signed_at <= now + _SKEW:
        return _error("ExpiredToken", "the presigned request has expired")
    secret, token = _credentials(scope[0])
    if secret is None or token != query.get("X-Amz-Security-Token"):
        return _error("InvalidClientTokenId", "the security token included in the request is invalid")
    expected = _signature(environ, query, scope, secret)
    if not hmac.compare_digest(expected, query.get("X-Amz-Signature", "")):
        return _error("SignatureDoesNotMatch", "the request signature does not match the one that was calculated")
    return None


def _query(environ: Mapping[str, Any]) -> dict[str, str] | None:
    text = environ.get("QUERY_STRING", "")
    if "X-Amz-Credential" not in text or "HTTP_AUTHORIZATION" in environ:
        return None
    query = dict(parse_qsl(text, keep_blank_values=True))
    return query if query.get("X-Amz-Credential", "").split("/")[3:4] == ["sts"] else None


def _credentials(access_key_id: str) -> tuple[str | None, str | None]:
    """Secret and session token of an access key that IAM or STS has given out; (None, None) for any other."""
    from moto.iam.models import iam_backends
    from moto.sts.models import sts_backends

    for partitions in iam_backends.values():
        for backend in partitions.values():
            for user in backend.users.values():
                for key in user.access_keys:
                    if key.access_key_id == access_key_id and key.status == "Active":
                        return key.secret_access_key, None
    for roles in sts_backends.values():
        for sts in roles.values():
            role = sts.get_assumed_role_from_access_key(access_key_id)
            if role is not None and role.expiration > datetime.datetime.now(datetime.UTC).replace(tzinfo=None):
                return role.secret_access_key, role.session_token
    return None, None


def _signature(environ: Mapping[str, Any], query: Mapping[str, str], scope: list[str], secret: str) -> str:
    signed_headers = query.get("X-Amz-SignedHeaders", "")
    canonical_query = "&".join(
        f"{_encoded(name)}={_encoded(value)}" for name, value in sorted(query.items()) if name != "X-Amz-Signature"
    )
    headers = "".join(f"{name}:{_header(environ, name)}\n" for name in signed_headers.split(";"))
    path = quote(environ.get("PATH_INFO") or "/")
    request = "\n".join((environ["REQUEST_METHOD"], path, canonical_query, headers, signed_headers, _NOTHING))
    text = "\n".join(
        (_ALGORITHM, query["X-Amz-Date"], "/".join(scope[1:]), hashlib.sha256(request.encode()).hexdigest())
    )
    key = f"AWS4{secret}".encode()
    for part in scope[1:]:
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def _header(environ: Mapping[str, Any], name: str) -> str:
    key = name.upper().replace("-", "_")
    return " ".join(str(environ.get(key if key.startswith("CONTENT_") else f"HTTP_{key}", "")).split())


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")


def _error(code: str, message: str) -> Refusal:
    content = (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    )
    return "403 Forbidden", [("Content-Type", "text/xml")], content.encode()
