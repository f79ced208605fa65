"""EKS tokens: who a `k8s-aws-v1.` token stands for, found out as aws-iam-authenticator does: by sending it to STS.

A token is a presigned GetCallerIdentity URL. It is only ever sent to the sandbox's own STS: it is a stranger's URL, and
whoever follows it elsewhere can be made to call anything (https://github.com/kubernetes-sigs/aws-iam-authenticator).
"""

from __future__ import annotations

import base64
import binascii
import datetime
import http.client
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, urlsplit
from xml.etree import ElementTree

PREFIX = "k8s-aws-v1."
CLUSTER_HEADER = "x-k8s-aws-id"
LIFETIME = datetime.timedelta(minutes=15)

_SKEW = datetime.timedelta(minutes=5)
_MAXIMUM_LENGTH = 4096
_TIMEOUT_SECONDS = 5.0
# Nothing else may stand in the URL: STS would read it.
_PARAMETERS = frozenset(
    {
        "action",
        "version",
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-expires",
        "x-amz-security-token",
        "x-amz-signature",
        "x-amz-signedheaders",
    }
)


class TokenRefused(Exception):
    """The token proves nothing; the text says why, without quoting it."""


@dataclass(frozen=True)
class Caller:
    """Whom STS says the token's signer is."""

    arn: str
    user_id: str
    account: str
    access_key_id: str


class TokenVerifier:
    """Verifies tokens against one AWS endpoint, `http://127.0.0.1:PORT`."""

    def __init__(self, aws_endpoint: str) -> None:
        endpoint = urlsplit(aws_endpoint)
        if endpoint.hostname is None or endpoint.port is None:
            raise ValueError(f"{aws_endpoint} has no host and port")
        self._scheme, self._host, self._port = endpoint.scheme, endpoint.hostname, endpoint.port

    def verify(self, token: str, cluster: str, now: datetime.datetime) -> tuple[Caller, datetime.datetime]:
        """The caller, and until when the token is good. Raises TokenRefused."""
        url = self._url(token)
        expires, access_key_id = _check_query(url, now)
        return self._ask(url, cluster, access_key_id), expires

    def _url(self, token: str) -> SplitResult:
        if not token.startswith(PREFIX) or len(token) > _MAXIMUM_LENGTH:
            raise TokenRefused("no EKS token")
        encoded = token.removeprefix(PREFIX)
        try:
            # validate=True: characters outside the alphabet would be skipped silently else.
            decoded = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
            url = urlsplit(decoded.decode("ascii"))
            place = (url.scheme, url.hostname, url.port)
        except (binascii.Error, ValueError):
            raise TokenRefused("the token is malformed") from None
        if place != (self._scheme, self._host, self._port) or url.path not in ("", "/") or url.username or url.password:
            raise TokenRefused("the token is for another STS")
        return url

    def _ask(self, url: SplitResult, cluster: str, access_key_id: str) -> Caller:
        # To the configured endpoint, whatever the URL's own authority was.
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request("GET", f"/?{url.query}", headers={CLUSTER_HEADER: cluster})
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise TokenRefused(f"STS answers {response.status} {_text(content, 'Code')}".strip())
        arn, user_id, account = (_text(content, name) for name in ("Arn", "UserId", "Account"))
        if not arn or not account:
            raise TokenRefused("STS names no caller")
        return Caller(arn, user_id, account, access_key_id)


def _check_query(url: SplitResult, now: datetime.datetime) -> tuple[datetime.datetime, str]:
    query = {name.lower(): values for name, values in parse_qs(url.query, keep_blank_values=True).items()}
    if not query.keys() <= _PARAMETERS or any(len(values) != 1 for values in query.values()):
        raise TokenRefused("the token's URL has parameters that do not belong there")
    if query.get("action") != ["GetCallerIdentity"]:
        raise TokenRefused("the token's action is not GetCallerIdentity")
    signed_headers = query.get("x-amz-signedheaders", [""])[0].lower().split(";")
    if CLUSTER_HEADER not in signed_headers or "host" not in signed_headers:
        # Without it, a token for one cluster would open every other.
        raise TokenRefused(f"the token does not sign {CLUSTER_HEADER}")
    try:
        signed_at = datetime.datetime.strptime(query["x-amz-date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
    except (KeyError, ValueError):
        raise TokenRefused("the token has no valid date") from None
    if not now - LIFETIME <= signed_at <= now + _SKEW:
        raise TokenRefused("the token has expired")
    return signed_at + LIFETIME, query.get("x-amz-credential", [""])[0].split("/")[0]


def _text(content: bytes, name: str) -> str:
    try:
        return ElementTree.fromstring(content).findtext(f".//{{*}}{name}") or ""
    except ElementTree.ParseError:
        return ""
