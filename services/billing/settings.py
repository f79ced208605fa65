"""What the webhook is told by its environment. What is there by reference is read anew while it runs.

| variable | what |
|---|---|
| STRIPE_WEBHOOK_SECRET | one signing secret or, during a rotation, several with commas between |
| STRIPE_WEBHOOK_SECRET_ARN | instead of it: a secret in the secret manager that holds the same |
| DATABASE_URL | the control database; PGSSLROOTCERT verifies its server |
| DATABASE_SECRET_ARN | instead of it: a secret of JSON: host, port, database, username, password |
| FREEHOLD_PRODUCT | the blueprint whose plans are sold |
| STRIPE_LIVEMODE | `true` takes events of live mode, `false` those of test mode; the others are kept as unmatched |
| HOST, PORT | of the process: 0.0.0.0 and 8080 unless set |
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from catalog import blueprints
from catalog.plans import Blueprint
from errors import UsageError
from fleet.connection_limits import TCP_LIMITS
from services.login import Login, follow

_WHERE = "billing webhook"
_CONNECT_SECONDS = 5
_STATEMENT_MILLISECONDS = 5_000
_LOCK_MILLISECONDS = 3_000
CONNECTION_SECONDS = 300
"""How long one serves: sooner than AWS' network forgets one over which nothing was sent (350 seconds), as while Lambda
stops the process. And where the login tells another server, it is that one that is used soon."""
# Stripe's own are `whsec_` and 32 characters; what is much shorter was cut or made up.
_SHORTEST_SECRET = 16

# Within the function's own 20 seconds there are two secrets to be read, and then there is an event to be dealt with.
_SECRET_LIMITS: Mapping[str, Any] = {
    "connect_timeout": 2,
    "read_timeout": 2,
    "retries": {"mode": "standard", "total_max_attempts": 2},
}

ReadSecret = Callable[[str], str]
"""The text that a reference to the secret manager stands for."""


@dataclass(frozen=True)
class Settings:
    """`secrets` and `login` are not to be shown."""

    secrets: tuple[bytes, ...]
    login: Login
    blueprint: Blueprint
    livemode: bool
    host: str = "0.0.0.0"
    port: int = 8080

    def __repr__(self) -> str:
        return f"Settings(product={self.blueprint.name}, livemode={self.livemode}, port={self.port})"

    def engine(self, *, connections: int) -> sa.Engine:
        """Connections to the control database, with limits to how long anything may take."""
        options = f"-c statement_timeout={_STATEMENT_MILLISECONDS} -c lock_timeout={_LOCK_MILLISECONDS}"
        # What is answered is on disk, whatever the role or the database has been set to.
        options += " -c synchronous_commit=on"
        made = sa.create_engine(
            self.login.url,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=_CONNECT_SECONDS,
            pool_recycle=CONNECTION_SECONDS,
            # What goes with a statement is what Stripe sent: it stays out of errors, and so out of the log.
            hide_parameters=True,
            connect_args={
                **TCP_LIMITS,
                "connect_timeout": _CONNECT_SECONDS,
                "application_name": "freehold-billing",
                "options": options,
                # Statements are prepared at their second use, and kept for as long as the connection is.
                "prepare_threshold": 1,
            },
        )
        follow(made, self.login)
        return made


def read(environment: Mapping[str, str], read_secret: ReadSecret) -> Settings:
    """Raises UsageError, in one line, for what is missing or wrong."""
    return Settings(
        secrets=_secrets(_either(environment, "STRIPE_WEBHOOK_SECRET", read_secret)),
        # By the clock of the day, as Lambda stops a process between calls.
        login=Login(lambda: _database(environment, read_secret), time.time),
        blueprint=_blueprint(environment.get("FREEHOLD_PRODUCT", "")),
        livemode=_livemode(environment.get("STRIPE_LIVEMODE", "")),
        host=environment.get("HOST") or "0.0.0.0",
        port=_port(environment.get("PORT") or "8080"),
    )


def _either(environment: Mapping[str, str], name: str, read_secret: ReadSecret) -> str:
    """The variable, or what the reference in `<name>_ARN` stands for."""
    if reference := environment.get(f"{name}_ARN"):
        return read_secret(reference)
    return environment.get(name, "")


def _secrets(text: str) -> tuple[bytes, ...]:
    secrets = tuple(part.encode() for part in re.split(r"[\s,]+", text.strip()) if part)
    if not secrets:
        mend = "set STRIPE_WEBHOOK_SECRET, or STRIPE_WEBHOOK_SECRET_ARN, to the endpoint's signing secret (whsec_...)"
        raise UsageError("there is no signing secret: anybody could send events", where=_WHERE, mend=mend)
    if short := [number for number, one in enumerate(secrets, 1) if len(one) < _SHORTEST_SECRET]:
        what = f"signing secret {short[0]} of {len(secrets)} is shorter than {_SHORTEST_SECRET} characters"
        raise UsageError(what, where=_WHERE, mend="copy it whole from the endpoint's page")
    return secrets


def _database(environment: Mapping[str, str], read_secret: ReadSecret) -> sa.URL:
    if reference := environment.get("DATABASE_SECRET_ARN"):
        record = read_secret(reference)
        authority = environment.get("PGSSLROOTCERT", "")
        if not authority:
            raise UsageError("PGSSLROOTCERT is not set: the server could not be verified", where=_WHERE)
        return _recorded(record, reference, authority)
    text = environment.get("DATABASE_URL", "")
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        # The text may hold a password: it is not shown.
        mend = "set it to postgresql://user:password@host:port/database"
        raise UsageError("DATABASE_URL is missing or no address of a database", where=_WHERE, mend=mend) from None
    return url.set(drivername="postgresql+psycopg")


def _recorded(text: str, reference: str, authority: str) -> sa.URL:
    """The database that the secret's record tells."""
    try:
        record = json.loads(text)
        return sa.URL.create(
            "postgresql+psycopg",
            username=str(record["username"]),
            password=str(record["password"]),
            host=str(record["host"]),
            port=int(record["port"]),
            database=str(record["database"]),
            query={"sslmode": "verify-full", "sslrootcert": authority},
        )
    except (KeyError, TypeError, ValueError):
        # What it holds instead may be a password: it is not shown.
        what = "it is no JSON object with host, port, database, username and password"
        raise UsageError(what, where=reference, mend="`./freehold up` of the cell writes it") from None


