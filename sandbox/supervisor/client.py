"""The supervisor as its callers see it: typed calls over its Unix socket."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from errors import FreeholdError
from sandbox.home import Home
from sandbox.supervisor import messages, pidfile
from sandbox.supervisor.messages import Cache, CacheUser, Cluster, Database, NodeGroup, Status, SupervisorError
from sandbox.supervisor.pidfile import ProcessIdentity

_CLUSTER: TypeAdapter[Cluster | None] = TypeAdapter(Cluster | None)
_DATABASE: TypeAdapter[Database | None] = TypeAdapter(Database | None)
_CACHE: TypeAdapter[Cache | None] = TypeAdapter(Cache | None)

# Above the longest start of an instance on a busy two-core machine, so that the supervisor's own, better worded
# timeout comes first.
_ANSWER_SECONDS = 300.0
# It looks at its processes and tells: no machine is so busy.
_STATUS_SECONDS = 60.0
# A supervisor whose socket was removed makes it anew; it looks every two seconds.
_SOCKET_SECONDS = 15.0
_POLL_SECONDS = 0.05
# Four layers of processes, each with 15 s to end by itself: runners, what runs on the API server, that, etcd.
_STOP_SECONDS = 180.0


class NotRunning(FreeholdError):
    """There is no supervisor at this FREEHOLD_HOME."""

    def __init__(self, home: Home) -> None:
        super().__init__("sandbox is not running", where=str(home.root), mend="./freehold sandbox start")


class ConnectionLost(SupervisorError):
    """The supervisor ended before it had answered."""

    def __init__(self, what: str) -> None:
        super().__init__(what, where="supervisor", mend="./freehold sandbox start, then try again")


class Supervisor:
    """Each call opens its own connection: safe from several threads, and a restarted supervisor is met without ado."""

    def __init__(self, home: Home) -> None:
        self.home = home

    @classmethod
    def connect(cls, home: Home) -> Supervisor:
        """Raises `NotRunning` where nothing listens."""
        supervisor = cls(home)
        supervisor._open().close()
        return supervisor

    def status(self) -> Status:
        return Status.model_validate(self._call(messages.GetStatus))

    def start_notifier(self, environment: Mapping[str, str]) -> None:
        """The budget notifier with these variables, and what stands for its sinks; returns when it serves."""
        self._call(messages.StartNotifier, environment=dict(environment))

    def stop_notifier(self) -> None:
        """With what stands for its sinks; one that is not there is fine."""
        self._call(messages.StopNotifier)

    def create_cluster(
        self,
        name: str,
        kubernetes_version: str,
        *,
        oidc_issuer: str | None = None,
        region: str = "us-east-1",
        node_groups: Sequence[NodeGroup] = (),
    ) -> Cluster:
        """Starts a control plane and waits until it answers. `oidc_issuer` defaults to one of EKS' form."""
        return Cluster.model_validate(
            self._call(
                messages.CreateCluster,
                name=name,
                kubernetes_version=kubernetes_version,
                oidc_issuer=oidc_issuer,
                region=region,
                node_groups=tuple(node_groups),
            )
        )

    def cluster(self, name: str) -> Cluster | None:
        return _CLUSTER.validate_python(self._call(messages.GetCluster, name=name))

    def delete_cluster(self, name: str) -> None:
        """Ends its processes and removes its data; a cluster that is gone already is fine."""
        self._call(messages.DeleteCluster, name=name)

    def set_node_group(self, cluster: str, node_group: NodeGroup) -> None:
        """Makes the group's simulated nodes exactly as told: more, fewer, other labels."""
        self._call(messages.SetNodeGroup, cluster=cluster, node_group=node_group)

    def delete_node_group(self, cluster: str, name: str) -> None:
        self._call(messages.DeleteNodeGroup, cluster=cluster, name=name)

    def create_database(
        self,
        identifier: str,
        *,
        username: str,
        password: str,
        database: str,
        parameters: Mapping[str, str] | None = None,
    ) -> Database:
        """Starts a Postgres server; `username` owns `database`, may create roles and databases, and is no superuser."""
        return Database.model_validate(
            self._call(
                messages.CreateDatabase,
                identifier=identifier,
                username=username,
                password=password,
                database=database,
                parameters=parameters or {},
            )
        )

    def database(self, identifier: str) -> Database | None:
        return _DATABASE.validate_python(self._call(messages.GetDatabase, identifier=identifier))

    def update_database(
        self, identifier: str, *, password: str | None = None, parameters: Mapping[str, str] | None = None
    ) -> Database:
        """`parameters` is the complete set. One that needs a restart of the server restarts it."""
        return Database.model_validate(
            self._call(messages.UpdateDatabase, identifier=identifier, password=password, parameters=parameters)
        )

    def delete_database(self, identifier: str) -> None:
        self._call(messages.DeleteDatabase, identifier=identifier)

    def create_cache(self, identifier: str, *, parameters: Mapping[str, str] | None = None) -> Cache:
        """Starts a Redis server, TLS only, where nobody but the sandbox may log in until `set_cache_users`."""
        return Cache.model_validate(
            self._call(messages.CreateCache, identifier=identifier, parameters=parameters or {})
        )

    def cache(self, identifier: str) -> Cache | None:
        return _CACHE.validate_python(self._call(messages.GetCache, identifier=identifier))

    def update_cache(self, identifier: str, *, parameters: Mapping[str, str]) -> Cache:
        """`parameters` is the complete set; the server restarts with it."""
        return Cache.model_validate(self._call(messages.UpdateCache, identifier=identifier, parameters=parameters))

    def set_cache_users(self, identifier: str, users: Sequence[CacheUser]) -> Cache:
        """The complete set: any other user is removed, and `default` is off unless given."""
        return Cache.model_validate(self._call(messages.SetCacheUsers, identifier=identifier, users=tuple(users)))

    def delete_cache(self, identifier: str) -> None:
        self._call(messages.DeleteCache, identifier=identifier)

    def start_runner(self, cell: str, version: str) -> None:
        """A runner for that cell's operations, of that version of the program; returns when it runs."""
        self._call(messages.StartRunner, cell=cell, version=version)

    def stop_runner(self, cell: str) -> None:
        """What it has in hand is ended or handed back; one that is not there is fine."""
        self._call(messages.StopRunner, cell=cell)

    def start_webhook(self, database: str, product: str, *, username: str, password: str) -> messages.Webhook:
        """The billing webhook over that database (an identifier), with a login of its own; returns when it runs."""
        result = self._call(
            messages.StartWebhook, database=database, product=product, username=username, password=password
        )
        return messages.Webhook.model_validate(result)

    def stop_webhook(self) -> None:
        """What it has begun is answered; one that is not there is fine."""
        self._call(messages.StopWebhook)

    def stop(self) -> None:
        """Ends every process of the sandbox, the supervisor last; data stays. Returns when they are gone.

        One that is ending already is waited for. Raises NotRunning where it has ended just now.
        """
        try:
            identity = ProcessIdentity.of(self.status().supervisor_pid)
            self._call(messages.Stop)
        except ConnectionLost:
            raise NotRunning(self.home) from None
        deadline = time.monotonic() + _STOP_SECONDS
        while identity is not None and identity.is_alive():
            if time.monotonic() > deadline:
                raise SupervisorError(
                    f"not ended within {_STOP_SECONDS:.0f} s",
                    where="supervisor",
                    mend=f"see {self.home.logs}/supervisor.log",
                )
            time.sleep(0.02)

    def _open(self) -> socket.socket:
        """Raises NotRunning where no supervisor lives; one that is about to listen, or again, is waited for."""
        deadline = time.monotonic() + _SOCKET_SECONDS
        while True:
            try:
                return self._open_once()
            except NotRunning:
                holder = pidfile.read(self.home.lock)
                if holder is None or not holder.is_alive():
                    raise
            if time.monotonic() > deadline:
                what = f"the supervisor runs (process {holder.pid}) and does not answer"
                mend = f"kill {holder.pid}, which ends the sandbox, then ./freehold sandbox start"
                raise FreeholdError(what, where=str(self.home.socket("supervisor")), mend=mend)
            time.sleep(_POLL_SECONDS)

    def _open_once(self) -> socket.socket:
        path = self.home.socket("supervisor")
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(_ANSWER_SECONDS)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
            connection.close()
            raise NotRunning(self.home) from None
        except OSError as error:
            connection.close()
            what, mend = f"cannot reach the supervisor: {error.strerror}", "set FREEHOLD_HOME to a folder of your own"
            raise FreeholdError(what, where=str(path), mend=mend) from None
        return connection

    def _call(self, kind: type[messages.AnyRequest], **fields: object) -> Any:
        try:
            request = kind.model_validate(fields)
        except ValidationError as error:
            raise SupervisorError(messages.first_error(error), where="supervisor", reason="invalid") from None
        with self._open() as connection:
            seconds = _STATUS_SECONDS if kind is messages.GetStatus else _ANSWER_SECONDS
            connection.settimeout(seconds)
            try:
                connection.sendall(request.model_dump_json().encode() + b"\n")
                with connection.makefile("rb") as stream:
                    line = stream.readline()
            except TimeoutError:
                what = f"no answer to {request.operation} within {seconds:.0f} s"
                mend = "./freehold sandbox status"
                if kind is messages.GetStatus:
                    # It may be stopped, and heed no other signal; the next start ends what it leaves behind.
                    mend = f"kill -9 {_listener(connection)}, then ./freehold sandbox start"
                raise SupervisorError(what, where="supervisor", mend=mend) from None
            except OSError as error:
                raise ConnectionLost(f"connection lost during {request.operation}: {error.strerror}") from None
        if not line.endswith(b"\n"):
            raise ConnectionLost(f"it ended during {request.operation}")
        try:
            answer = messages.Answer.model_validate_json(line)
        except ValidationError as error:
            what = f"unreadable answer to {request.operation}: {messages.first_error(error)}"
            raise SupervisorError(what, where="supervisor", mend="restart the sandbox") from None
        if answer.failure is not None:
            failure, mend = answer.failure, answer.failure.mend
            if failure.where == "supervisor" and failure.reason == "invalid":
                # What was a request here is none there.
                mend = "it is of another release: ./freehold sandbox stop, then try again"
            raise SupervisorError(failure.what, where=failure.where, mend=mend, reason=failure.reason)
        return answer.result


def _listener(connection: socket.socket) -> int:
    """The process that listens at the other end (unix(7), SO_PEERCRED)."""
    credentials = struct.Struct("3i")
    pid: int = credentials.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, credentials.size))[0]
    return pid
