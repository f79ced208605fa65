"""What the notifier takes from its queue: each alert once in a period, and what it cannot read."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from cryptography import x509
from prometheus_client import CollectorRegistry

from services.login import Login
from services.notifier.consumer import Consumer
from services.notifier.database import engine
from services.notifier.envelope import Certificates, CertificateUnavailable
from services.notifier.message import render, subject
from services.notifier.metrics import Metrics
from services.notifier.queues import QueueMessage, Queues
from services.notifier.sinks.slack import SlackSink
from tests.services.notifier.catching import catcher, refusing_port
from tests.services.notifier.line import Line, consumer, dispatcher, queues
from tests.services.notifier.samples import MESSAGE, NEXT_MONTH

pytestmark = pytest.mark.sandbox


def test_an_alert_that_is_published_twice_arrives_once(line: Line) -> None:
    for _ in range(2):
        line.publish(render(MESSAGE), subject(MESSAGE))
    metrics = Metrics(CollectorRegistry())
    assert consumer(line, "slack", metrics=metrics).once(0) == 2
    with catcher() as caught:
        sending = dispatcher(line, SlackSink(caught.url, 20))
        assert [sending.once(), sending.once()] == [True, False]
    assert len(caught.caught) == 1
    assert (line.waiting(), line.dead()) == (0, [])
    counted = {outcome: metrics.messages.labels(outcome)._value.get() for outcome in ("recorded", "repeated")}
    assert counted == {"recorded": 1, "repeated": 1}


def test_the_next_period_is_told_again(line: Line) -> None:
    for message in (MESSAGE, NEXT_MONTH):
        line.publish(render(message))
    consumer(line, "slack").once(0)
    with catcher() as caught:
        sending = dispatcher(line, SlackSink(caught.url, 20))
        assert [sending.once() for _ in range(3)] == [True, True, False]
    assert len(caught.caught) == 2


def test_what_cannot_be_read_is_kept_with_the_reason(line: Line) -> None:
    line.publish("AWS changed its mind about how to write this")
    line.aws("sqs").send_message(QueueUrl=line.queue, MessageBody=json.dumps({"Type": "Notification"}))
    consumer(line, "slack").once(0)
    reasons = sorted(attributes["Reason"].split(":")[0] for _, attributes in line.dead())
    assert reasons == ["it does not begin with AWS Budget Notification and a date", "it is no notification of SNS"]
    assert (line.waiting(), line.deliveries()) == (0, {})


def test_an_alarm_of_cloudwatch_makes_no_dead_letter(line: Line) -> None:
    line.publish(json.dumps({"AlarmName": "dead letters", "NewStateValue": "ALARM"}))
    consumer(line, "slack").once(0)
    assert (line.waiting(), line.dead(), line.deliveries()) == (0, [], {})


def test_without_the_certificate_or_the_database_nothing_is_acknowledged(line: Line) -> None:
    # What is not acknowledged comes again at once.
    line.aws("sqs").set_queue_attributes(QueueUrl=line.queue, Attributes={"VisibilityTimeout": "0"})
    line.publish(render(MESSAGE))
    taking = consumer(line, "slack")
    with line.administrator.begin() as connection:
        connection.execute(sa.text("ALTER TABLE budget_alerts RENAME TO away"))
    taking.once(0)
    assert (line.waiting(), line.dead()) == (1, [])
    with line.administrator.begin() as connection:
        connection.execute(sa.text("ALTER TABLE away RENAME TO budget_alerts"))
    blind = Consumer(
        queues(line),
        line.engine,
        Metrics(CollectorRegistry()),
        topic=line.topic,
        certificates=Certificates("http://127.0.0.1:1"),
        sinks=["slack"],
    )
    assert blind.once(0) == 1
    assert (line.waiting(), line.dead(), line.deliveries()) == (1, [], {})
    assert taking.once(0) == 1
    assert (line.waiting(), set(line.deliveries())) == (0, {"slack"})


class Receipts(Queues):
    """Counts how often it was received from."""

    def __init__(self, line: Line) -> None:
        super().__init__(line.aws("sqs"), line.queue, line.dead_letters)
        self.receipts = 0

    def receive(self, wait_seconds: int) -> Sequence[QueueMessage]:
        self.receipts += 1
        return super().receive(0)


@pytest.mark.parametrize("trouble", ["away", "only read"])
def test_while_the_database_takes_nothing_nothing_is_received(line: Line, trouble: str) -> None:
    """Each time that a message is received counts towards the dead letters."""
    line.publish(render(MESSAGE))
    received, stop = Receipts(line), threading.Event()
    with refusing_port() as port:
        url = line.url.set(port=port) if trouble == "away" else line.url
        opened = engine(Login(lambda: url))
        taking = Consumer(
            received,
            opened,
            Metrics(CollectorRegistry()),
            topic=line.topic,
            certificates=Certificates(line.environment["AWS_ENDPOINT_URL"]),
            sinks=["slack"],
            pause_seconds=0.01,
        )
        with line.administrator.connect() as connection:
            setting = f'ALTER DATABASE "{line.url.database}" SET default_transaction_read_only = '
            connection.exec_driver_sql(setting + ("on" if trouble == "only read" else "off"))
            connection.commit()
            thread = threading.Thread(target=taking.run, args=(stop,))
            thread.start()
            time.sleep(0.5)
            stop.set()
            thread.join()
            connection.exec_driver_sql(setting + "off")
            connection.commit()
        opened.dispose()
    assert (received.receipts, line.waiting()) == (0, 1)


class Certified(Certificates):
    """Certificates that are away until the test says otherwise."""

    def __init__(self, line: Line) -> None:
        super().__init__(line.environment["AWS_ENDPOINT_URL"])
        self.away, self.asked = True, 0

    def get(self, url: str) -> x509.Certificate:
        self.asked += 1
        if self.away:
            raise CertificateUnavailable("sns.us-east-1.amazonaws.com: ConnectTimeout", url)
        return super().get(url)


def blind_consumer(line: Line, queues: Queues, certificates: Certificates, longest: float = 3600) -> Consumer:
    return Consumer(
        queues,
        line.engine,
        Metrics(CollectorRegistry()),
        topic=line.topic,
        certificates=certificates,
        sinks=["slack"],
        pause_seconds=0.01,
        longest_wait_seconds=longest,
        poll_seconds=1,
    )


@contextmanager
def at_work(taking: Consumer) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=taking.run, args=[stop])
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


def test_while_the_certificate_is_away_nothing_is_received_and_nothing_counts_towards_the_dead_letters(
    line: Line,
) -> None:
    line.aws("sqs").set_queue_attributes(QueueUrl=line.queue, Attributes={"VisibilityTimeout": "0"})
    line.publish(render(MESSAGE))
    queues, certificates = Receipts(line), Certified(line)
    with at_work(blind_consumer(line, queues, certificates)):
        until(lambda: certificates.asked >= 20)
        assert queues.receipts == 1
        certificates.away = False
        until(lambda: line.waiting() == 0)
    assert set(line.deliveries()) == {"slack"}
    assert line.dead() == []


def test_an_address_that_never_answers_holds_up_the_others_for_some_time_only(line: Line) -> None:
    """Whoever may write to the queue could name one."""
    line.publish(render(MESSAGE))
    queues, certificates = Receipts(line), Certified(line)
    with at_work(blind_consumer(line, queues, certificates, longest=0)):
        until(lambda: queues.receipts >= 3)
    assert line.waiting() == 1


def test_one_message_that_nobody_thought_of_leaves_the_others_and_the_worker_alone(line: Line) -> None:
    class Defective(Certificates):
        asked = 0

        def get(self, url: str) -> x509.Certificate:
            self.asked += 1
            if self.asked == 1:
                raise LookupError
            return super().get(url)

    line.aws("sqs").set_queue_attributes(QueueUrl=line.queue, Attributes={"VisibilityTimeout": "0"})
    for message in (MESSAGE, NEXT_MONTH):
        line.publish(render(message))
    taking = blind_consumer(line, queues(line), Defective(line.environment["AWS_ENDPOINT_URL"]))
    assert taking.once(0) == 2
    assert line.waiting() == 1
    with at_work(taking):
        until(lambda: line.waiting() == 0)
    assert line.dead() == []


def test_a_queue_that_fails_in_a_way_of_its_own_does_not_end_the_worker(line: Line) -> None:
    class Failing(Receipts):
        def receive(self, wait_seconds: int) -> Sequence[QueueMessage]:
            found = super().receive(wait_seconds)
            if self.receipts == 1:
                raise LookupError
            return found

    line.aws("sqs").set_queue_attributes(QueueUrl=line.queue, Attributes={"VisibilityTimeout": "0"})
    line.publish(render(MESSAGE))
    certificates = Certified(line)
    certificates.away = False
    with at_work(blind_consumer(line, Failing(line), certificates)):
        until(lambda: line.waiting() == 0)


def test_a_stop_waits_for_the_poll_that_goes_on_and_for_no_other(line: Line) -> None:
    """To break it off could hide what it was about to bring."""
    polling, answers = threading.Event(), 0

    class Polled(Queues):
        def receive(self, wait_seconds: int) -> Sequence[QueueMessage]:
            nonlocal answers
            assert wait_seconds == 1
            polling.set()
            found = super().receive(wait_seconds)
            answers += 1
            return found

    asked = Polled(line.aws("sqs"), line.queue, line.dead_letters)
    stop = threading.Event()
    thread = threading.Thread(target=blind_consumer(line, asked, Certified(line)).run, args=[stop])
    thread.start()
    assert polling.wait(60)
    stop.set()
    thread.join()
    assert answers == 1
