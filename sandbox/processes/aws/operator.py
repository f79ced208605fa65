"""The IAM user that people and programs of the sandbox are: made at the first start, its key handed out by a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode
from xml.etree import ElementTree

from errors import FreeholdError
from sandbox.files import write_atomically
from sandbox.processes.aws.application import JournaledApplication

USER = "freehold-operator"

# moto finds service and region in the credential scope and believes any signature.
_AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=AKIAFREEHOLDSANDBOX0/20260101/us-east-1/iam/aws4_request, "
    "SignedHeaders=host, Signature=none"
)


def ensure_operator(application: JournaledApplication, path: Path, host: str) -> None:
    """Make the user and its access key where `path` does not hold one yet; a kill in between does no harm."""
    if path.exists():
        return
    if _iam(application, host, {"Action": "GetUser", "UserName": USER}, missing_is_fine=True) is None:
        _iam(application, host, {"Action": "CreateUser", "UserName": USER})
    _iam(
        application,
        host,
        {"Action": "AttachUserPolicy", "UserName": USER, "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
    )
    made = _iam(application, host, {"Action": "CreateAccessKey", "UserName": USER})
    assert made is not None
    key = {
        name: made.findtext(f".//{{*}}{element}")
        for name, element in (("access_key_id", "AccessKeyId"), ("secret_access_key", "SecretAccessKey"))
    }
    write_atomically(path, json.dumps(key).encode(), 0o600)


def _iam(
    application: JournaledApplication, host: str, parameters: Mapping[str, str], *, missing_is_fine: bool = False
) -> ElementTree.Element | None:
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "RAW_URI": "/",
        "SCRIPT_NAME": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": host.rpartition(":")[2],
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": host,
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
        "HTTP_AUTHORIZATION": _AUTHORIZATION,
    }
    status, content = application.call(environ, urlencode({**parameters, "Version": "2010-05-08"}).encode())
    if status.startswith("404") and missing_is_fine:
        return None
    if not status.startswith("200"):
        raise FreeholdError(f"{parameters['Action']} is answered {status}: {content.decode()[:300]}", where="moto")
    return ElementTree.fromstring(content)
