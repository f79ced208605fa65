"""Redis: one server per cache, as ElastiCache with in-transit encryption and a user group: TLS only, users by ACL."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from sandbox.files import write_atomically
from sandbox.processes.site import Site
from sandbox.supervisor.definitions import CacheDefinition
from sandbox.supervisor.messages import CacheUser, SupervisorError
from sandbox.supervisor.spec import NotReady, ProcessSpec, no_answer
from sandbox.toolchain import locate

if TYPE_CHECKING:  # most commands import this for an address only, and the client takes a tenth of a second
    import redis

SUPERVISOR_USER = "freehold-supervisor"

# Parameters of ElastiCache's own: no directive of Redis stands behind them.
_ELASTICACHE_ONLY = frozenset(
    {
        "cluster-enabled",
        "reserved-memory",
        "reserved-memory-percent",
        "close-on-slave-write",
        "close-on-replica-write",
        "cluster-allow-reads-when-down",
        "cluster-require-full-coverage",
    }
)
_REFUSED = frozenset(
    {
        "bind",
        "port",
        "unixsocket",
        "dir",
        "dbfilename",
        "appendfilename",
        "appenddirname",
        "appendonly",
        "appendfsync",
        "save",
        "aclfile",
        "user",
        "requirepass",
        "include",
        "loadmodule",
        "rename-command",
        "daemonize",
        "pidfile",
        "logfile",
        "protected-mode",
        "enable-debug-command",
        "enable-module-command",
        "enable-protected-configs",
        "replicaof",
        "masterauth",
        "masteruser",
        "supervised",
    }
)
_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class RedisServer:
    """One cache: where it listens, and what only the sandbox may do with it."""

    site: Site
    definition: CacheDefinition
    data: Path

    @property
    def name(self) -> str:
        return f"redis-{self.definition.name}"

    @property
    def port(self) -> int:
        return self.site.ports.assign(self.name, "FREEHOLD_REDIS_PORT")

    def spec(self) -> ProcessSpec:
        port, port_is_free = self.site.port(self.name, "FREEHOLD_REDIS_PORT")

        def prepare() -> None:
            port_is_free()
            self.configure()

        return ProcessSpec(
            name=self.name,
            kind="redis",
            instance=self.definition.name,
            port=port,
            # The address once more: a server that found no such file would serve everybody, without a password.
            command=(
                str(locate("redis-server")),
                literal(self.data / "redis.conf"),
                *("--bind", "127.0.0.1", "--port", "0"),
            ),
            prepare=prepare,
            check=self._check,
        )

    def configure(self) -> None:
        """Write the server's files from the definition."""
        serving = self.site.authority.server("redis")
        settings = {
            **applied(self.definition.parameters),
            "bind": "127.0.0.1",
            "port": "0",
            "tls-port": str(self.port),
            "tls-cert-file": quoted(serving.certificate),
            "tls-key-file": quoted(serving.key),
            "tls-ca-cert-file": quoted(self.site.authority.certificate_path),
            "tls-auth-clients": "no",
            "dir": quoted(self.data),
            "aclfile": quoted(self.data / "users.acl"),
            # Written and synced before each answer: a killed server has lost nothing that it acknowledged.
            "appendonly": "yes",
            "appendfsync": "always",
            "save": '""',
            "daemonize": "no",
            "logfile": '""',
            "enable-debug-command": "no",
            "enable-module-command": "no",
        }
        lines = "\n".join(f"{name} {value}" for name, value in settings.items())
        write_atomically(self.data / "redis.conf", lines.encode() + b"\n", 0o600)
        self._write_users(self.definition.users)

    def set_users(self, users: Mapping[str, str]) -> None:
        """Make `users` (name -> ACL line) the complete set; raises, and changes nothing, where Redis refuses a line."""
        from redis import exceptions

        self._write_users(users)
        try:
            with self.connect() as connection:
                connection.execute_command("ACL", "LOAD")
        except (exceptions.ConnectionError, exceptions.TimeoutError):
            self._write_users(self.definition.users)
            raise no_answer(self.name) from None
        except exceptions.RedisError as error:
            self._write_users(self.definition.users)
            what = f"Redis refuses an access string: {str(error).partition('WARNING')[0].strip()}"
            raise SupervisorError(what, where=self.name, reason="invalid") from None

    def connect(self) -> redis.Redis:
        """As the sandbox's own user."""
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        return redis.Redis(
            host="127.0.0.1",
            port=self.port,
            username=SUPERVISOR_USER,
            password=self.definition.supervisor_password,
            ssl=True,
            ssl_ca_certs=str(self.site.authority.certificate_path),
            ssl_check_hostname=True,
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
            # Whoever asks decides when to ask again: the client's own repeats would only delay the answer.
            retry=Retry(NoBackoff(), 0),
        )

    def _check(self) -> None:
        from redis import RedisError

        try:
            with self.connect() as connection:
                connection.ping()
        except RedisError as error:
            raise NotReady(str(error)) from None

    def _write_users(self, users: Mapping[str, str]) -> None:
        supervisor = f"user {SUPERVISOR_USER} on #{_hashed(self.definition.supervisor_password)} ~* &* +@all"
        lines = [supervisor, *users.values()]
        if "default" not in users:
            lines.append("user default off resetpass resetkeys resetchannels -@all")
        write_atomically(self.data / "users.acl", "\n".join(lines).encode() + b"\n", 0o600)


