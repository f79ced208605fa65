"""Clients of the cloud for the environment that the engine runs in: the sandbox's endpoint or the real one."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

# https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
_PATIENCE = ("Throttling", "ThrottlingException", "RequestLimitExceeded", "SlowDown", "TooManyRequestsException")


# Of S3, for one key of an answer whose status is 200: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_ILLNESS = ("InternalError", "ServiceUnavailable", "RequestTimeout", "OperationAborted")


def client(service: str, region: str, environment: Mapping[str, str]) -> Any:
    """A botocore client with the credentials and the endpoint of `environment`, not of this process.

    An answer that was cut off is raised, as something that may pass.
    """
    import botocore.session
    from botocore.config import Config

    import whole_answers

    profile = None if "AWS_ACCESS_KEY_ID" in environment else environment.get("AWS_PROFILE")
    # Without this it would take AWS_PROFILE of this process.
    session = botocore.session.Session(session_vars={"profile": (None, None, profile, None)})
    session.register_component("data_loader", _models(session.get_config_variable("data_path")))
    endpoint = environment.get("AWS_ENDPOINT_URL")
    config = Config(
        connect_timeout=5,
        read_timeout=20,
        retries={"max_attempts": 3, "mode": "standard"},
        # No proxy finds the way back to this machine, whatever NO_PROXY has forgotten.
        proxies={} if _on_this_machine(endpoint) else None,
    )
    made = session.create_client(
        service,
        region_name=region,
        aws_access_key_id=environment.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=environment.get("AWS_SECRET_ACCESS_KEY"),
        aws_session_token=environment.get("AWS_SESSION_TOKEN"),
        endpoint_url=endpoint,
        config=config,
    )
    whole_answers.require(made)
    return made


@functools.cache
def _models(data_path: str | None) -> Any:
    """What botocore reads of services: once in this process, for EC2 alone it takes a quarter of a second."""
    import botocore.loaders

    return botocore.loaders.create_loader(data_path)


def is_sandbox(environment: Mapping[str, str]) -> bool:
    """Whether these are a sandbox's variables. A shell with its endpoint never gets to a real environment."""
    return "AWS_ENDPOINT_URL" in environment


def _on_this_machine(endpoint: str | None) -> bool:
    return endpoint is not None and urlsplit(endpoint).hostname in ("127.0.0.1", "localhost", "::1")


def may_pass(error: Exception) -> bool:
    """Whether what a client raised may pass by itself: no way to the service, which may also be ill, or ask for
    patience."""
    from botocore import exceptions

    if not isinstance(error, exceptions.ClientError):
        return isinstance(error, exceptions.ConnectionError | exceptions.HTTPClientError)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or error.response.get("Error", {}).get("Code") in _PATIENCE


def code_may_pass(code: str) -> bool:
    """The same of the code that an answer gives for one of the things that were asked for."""
    return code in (*_PATIENCE, *_ILLNESS)