def _blueprint(name: str) -> Blueprint:
    try:
        return blueprints.load(name)
    except KeyError as error:
        raise UsageError(str(error.args[0]), where=f"{_WHERE}: FREEHOLD_PRODUCT") from None


def _livemode(text: str) -> bool:
    if text not in ("true", "false"):
        raise UsageError("it is neither true nor false", where=f"{_WHERE}: STRIPE_LIVEMODE")
    return text == "true"


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise UsageError("it is no port", where=f"{_WHERE}: PORT")
    return int(text)


def read_aws_secret(reference: str) -> str:
    """From AWS Secrets Manager. Raises UsageError."""
    # boto3 is part of Lambda's own Python; nothing else here needs it.
    from boto3.session import Session
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        # arn:aws:secretsmanager:<region>:<account>:secret:<name>
        # A session of its own: the one that boto3 shares makes clients for one thread at a time.
        region, config = reference.split(":")[3], Config(**_SECRET_LIMITS)
        client = Session().client("secretsmanager", region_name=region, config=config)
        return str(client.get_secret_value(SecretId=reference)["SecretString"])
    except (BotoCoreError, ClientError, IndexError, KeyError) as error:
        mend = "store a value, and let the role read it (secretsmanager:GetSecretValue)"
        raise UsageError(f"{type(error).__name__}: it cannot be read", where=reference, mend=mend) from None