def cache_url(site: Site, definition: CacheDefinition) -> str:
    """For the sandbox's own user. redis-py verifies by what follows `?`; `redis-cli -u` wants `--cacert` beside it."""
    server = RedisServer(site, definition, Path())
    authority = quote(str(site.authority.certificate_path))
    return (
        f"rediss://{SUPERVISOR_USER}:{quote(definition.supervisor_password, safe='')}@127.0.0.1:{server.port}/0"
        f"?ssl_ca_certs={authority}"
    )


def acl_lines(users: Iterable[CacheUser]) -> dict[str, str]:
    """The users as lines of an ACL file (https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/)."""
    lines: dict[str, str] = {}
    for user in users:
        if user.name == SUPERVISOR_USER:
            raise SupervisorError("is the sandbox's own user", where=user.name, reason="invalid")
        if user.name in lines:
            raise SupervisorError("is there twice", where=f"user {user.name}", reason="invalid")
        words = user.access_string.split()
        # As ElastiCache: passwords come apart from the access string, and no rule may undo what the user says of them.
        refused = next((word for word in words if word[0] in "<>#!" or word in ("nopass", "resetpass", "reset")), None)
        if refused:
            raise SupervisorError("is not for an access string", where=f"user {user.name}: {refused}", reason="invalid")
        rules = [word for word in words if word not in ("on", "off")]
        enabled = user.enabled and "off" not in words
        secrets = ["nopass"] if user.no_password_required else [f"#{_hashed(password)}" for password in user.passwords]
        state = "on" if enabled else "off"
        lines[user.name] = " ".join(["user", user.name, "reset", state, *secrets, *rules])
    return lines


def applied(parameters: Mapping[str, str]) -> dict[str, str]:
    """The parameters that are directives of Redis; ElastiCache's own are left to ElastiCache."""
    for name, value in parameters.items():
        if name in _REFUSED or name.startswith("tls-"):
            raise SupervisorError("is not for a cache to set", where=f"parameter {name}", reason="invalid")
        if not name.replace("-", "").isalnum() or any(ord(letter) < 32 for letter in value):
            raise SupervisorError("is not a parameter", where=repr(name), reason="invalid")
    return {
        name: value or '""' for name, value in parameters.items() if name not in _ELASTICACHE_ONLY and "{" not in value
    }


def quoted(path: Path) -> str:
    """A path as a word of redis.conf, whatever it holds."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def literal(path: Path) -> str:
    """The configuration's path as an argument: Redis takes one that holds any of `*?[` for a pattern (glob(7))."""
    text = str(path)
    if not any(letter in text for letter in "*?["):
        return text
    return "".join(f"[{letter}]" if letter in "*?[" else letter.replace("\\", "\\\\") for letter in text)


def _hashed(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()
