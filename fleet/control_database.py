"""The ways into the control database: its address from the platform's contract, passwords from the secret manager."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import NoReturn

import sqlalchemy as sa
from psycopg.errors import InsufficientPrivilege

from catalog.services import Service
from errors import FreeholdError, TransientError
from fleet import migrations, privileges
from fleet.cloud import is_sandbox
from fleet.connection_limits import TCP_LIMITS
from fleet.targets import Target
from stacks.contract import DatabaseContract, PlatformContract

# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html
RDS_AUTHORITY = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
_CONNECT_SECONDS = 10
_RUNNER_STATEMENT_MILLISECONDS = 10_000
"""The runner's statements are of a few rows. Less than a lease: one that waits for a lock can be tried again."""


def control_database(contract: PlatformContract, environment: Mapping[str, str]) -> sa.Engine:
    """The control database as its administrator: its schema is brought up to date, and what services may do in it.

    `environment` is the engine's: it holds the credentials of the cloud, and PGSSLROOTCERT. Raises TransientError where
    it does not answer, FreeholdError where a later release has been there.
    """

    def bring_up_to_date(connection: sa.Connection) -> None:
        migrations.upgrade(connection)
        privileges.grant(connection)

    # Its statements have no limit of time: a migration takes what it takes.
    return _opened(_as_administrator(contract, environment), contract, environment, bring_up_to_date)


def control_database_to_read(contract: PlatformContract, environment: Mapping[str, str]) -> sa.Engine:
    """The control database as its administrator, for who only looks: nothing in it is changed, and nothing can be.

    Raises TransientError where it does not answer, FreeholdError where its schema is another release's.
    """

    def require_up_to_date(connection: sa.Connection) -> None:
        revision = migrations.current(connection)
        migrations.refuse_newer(revision)
        if revision != migrations.HEAD:
            raise FreeholdError(
                f"its schema is at revision {revision}, and this release reads {migrations.HEAD}",
                where=f"control database of {contract.cell}",
                mend=f"bring it up to date by ./freehold up of {contract.cell}, or look with the release that it is of",
            )

    engine = _as_administrator(contract, environment, options="-c default_transaction_read_only=on")
    return _opened(engine, contract, environment, require_up_to_date)


def _as_administrator(contract: PlatformContract, environment: Mapping[str, str], *, options: str = "") -> sa.Engine:
    """`options`: what the server is told of each session."""
    control = _control(contract)
    url = _url(control, control.admin_secret, contract, environment)
    arguments = {**TCP_LIMITS, "options": options}
    return sa.create_engine(url, pool_pre_ping=True, hide_parameters=True, connect_args=arguments)


def runner_database(contract: PlatformContract, environment: Mapping[str, str], *, connections: int) -> sa.Engine:
    """The control database as the runner's role, which changes no schema; at most so many connections are kept.

    Raises TransientError where it does not answer, or nobody has opened it by `control_database` of this release yet.
    """

    def require_up_to_date(connection: sa.Connection) -> None:
        try:
            revision = migrations.current(connection)
        except sa.exc.ProgrammingError as error:
            if not isinstance(error.orig, InsufficientPrivilege):
                raise
            _not_ready(contract, environment, f"role {Service.RUNNER.role} has been given no rights yet")
        if revision is not None and revision > migrations.HEAD:
            what = f"its schema is at revision {revision}, newer than this runner's {migrations.HEAD}"
            _not_ready(
                contract, environment, what, mend="set freehold:runner.image to one of that release (docs/upgrade.md)"
            )
        if revision != migrations.HEAD:
            _not_ready(contract, environment, f"its schema is at revision {revision}, not at {migrations.HEAD}")

    control = _control(contract)
    url = _url(control, control.login(Service.RUNNER), contract, environment)
    url = url.update_query_dict({"application_name": "freehold-runner"})
    engine = sa.create_engine(
        url,
        pool_pre_ping=True,
        pool_size=connections,
        hide_parameters=True,
        connect_args={**TCP_LIMITS, "options": f"-c statement_timeout={_RUNNER_STATEMENT_MILLISECONDS}"},
    )
    return _opened(engine, contract, environment, require_up_to_date)


def _opened(
    engine: sa.Engine,
    contract: PlatformContract,
    environment: Mapping[str, str],
    begin: Callable[[sa.Connection], None],
) -> sa.Engine:
    try:
        with engine.begin() as connection:
            begin(connection)
    except sa.exc.OperationalError as error:
        engine.dispose()
        reason = str(error.orig).strip().splitlines()[0]
        where, mend = f"control database of {contract.cell}", _where_it_is_reached(contract, environment)
        raise TransientError(f"cannot connect: {reason}", where=where, mend=mend) from None
    except BaseException:
        engine.dispose()
        raise
    return engine


def _where_it_is_reached(contract: PlatformContract, environment: Mapping[str, str]) -> str:
    if is_sandbox(environment):
        return "./freehold sandbox status"
    identifier = _control(contract).identifier
    return (
        "it is reached from inside its network alone (docs/deploy.md, from outside to inside), and runs where "
        f"`aws rds describe-db-instances --db-instance-identifier {identifier}` says `available`"
    )


def _not_ready(contract: PlatformContract, environment: Mapping[str, str], what: str, *, mend: str = "") -> NoReturn:
    target = Target.SANDBOX if is_sandbox(environment) else Target.CLOUD
    mend = mend or f"run ./freehold up {contract.cell} --target {target} of this release"
    raise TransientError(what, where=f"control database of {contract.cell}", mend=mend) from None


def _control(contract: PlatformContract) -> DatabaseContract:
    if contract.database.control is None:
        mend = f"set freehold:control in Pulumi.{contract.cell}.yaml, then up: each cell needs one"
        raise FreeholdError("it has no control database of its own", where=f"cell {contract.cell}", mend=mend)
    return contract.database.control


def _url(control: DatabaseContract, login: str, contract: PlatformContract, environment: Mapping[str, str]) -> sa.URL:
    """`login`: the reference to who logs in."""
    authority = environment.get("PGSSLROOTCERT")
    if not authority:
        mend = f"set it to where {RDS_AUTHORITY} was downloaded to; in a checkout certificates/rds.pem is found"
        raise FreeholdError(
            "PGSSLROOTCERT is not set: the server could not be verified", where="control database", mend=mend
        )
    secret = read_secret(login, contract.region, environment)
    if missing := {"username", "password"} - secret.keys():
        raise _no_login(login, f"its record has no {min(missing)}")
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
    """The JSON record that a reference of the contract stands for. Raises FreeholdError where it cannot be read, a
    TransientError where that may pass."""
    from botocore.exceptions import BotoCoreError, ClientError

    from fleet.cloud import client, may_pass

    try:
        answer = client("secretsmanager", region, environment).get_secret_value(SecretId=reference)
    except (BotoCoreError, ClientError) as error:
        if may_pass(error):
            raise TransientError(str(error), where=reference, mend="try again") from None
        mend = "see that the credentials may read it (secretsmanager:GetSecretValue)"
        raise FreeholdError(str(error), where=reference, mend=mend) from None
    try:
        record = json.loads(answer["SecretString"])
    except (KeyError, ValueError):
        record = None
    if not isinstance(record, dict):
        raise _no_login(reference, "it is no JSON object")
    return record


def _no_login(reference: str, what: str) -> FreeholdError:
    """What it holds instead may be a password: it is not shown."""
    return FreeholdError(what, where=reference, mend="`./freehold up` of the cell writes it")
