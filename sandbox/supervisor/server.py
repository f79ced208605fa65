"""The supervisor: answers on its Unix socket, and keeps the sandbox's processes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, assert_never

from pydantic import BaseModel, ValidationError

from errors import FreeholdError
from sandbox.home import Home
from sandbox.processes.aws.spec import aws, aws_endpoint
from sandbox.processes.login.spec import login
from sandbox.processes.provider_host import provider_host
from sandbox.processes.site import Site
from sandbox.providers.choice import in_use
from sandbox.supervisor import messages
from sandbox.supervisor.caches import Caches
from sandbox.supervisor.clusters import Clusters
from sandbox.supervisor.databases import Databases
from sandbox.supervisor.door import Door
from sandbox.supervisor.messages import Answer, Failure, Status, SupervisorError
from sandbox.supervisor.notifiers import Notifiers
from sandbox.supervisor.ports import Ports
from sandbox.supervisor.runners import Runners
from sandbox.supervisor.table import ProcessTable
from sandbox.supervisor.webhooks import Webhooks

# Checks and calls to servers block; every process may be at one at once.
_THREADS = 48
_REQUEST_LIMIT_BYTES = 1 << 20

_log = logging.getLogger(__name__)


class Server:
    """One sandbox, from `run` until someone asks it to stop."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._site = Site(home, Ports(home.data / "ports.json"))
        self._table = ProcessTable(home)
        self._clusters = Clusters(self._site, self._table)
        self._databases = Databases(self._site, self._table)
        self._caches = Caches(self._site, self._table)
        self._runners = Runners(self._site, self._table)
        self._webhooks = Webhooks(self._site, self._table, self._databases.definitions)
        self._phase: Literal["starting", "running", "stopping"] = "starting"
        self._failure = ""
        self._stop = asyncio.Event()
        self._notifiers = Notifiers(self._site, self._table)
        self._door = Door(lambda: home.place_for_socket("supervisor"), self._serve, _REQUEST_LIMIT_BYTES)

    def request_stop(self) -> None:
        self._stop.set()

    async def run(self) -> None:
        """Returns when everything has been stopped."""
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS))
        await self._door.open()
        starting = asyncio.create_task(self._start())
        await self._stop.wait()
        self._phase = "stopping"
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await starting
        await self._table.close()
        self._door.close()

    async def keep_reachable(self) -> None:
        """Make the socket anew where it was removed: nobody could stop the sandbox any more."""
        await self._door.keep_open()

    async def _start(self) -> None:
        try:
            await self._start_all()
        except Exception as error:
            self._note(error)
        if self._phase == "starting":
            self._phase = "running"

    async def _start_all(self) -> None:
        orphans = await self._table.end_orphans()
        if orphans:
            _log.warning("ended %d processes that a killed supervisor had left", orphans)
        endpoint = aws_endpoint(self._site)
        base = [aws(self._site), login(self._site, endpoint), provider_host(self._home)]
        outcomes = await asyncio.gather(
            self._table.start(base),
            self._clusters.resume(),
            self._databases.resume(),
            self._caches.resume(),
            return_exceptions=True,
        )
        # Last: they work with all of them.
        resumed = await asyncio.gather(
            self._webhooks.resume(), self._notifiers.resume(), self._runners.resume(), return_exceptions=True
        )
        for outcome in (*outcomes, *resumed):
            if isinstance(outcome, Exception):
                self._note(outcome)

    def _note(self, error: Exception) -> None:
        """Why something that was there does not run; what a process failed of, its own status tells."""
        if isinstance(error, FreeholdError):
            _log.error("%s", error.line())
            told = error.line() if error.where not in self._table.names() else ""
        else:
            _log.error("start failed", exc_info=error)
            told = f"{type(error).__name__}: {error}".splitlines()[0]
        self._failure = self._failure or told

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readline()
            if not line:
                return  # only looked whether someone is there
            answer = await self._answer(line)
            writer.write(answer.model_dump_json().encode() + b"\n")
            await writer.drain()
        except (ConnectionError, ValueError) as error:
            _log.info("a caller went away: %s", error)
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> Answer:
        try:
            request = messages.REQUEST.validate_json(line)
        except ValidationError as error:
            return Answer(failure=Failure(what=messages.first_error(error), where="supervisor", reason="invalid"))
        if self._phase == "stopping" and not isinstance(request, messages.GetStatus | messages.Stop):
            return Answer(failure=Failure(what="is stopping", where="sandbox", mend="./freehold sandbox start"))
        try:
            result = await self._perform(request)
        except SupervisorError as error:
            return Answer(failure=Failure(what=error.what, where=error.where, mend=error.mend, reason=error.reason))
        except FreeholdError as error:
            return Answer(failure=Failure(what=error.what, where=error.where, mend=error.mend))
        except Exception as error:
            _log.exception("%s failed", request.operation)
            what = f"{request.operation}: {type(error).__name__}: {error}".splitlines()[0]
            return Answer(failure=Failure(what=what, where="supervisor", mend=f"see {self._home.logs}/supervisor.log"))
        return Answer(result=result.model_dump(mode="json") if isinstance(result, BaseModel) else result)

    async def _perform(self, request: messages.AnyRequest) -> Any:
        match request:
            case messages.GetStatus():
                return await self._status()
            case messages.CreateCluster():
                return await self._clusters.create(request)
            case messages.GetCluster():
                return self._clusters.get(request.name)
            case messages.DeleteCluster():
                return await self._clusters.delete(request.name)
            case messages.SetNodeGroup():
                return await self._clusters.set_node_group(request.cluster, request.node_group)
            case messages.DeleteNodeGroup():
                return await self._clusters.delete_node_group(request.cluster, request.name)
            case messages.CreateDatabase():
                return await self._databases.create(request)
            case messages.GetDatabase():
                return self._databases.get(request.identifier)
            case messages.UpdateDatabase():
                return await self._databases.update(request)
            case messages.DeleteDatabase():
                return await self._databases.delete(request.identifier)
            case messages.CreateCache():
                return await self._caches.create(request)
            case messages.GetCache():
                return self._caches.get(request.identifier)
            case messages.UpdateCache():
                return await self._caches.update(request)
            case messages.SetCacheUsers():
                return await self._caches.set_users(request)
            case messages.DeleteCache():
                return await self._caches.delete(request.identifier)
            case messages.StartNotifier():
                return await self._notifiers.start(request)
            case messages.StopNotifier():
                return await self._notifiers.stop()
            case messages.StartRunner():
                return await self._runners.start(request)
            case messages.StopRunner():
                return await self._runners.stop(request.cell)
            case messages.StartWebhook():
                return await self._webhooks.start(request)
            case messages.StopWebhook():
                return await self._webhooks.stop()
            case messages.Stop():
                return self.request_stop()
            case _:
                assert_never(request)

    async def _status(self) -> Status:
        kept = self._table.processes()
        # Reading memory use out of /proc takes its time.
        processes = await asyncio.to_thread(lambda: tuple(process.status() for process in kept))
        if self._phase == "running":
            all_ready = not self._failure and all(process.state == "ready" for process in processes)
            state: Literal["starting", "ready", "degraded", "stopping"] = "ready" if all_ready else "degraded"
        else:
            state = self._phase
        return Status(
            home=self._home.root,
            supervisor_pid=os.getpid(),
            state=state,
            aws_endpoint=aws_endpoint(self._site),
            providers=in_use(self._home),
            processes=processes,
            clusters=self._clusters.names(),
            databases=self._databases.names(),
            caches=self._caches.names(),
            failure=self._failure,
        )
