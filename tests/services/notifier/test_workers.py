"""The notifier's workers with nothing real around them: what they go on after, wait for, and tell."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import pytest
import sqlalchemy as sa
import structlog
from botocore.exceptions import ClientError, EndpointConnectionError
from prometheus_client import CollectorRegistry

from services.health import NotReady
from services.notifier import __main__ as program
from services.notifier import alerts, consumer, dispatcher
from services.notifier.alerts import Alert, Taken
from services.notifier.consumer import Consumer
from services.notifier.dispatcher import Dispatcher, Retries
from services.notifier.envelope import Certificates, CertificateUnavailable, Refused
from services.notifier.metrics import Metrics
from services.notifier.queues import QueueMessage, Queues, QueueUnavailable
from services.notifier.sinks import SinkRefused

PATIENCE = 10.0


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.001)


@contextmanager
def at_work(run: Callable[[threading.Event], None]) -> Iterator[threading.Event]:
    """Afterwards it has ended."""
    stop = threading.Event()
    thread = threading.Thread(target=run, args=[stop], daemon=True)
    thread.start()
    yield stop
    stop.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()


class Memory(Queues):
    """Has the same messages each time; what is buried is kept, unless it is away."""

    def __init__(self, *bodies: str) -> None:
        self.messages = [QueueMessage(body, body, body) for body in bodies]
        self.buried: list[str] = []
        self.tried = self.receipts = 0
        self.away = False

    def receive(self, wait_seconds: int) -> list[QueueMessage]:
        self.receipts += 1
        return self.messages

    def acknowledge(self, message: QueueMessage) -> None:
        pass

    def bury(self, body: str, reason: str, *, sink: str = "") -> None:
        self.tried += 1
        if self.away:
            raise QueueUnavailable("send_message: no answer")
        self.buried.append(reason)


def consuming(queues: Queues, certificates: Any = None) -> Consumer:
    return Consumer(
        queues,
        sa.create_engine("sqlite://", poolclass=sa.StaticPool, connect_args={"check_same_thread": False}),
        Metrics(CollectorRegistry()),
        topic="topic",
        certificates=certificates or Certificates("http://127.0.0.1:1"),
        sinks=["slack"],
        pause_seconds=0.001,
    )


def test_while_nothing_can_be_buried_the_rest_is_left_for_later() -> None:
    queues = Memory("one", "two")
    queues.away = True
    with pytest.raises(QueueUnavailable):
        consuming(queues).once(0)
    assert queues.tried == 1
    queues.away = False
    assert consuming(queues).once(0) == 2
    assert len(queues.buried) == 2


def test_a_certificate_that_is_refused_when_it_comes_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    class Another:
        def get(self, url: str) -> NoReturn:
            raise Refused("its certificate is another's")

    def opened(*_: object) -> NoReturn:
        if queues.receipts == 1:
            raise CertificateUnavailable("no answer", "https://example.com/c.pem")
        raise Refused("its certificate is another's")

    monkeypatch.setattr(consumer, "open_envelope", opened)
    queues = Memory("one")
    with at_work(consuming(queues, Another()).run):
        until(lambda: bool(queues.buried))
    assert queues.buried[0] == "its certificate is another's"


def test_what_nobody_thought_of_is_logged_by_its_place_and_not_by_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "hooks.example.com/secret"

    def opened(*_: object) -> NoReturn:
        raise LookupError(secret)

    monkeypatch.setattr(consumer, "open_envelope", opened)
    with structlog.testing.capture_logs() as lines:
        consuming(Memory("one")).once(0)
    (line,) = lines
    assert (line["event"], line["error"]) == ("defect", "LookupError")
    assert "in opened" in line["origin"] and secret not in str(line)


def test_each_attempt_waits_twice_as_long_up_to_a_limit_and_none_in_step_with_another() -> None:
    retries = Retries(first_seconds=5, longest_seconds=100)
    for attempt, seconds in ((1, 5), (2, 10), (3, 20), (4, 40), (5, 80), (6, 100), (50, 100)):
        delays = {retries.delay(attempt) for _ in range(20)}
        assert seconds * 0.75 <= min(delays) < max(delays) <= seconds * 1.25


class Sink:
    name = "slack"

    def __init__(self) -> None:
        self.sent: list[uuid.UUID] = []

    def send(self, alert: Alert) -> None:
        self.sent.append(alert.id)
        raise SinkRefused("answered 404")


class Due:
    """The deliveries that are due, in place of the table."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = 0
        self.ids: list[uuid.UUID] = []
        monkeypatch.setattr(alerts, "take", self._take)
        monkeypatch.setattr(alerts, "give_up", lambda *_: None)
        monkeypatch.setattr(dispatcher, "_LOOK_SECONDS", 0.001)
        monkeypatch.setattr(dispatcher, "_PAUSE_SECONDS", 0.001)

    def _take(self, connection: sa.Connection, sink: str, lease: timedelta) -> Taken | None:
        self.asked += 1
        if not self.ids:
            return None
        texts = dict.fromkeys(
            ("account", "budget", "type", "threshold", "period", "budgeted", "spent", "correlation_id"), "x"
        )
        alert = Alert(id=self.ids.pop(0), repeats=0, received_at=datetime.now(UTC), **texts)
        return Taken(alert, sink, 1)


