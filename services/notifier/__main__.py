"""`python -m services.notifier`: the notifier as a container runs it.

SIGTERM drains it: what is under way is finished.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import sqlalchemy as sa
import uvicorn
from starlette.applications import Starlette

from errors import ExitCode, FreeholdError
from fleet.cloud import client
from services import logs
from services.health import NotReady, ReadyCheck, database_answers, routes
from services.notifier import alerts
from services.notifier.consumer import Consumer
from services.notifier.database import database
from services.notifier.dispatcher import Dispatcher, Retries
from services.notifier.envelope import Certificates
from services.notifier.leftovers import Leftovers
from services.notifier.metrics import Metrics
from services.notifier.queues import Queues
from services.notifier.settings import read, read_sinks

_SCHEMA_SECONDS = 2.0
_COUNT_SECONDS = 15.0

_log = logs.logger(__name__)


def main() -> int:
    # The first process of a container hears no signal that it has not asked for, and starting can take its time.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ExitCode.OK))
    logs.configure("notifier")
    try:
        return run(os.environ)
    except FreeholdError as error:
        print(error.line(), file=sys.stderr)
        return ExitCode.FAILED


def run(environment: Mapping[str, str]) -> int:
    settings = read(environment)
    sinks = read_sinks(settings, environment).sinks(settings.limit_seconds)
    engine = database(settings, environment)
    queues = Queues(client("sqs", settings.region, environment), settings.queue_url, settings.dead_letter_queue_url)
    metrics = Metrics()
    retries = Retries(settings.attempts, settings.backoff_seconds)
    # Past the time limit of an attempt there is what the database takes.
    lease = timedelta(seconds=2 * settings.limit_seconds + 30)
    dispatchers = [Dispatcher(sink, engine, queues, metrics, retries, lease) for sink in sinks]

    def wake() -> None:
        for dispatcher in dispatchers:
            dispatcher.wake()

    names = [sink.name for sink in sinks]
    consumer = Consumer(
        queues,
        engine,
        metrics,
        topic=settings.topic_arn,
        certificates=Certificates(settings.endpoint),
        sinks=names,
        recorded=wake,
    )
    stop, schema = threading.Event(), threading.Event()

    def worker(work: Callable[[threading.Event], None]) -> Callable[[], None]:
        def begin() -> None:
            _wait_for_schema(engine, schema, stop)
            work(stop)

        return begin

    def count(stop: threading.Event) -> None:
        while not stop.is_set():
            _count(engine, metrics)
            stop.wait(_COUNT_SECONDS)

    leftovers = Leftovers(names, engine, queues, metrics)
    work = [consumer.run, count, leftovers.run, *(dispatcher.run for dispatcher in dispatchers)]
    threads = [threading.Thread(target=worker(one), name=one.__qualname__, daemon=True) for one in work]
    lives = working(threads)
    ready = _ready(database_answers(engine), schema, lives)
    service = Starlette(routes=routes(ready, metrics.registry, lives=lives))
    server = uvicorn.Server(
        uvicorn.Config(service, host=settings.host, port=settings.port, log_config=None, access_log=False)
    )

    def end(*_: object) -> None:
        server.should_exit = True

    # uvicorn ends on either too, once it has begun, and then raises it again: by then it means nothing more.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    for thread in threads:
        thread.start()
    server.run()
    stop.set()
    wake()
    for thread in threads:
        thread.join()
    _log.info("drained")
    return ExitCode.OK


def working(threads: Sequence[threading.Thread]) -> ReadyCheck:
    """Whether all of them, which have been started, still run."""

    def check() -> None:
        if dead := [thread.name for thread in threads if not thread.is_alive()]:
            raise NotReady(f"{dead[0]} has ended")

    return check


def _ready(database_check: ReadyCheck, schema: threading.Event, lives: ReadyCheck) -> ReadyCheck:
    def check() -> None:
        lives()
        database_check()
        if not schema.is_set():
            raise NotReady("the database has no table for alerts yet, or none that this role may write")

    return check


def _wait_for_schema(engine: sa.Engine, schema: threading.Event, stop: threading.Event) -> None:
    """The command brings the schema and this service's rights up to date: a service that did would be at odds with
    another release's."""
    while not schema.is_set() and not stop.is_set():
        try:
            with engine.connect() as connection:
                if alerts.usable(connection):
                    schema.set()
                    return
        except sa.exc.SQLAlchemyError as error:
            _log.warning("database-does-not-answer", error=str(error).splitlines()[0])
        stop.wait(_SCHEMA_SECONDS)


def _count(engine: sa.Engine, metrics: Metrics) -> None:
    try:
        with engine.connect() as connection:
            metrics.pending.set(alerts.backlog(connection))
            if (last := alerts.last_received(connection)) is not None:
                metrics.last_alert.set(last.timestamp())
    except sa.exc.SQLAlchemyError as error:
        _log.warning("not-counted", error=str(error).splitlines()[0])


if __name__ == "__main__":
    sys.exit(main())
