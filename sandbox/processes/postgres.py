"""Postgres: one server per database instance, set up as RDS does it.

TLS only, SCRAM passwords only; the superuser is the sandbox's own and logs in with a client certificate; the instance's
administrator may create roles and databases and is no superuser
(https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Roles.html).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from sandbox.files import unwritable
from sandbox.processes.certificates import KeyPair
from sandbox.processes.leftovers import end_workers
from sandbox.processes.site import Site
from sandbox.supervisor.definitions import DatabaseDefinition
from sandbox.supervisor.messages import SupervisorError
from sandbox.supervisor.privileges import drop, own
from sandbox.supervisor.spec import NotReady, ProcessSpec
from sandbox.toolchain import locate

SUPERUSER = "freehold_supervisor"
ADMIN_GROUP = "rds_superuser"

# What makes the instance reachable, durable and safe is the sandbox's to decide; RDS lets nobody set these either.
_OURS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "ssl": "on",
    "ssl_cert_file": "server.crt",
    "ssl_key_file": "server.key",
    "ssl_ca_file": "ca.crt",
    "password_encryption": "scram-sha-256",
}
_REFUSED = frozenset(
    {
        "port",
        "data_directory",
        "hba_file",
        "ident_file",
        "config_file",
        "external_pid_file",
        "fsync",
        "full_page_writes",
        "archive_command",
        "archive_library",
        "restore_command",
        "dynamic_library_path",
        "unix_socket_group",
        "ssl_passphrase_command",
        "krb_server_keyfile",
        "log_directory",
        "logging_collector",
    }
)
# Small, because several instances share the machine; parameters of the instance come after and win.
_DEFAULTS: Mapping[str, str] = {
    "shared_buffers": "32MB",
    "max_connections": "100",
    "max_wal_size": "256MB",
    "min_wal_size": "32MB",
    "max_worker_processes": "4",
    "autovacuum_naptime": "5min",
    "wal_level": "replica",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_CONNECT_SECONDS = 5


@dataclass(frozen=True)
class PostgresServer:
    """One instance: where it listens, and what only the sandbox may do with it."""

    site: Site
    definition: DatabaseDefinition
    data: Path

    @property
    def name(self) -> str:
        return f"postgres-{self.definition.name}"

    @property
    def port(self) -> int:
        return self.site.ports.assign(self.name, "FREEHOLD_POSTGRES_PORT")

    def spec(self) -> ProcessSpec:
        port, port_is_free = self.site.port(self.name, "FREEHOLD_POSTGRES_PORT")

        def prepare() -> None:
            port_is_free()
            end_workers("postgres", self.data / "pg")  # of one that was killed together with its supervisor
            self._initialise()
            self.configure()
            self.require_valid_parameters()
            # Nothing of ours runs on this folder now, and the pid in the file may be another program's by now.
            (self.data / "pg" / "postmaster.pid").unlink(missing_ok=True)

        return ProcessSpec(
            name=self.name,
            kind="postgres",
            instance=self.definition.name,
            port=port,
            command=(str(locate("postgres")), "-D", str(self.data / "pg")),
            prepare=prepare,
            check=self._check,
            unprivileged=True,
            leftovers=lambda: end_workers("postgres", self.data / "pg"),
            # Fast shutdown: clients are disconnected (postgres(1)).
            stop_signal=signal.SIGINT,
        )

    def configure(self) -> None:
        """Write the server's files from the definition."""
        folder = self.data / "pg"
        serving = self.site.authority.server("postgres")
        settings = {**_DEFAULTS, **applied(self.definition.parameters), **_OURS, "port": str(self.port)}
        lines = [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'" for name, value in settings.items()]
        try:
            (folder / "postgresql.conf").write_text("\n".join(lines) + "\n")
            (folder / "pg_hba.conf").write_text(
                f"hostssl all {SUPERUSER} 127.0.0.1/32 cert\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
            )
            shutil.copyfile(serving.certificate, folder / "server.crt")
            shutil.copyfile(self.site.authority.certificate_path, folder / "ca.crt")
            with open(folder / "server.key", "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as key:
                key.write(serving.key.read_text())
            own(folder)
        except OSError as error:
            raise unwritable(folder, error) from None

    def require_valid_parameters(self) -> None:
        """Raises where the server would refuse to start with what `configure` wrote."""
        command = drop((str(locate("postgres")), "-D", str(self.data / "pg"), "-C", "max_connections"))
        checked = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
        if checked.returncode != 0:
            refused = next((line for line in checked.stderr.splitlines() if line), "it does not start")
            raise SupervisorError(
                refused.partition("LOG: ")[2].strip() or refused, where=f"parameters of {self.name}", reason="invalid"
            )

    def create_administrator(self) -> None:
        """The instance's administrator and its database; what is there already is kept."""
        definition = self.definition
        with self.connect() as connection:
            connection.autocommit = True
            if not self._there(connection, "pg_roles", "rolname", ADMIN_GROUP):
                connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(ADMIN_GROUP)))
                connection.execute(
                    sql.SQL("GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO {}").format(
                        sql.Identifier(ADMIN_GROUP)
                    )
                )
            if not self._there(connection, "pg_roles", "rolname", definition.username):
                connection.execute(
                    sql.SQL("CREATE ROLE {} LOGIN CREATEROLE CREATEDB IN ROLE {}").format(
                        sql.Identifier(definition.username), sql.Identifier(ADMIN_GROUP)
                    )
                )
            self._set_password(connection, definition.password)
            if not self._there(connection, "pg_database", "datname", definition.database):
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(
                        sql.Identifier(definition.database), sql.Identifier(definition.username)
                    )
                )
        self.hand_over()

    def hand_over(self) -> None:
        """Makes the instance's administrator the owner of what every server has, as RDS does; templates but the first
        are RDS' own. Functions stay the superuser's."""
        with self.connect() as connection:
            for database in ("postgres", "template1"):
                connection.execute(
                    sql.SQL("ALTER DATABASE {} OWNER TO {}").format(
                        sql.Identifier(database), sql.Identifier(self.definition.username)
                    )
                )

    def set_password(self, password: str) -> None:
        with self.connect() as connection:
            self._set_password(connection, password)

    def reload(self) -> bool:
        """Take up changed parameters; True where some of them need a restart of the server."""
        with self.connect() as connection:
            connection.autocommit = True
            connection.execute("SELECT pg_reload_conf()")
            # The reload is a signal to the postmaster: a session that starts after it sees the outcome.
            connection.execute("SELECT pg_sleep(0.2)")
        with self.connect() as connection:
            row = connection.execute("SELECT count(*) FROM pg_settings WHERE pending_restart").fetchone()
            return row is not None and row[0] > 0

    def connect(self) -> psycopg.Connection:
        """As the sandbox's superuser."""
        client = self._superuser_certificate()
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=SUPERUSER,
            dbname="postgres",
            connect_timeout=_CONNECT_SECONDS,
            sslmode="verify-full",
            sslrootcert=str(self.site.authority.certificate_path),
            sslcert=str(client.certificate),
            sslkey=str(client.key),
        )

    def _superuser_certificate(self) -> KeyPair:
        return self.site.authority.client("postgres-superuser", SUPERUSER)

    def _check(self) -> None:
        try:
            with self.connect() as connection:
                connection.execute("SELECT 1")
        except psycopg.Error as error:
            raise NotReady(str(error).strip().splitlines()[-1]) from None

    def _initialise(self) -> None:
        folder = self.data / "pg"
        if folder.exists():
            return
        fresh = self.data / "pg.new"
        try:
            if fresh.exists():
                shutil.rmtree(fresh)
            fresh.mkdir(parents=True, mode=0o700)
            own(fresh)
        except OSError as error:
            raise unwritable(fresh, error) from None
        command = drop(
            (
                str(locate("initdb")),
                "-D",
                str(fresh),
                "-U",
                SUPERUSER,
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
                "--auth=reject",
                "--no-instructions",
                "--data-checksums",
                # The folder gets its name only when it is whole; a crash of the machine before the first checkpoint
                # would leave an instance that is not complete, which the next start removes.
                "--no-sync",
            )
        )
        made = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
        if made.returncode != 0:
            reason = made.stderr.strip().splitlines()
            raise SupervisorError(f"initdb: {reason[0] if reason else f'exit code {made.returncode}'}", where=self.name)
        fresh.rename(folder)

    def _set_password(self, connection: psycopg.Connection, password: str) -> None:
        # Only the SCRAM verifier travels, so that no statement log can hold the password.
        user = self.definition.username
        verifier = connection.pgconn.encrypt_password(password.encode(), user.encode(), b"scram-sha-256")
        connection.execute(
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(user), sql.Literal(verifier.decode()))
        )

    @staticmethod
    def _there(connection: psycopg.Connection, catalog: str, column: str, name: str) -> bool:
        query = sql.SQL("SELECT 1 FROM {} WHERE {} = %s").format(sql.Identifier(catalog), sql.Identifier(column))
        return connection.execute(query, [name]).fetchone() is not None


def database_url(site: Site, definition: DatabaseDefinition, username: str, password: str) -> str:
    """With the server's certificate verified."""
    server = PostgresServer(site, definition, Path())
    authority = quote(str(site.authority.certificate_path))
    return (
        f"postgresql://{quote(username)}:{quote(password, safe='')}@127.0.0.1:{server.port}/"
        f"{quote(definition.database)}?sslmode=verify-full&sslrootcert={authority}"
    )


def applied(parameters: Mapping[str, str]) -> dict[str, str]:
    """The parameters that a local server can take: RDS' formulas over the instance class's memory are left to RDS."""
    for name, value in parameters.items():
        if name in _OURS or name in _REFUSED:
            raise SupervisorError("is not for an instance to set", where=f"parameter {name}", reason="invalid")
        if not name.replace(".", "").replace("_", "").isalnum() or any(ord(letter) < 32 for letter in value):
            raise SupervisorError("is not a parameter", where=repr(name), reason="invalid")
    return {name: value for name, value in parameters.items() if "{" not in value}
