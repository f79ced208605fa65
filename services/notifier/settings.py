"""The notifier's settings: variables of the environment; what is secret is there by reference to the secret manager."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError, model_validator

from errors import FreeholdError
from fleet.cloud import client
from services.notifier.sinks import Sink
from services.notifier.sinks.mail import MailSink
from services.notifier.sinks.slack import SlackSink
from services.notifier.sinks.webhook import WebhookSink

_PREFIX = "NOTIFIER_"
_Url = Annotated[SecretStr, Field(min_length=1)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Settings(_Model):
    """From NOTIFIER_QUEUE_URL and so on; PORT, AWS_REGION, AWS_ENDPOINT_URL and PGSSLROOTCERT as elsewhere."""

    queue_url: str
    dead_letter_queue_url: str
    topic_arn: Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$")]
    database_secret: str
    """Reference to JSON: host, port, database, username, password."""
    sinks_secret: str
    """Reference to JSON: see `SinkSettings`."""
    region: str
    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    host: str = "0.0.0.0"
    """Address that health and metrics are served at."""
    limit_seconds: Annotated[float, Field(gt=0, le=120)] = 10.0
    """How long one attempt at one sink may last."""
    attempts: Annotated[int, Field(ge=1, le=50)] = 10
    backoff_seconds: Annotated[float, Field(gt=0, le=3600)] = 5.0
    """Until the second attempt; doubled after each."""
    endpoint: str | None = None
    authority: Path | None = None
    """Who signs the database's certificate."""


class _Webhook(_Model):
    url: _Url
    secrets: Annotated[tuple[SecretStr, ...], Field(min_length=1, max_length=3)]


class _Slack(_Model):
    url: _Url


class _Mail(_Model):
    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    sender: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")]
    recipients: Annotated[tuple[str, ...], Field(min_length=1)]
    username: str | None = None
    password: SecretStr | None = None
    encryption: Literal["tls", "starttls", "offered"] = "starttls"
    authority: Path | None = None


class SinkSettings(_Model):
    """The record behind NOTIFIER_SINKS_SECRET; what is left out is not sent to."""

    webhook: _Webhook | None = None
    slack: _Slack | None = None
    mail: _Mail | None = None

    @model_validator(mode="after")
    def _some(self) -> SinkSettings:
        if self.webhook is None and self.slack is None and self.mail is None:
            raise ValueError("nobody would be told: name at least one of webhook, slack and mail")
        return self

    def sinks(self, limit_seconds: float) -> tuple[Sink, ...]:
        """Raises FreeholdError where one could never work."""
        made: list[Sink] = []
        if (webhook := self.webhook) is not None:
            secrets = tuple(secret.get_secret_value() for secret in webhook.secrets)
            made.append(WebhookSink(webhook.url.get_secret_value(), secrets, limit_seconds))
        if self.slack is not None:
            made.append(SlackSink(self.slack.url.get_secret_value(), limit_seconds))
        if (mail := self.mail) is not None:
            made.append(
                MailSink(
                    mail.host,
                    mail.port,
                    mail.sender,
                    mail.recipients,
                    limit_seconds,
                    username=mail.username,
                    password=None if mail.password is None else mail.password.get_secret_value(),
                    encryption=mail.encryption,
                    authority=mail.authority,
                )
            )
        return tuple(made)


def read(environment: Mapping[str, str]) -> Settings:
    """Raises FreeholdError that names the first variable that is wrong."""
    own = {
        name.removeprefix(_PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(_PREFIX) and value
    }
    shared = {
        "region": "AWS_REGION",
        "port": "PORT",
        "endpoint": "AWS_ENDPOINT_URL",
        "authority": "PGSSLROOTCERT",
    }
    own |= {name: environment[variable] for name, variable in shared.items() if environment.get(variable)}
    try:
        return Settings.model_validate(own)
    except ValidationError as error:
        detail = error.errors(include_input=False, include_url=False)[0]
        name = str(detail["loc"][0]) if detail["loc"] else ""
        variable = shared.get(name, f"{_PREFIX}{name.upper()}")
        raise FreeholdError(detail["msg"], where=variable, mend="set it in the notifier's environment") from None


def read_sinks(settings: Settings, environment: Mapping[str, str]) -> SinkSettings:
    """What the secret of the sinks holds. Raises FreeholdError."""
    record = read_secret(settings.sinks_secret, settings.region, environment)
    try:
        return TypeAdapter(SinkSettings).validate_python(record)
    except ValidationError as error:
        detail = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, detail["loc"])) or "sinks"
        raise FreeholdError(
            f"{where}: {detail['msg']}", where=settings.sinks_secret, mend="see docs/connect-slack.md"
        ) from None


def read_secret(reference: str, region: str, environment: Mapping[str, str]) -> Mapping[str, Any]:
    """The JSON object behind a reference. Raises FreeholdError."""
    from botocore.exceptions import BotoCoreError, ClientError

    mend = "see that the role may read it (secretsmanager:GetSecretValue)"
    try:
        answer = client("secretsmanager", region, environment).get_secret_value(SecretId=reference)
        record = json.loads(answer["SecretString"])
    except (BotoCoreError, ClientError) as error:
        raise FreeholdError(" ".join(str(error).split()), where=reference, mend=mend) from None
    except (KeyError, ValueError):
        record = None
    if not isinstance(record, dict):
        raise FreeholdError("it is no JSON object", where=reference, mend=mend)
    return record