def dispatching(sink: Sink, queues: Queues) -> Dispatcher:
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool, connect_args={"check_same_thread": False})
    return Dispatcher(sink, engine, queues, Metrics(CollectorRegistry()), Retries(), timedelta(seconds=60))


def test_it_looks_by_itself_for_what_another_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    due, sending = Due(monkeypatch), dispatching(Sink(), Memory())
    with at_work(sending.run) as stop:
        until(lambda: due.asked >= 3)
        stop.set()
        sending.wake()


def test_told_to_stop_it_begins_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    due, sink = Due(monkeypatch), Sink()
    due.ids = [uuid.UUID(int=number) for number in range(5)]
    stop = threading.Event()

    class Stopping(Memory):
        def bury(self, body: str, reason: str, *, sink: str = "") -> None:
            stop.set()

    dispatching(sink, Stopping()).run(stop)
    assert len(sink.sent) == 1


def test_of_what_cannot_be_buried_it_remembers_the_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounded: what is forgotten is sent once more."""
    monkeypatch.setattr(dispatcher, "_REMEMBERED", 2)
    due, sink, queues = Due(monkeypatch), Sink(), Memory()
    sending, ids = dispatching(sink, queues), [uuid.UUID(int=number) for number in range(3)]
    queues.away = True
    for one in ids:
        due.ids = [one]
        with pytest.raises(QueueUnavailable):
            sending.once()
    queues.away = False
    for one in reversed(ids):
        due.ids = [one]
        assert sending.once()
    assert sink.sent == [*ids, ids[0]]
    assert queues.buried == ["answered 404"] * 3


def test_what_was_sent_and_could_not_be_recorded_is_not_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that goes away meanwhile. Each time its lease ran out the channel would hear of it again."""
    monkeypatch.setattr(dispatcher, "_REMEMBERED", 2)
    due, away, recorded = Due(monkeypatch), True, list[uuid.UUID]()

    def sent(connection: sa.Connection, taken: Taken) -> None:
        if away:
            raise sa.exc.OperationalError("UPDATE", {}, Exception("down"))
        recorded.append(taken.alert.id)

    class Good(Sink):
        def send(self, alert: Alert) -> None:
            self.sent.append(alert.id)

    monkeypatch.setattr(alerts, "sent", sent)
    sink, ids = Good(), [uuid.UUID(int=number) for number in range(3)]
    sending = dispatching(sink, Memory())
    for one in ids:
        due.ids = [one]
        with pytest.raises(sa.exc.OperationalError):
            sending.once()
    away = False
    for one in reversed(ids):
        due.ids = [one]
        assert sending.once()
    assert sink.sent == [*ids, ids[0]]  # bounded: what is forgotten is sent once more
    assert recorded == ids[::-1]


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://sqs"),
        ClientError({"Error": {"Code": "AccessDenied", "Message": "two\nlines"}}, "SendMessage"),
    ],
)
def test_what_sqs_refuses_and_no_answer_are_one_line(error: Exception) -> None:
    class Client:
        def send_message(self, **request: object) -> NoReturn:
            raise error

    with pytest.raises(QueueUnavailable, match=r"^send_message: [^\n]+$"):
        Queues(Client(), "queue", "dead").bury("body", "reason")


@pytest.mark.parametrize(("reason", "kept"), [("", "unknown"), ("x" * 5000, "x" * 1000)])
def test_a_reason_is_what_sqs_takes(reason: str, kept: str) -> None:
    asked: dict[str, Any] = {}

    class Client:
        def send_message(self, **request: object) -> dict[str, object]:
            asked.update(request)
            return {}

    Queues(Client(), "queue", "dead").bury("body", reason)
    assert asked["QueueUrl"] == "dead"
    assert asked["MessageAttributes"] == {"Reason": {"DataType": "String", "StringValue": kept}}


def test_it_waits_for_its_tables_through_a_database_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[bool | Exception] = [sa.exc.OperationalError("SELECT", {}, Exception("down")), False, True]

    def usable(connection: sa.Connection) -> bool:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(alerts, "usable", usable)
    monkeypatch.setattr(program, "_SCHEMA_SECONDS", 0.001)
    schema = threading.Event()
    ready = program._ready(lambda: None, schema, lambda: None)
    with pytest.raises(NotReady, match="no table for alerts yet"):
        ready()
    program._wait_for_schema(sa.create_engine("sqlite://"), schema, threading.Event())
    assert answers == []
    ready()


def test_not_to_be_able_to_count_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def backlog(connection: sa.Connection) -> NoReturn:
        raise sa.exc.OperationalError("SELECT", {}, Exception("down"))

    monkeypatch.setattr(alerts, "backlog", backlog)
    with structlog.testing.capture_logs() as lines:
        program._count(sa.create_engine("sqlite://"), Metrics(CollectorRegistry()))
    assert [line["event"] for line in lines] == ["not-counted"]
