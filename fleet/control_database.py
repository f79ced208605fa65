"""The way into the control database: its address from the platform's contract, its password from the secret manager."""

from __future__ import annotations

import json
from collections.abc import Mapping

import sqlalchemy as sa

from errors import FreeholdError, TransientError
from fleet import migrations
from stacks.contract import PlatformContract

# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html
_RDS_AUTHORITY = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
_CONNECT_SECONDS = 10


def control_database(contract: PlatformContract, environment: Mapping[str, str], *, connections: int = 5) -> sa.Engine:
    """The control database, its schema brought up to date; at most so many connections are kept.

    `environment` is the engine's: it holds the credentials of the cloud, and PGSSLROOTCERT. Raises TransientError where
    it does not answer.
    """
    engine = sa.create_engine(_url(contract, environment), pool_pre_ping=True, pool_size=connections)
    try:
        with engine.begin() as connection:
            migrations.upgrade(connection)
    except sa.exc.OperationalError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise TransientError(
            f"cannot connect: {reason}", where=f"control database of {contract.cell}", mend="./freehold sandbox status"
        ) from None
    return engine


def _url(contract: PlatformContract, environment: Mapping[str, str]) -> sa.URL:
    control = contract.database.control
    if control is None:
        mend = "ask for the environment's first cell, which holds it"
        raise FreeholdError("it has no control database of its own", where=f"cell {contract.cell}", mend=mend)
    authority = environment.get("PGSSLROOTCERT")
    if not authority:
        mend = f"set it to the file of {_RDS_AUTHORITY}"
        raise FreeholdError(
            "PGSSLROOTCERT is not set: the server could not be verified", where="control database", mend=mend
        )
    secret = read_secret(control.admin_secret, contract.region, environment)
    return sa.URL.create(
        "postgresql+psycopg",
        username=str(secret["username"]),
        password=str(secret["password"]),
        host=control.host,
        port=control.port,
        database=control.database,
        query={
            "sslmode": "verify-full",
            "sslrootcert": authority,
            "connect_timeout": str(_CONNECT_SECONDS),
            "application_name": "freehold",
        },
    )


def read_secret(reference: str, region: str, environment: Mapping[str, str]) -> Mapping[str, object]:
    """The JSON record that a reference of the contract stands for."""
    from botocore.exceptions import BotoCoreError, ClientError

    from fleet.cloud import client

    try:
        answer = client("secretsmanager", region, environment).get_secret_value(SecretId=reference)
    except (BotoCoreError, ClientError) as error:
        mend = "see that the credentials may read it (secretsmanager:GetSecretValue)"
        raise FreeholdError(str(error), where=reference, mend=mend) from None
    record: Mapping[str, object] = json.loads(answer["SecretString"])
    return record
