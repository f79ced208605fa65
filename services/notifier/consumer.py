"""From the queue into the database: every message is acknowledged only after what it says is kept."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Collection

import sqlalchemy as sa

from services import logs
from services.notifier import alerts, workers
from services.notifier.envelope import Certificates, CertificateUnavailable, Refused, open_envelope
from services.notifier.message import NotABudgetMessage, parse
from services.notifier.metrics import Metrics
from services.notifier.queues import QueueMessage, Queues, QueueUnavailable

_POLL_SECONDS = 4
"""A stop waits for a poll's end: to break it off could hide what it was about to bring for the queue's visibility
timeout. Shorter ones would be more than the million requests a month that cost nothing."""
_PAUSE_SECONDS = 5.0
_CERTIFICATE_SECONDS = 3600.0
"""How long one certificate may hold up all messages: whoever may write to the queue could name one that never comes."""

_log = logs.logger(__name__)


class Consumer:
    def __init__(
        self,
        queues: Queues,
        engine: sa.Engine,
        metrics: Metrics,
        *,
        topic: str,
        certificates: Certificates,
        sinks: Collection[str],
        recorded: Callable[[], None] = lambda: None,
        pause_seconds: float = _PAUSE_SECONDS,
        longest_wait_seconds: float = _CERTIFICATE_SECONDS,
        poll_seconds: int = _POLL_SECONDS,
    ) -> None:
        """`recorded` is called after a new alert was kept: there is something to send."""
        self._queues, self._engine, self._metrics = queues, engine, metrics
        self._topic, self._certificates, self._sinks = topic, certificates, sinks
        self._recorded = recorded
        self._pause, self._longest_wait, self._poll = pause_seconds, longest_wait_seconds, poll_seconds
        self._missing: tuple[str, float] | None = None
        """A certificate that could not be had, and until when it is waited for."""

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set; what was received by then is worked off."""
        while not stop.is_set():
            if not workers.went_well(self._receive, _log, "cannot-receive"):
                stop.wait(self._pause)

    def _receive(self) -> None:
        # While the database or a certificate is away nothing is taken: each time that a message is received counts
        # towards the maximum, after which SQS puts it to the dead letters.
        with self._engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
        self._look_for_certificate()
        self.once(self._poll)

    def once(self, wait_seconds: int) -> int:
        """Take what is there, waiting for it; returns how many messages that were. Raises QueueUnavailable."""
        messages = self._queues.receive(wait_seconds)
        for message in messages:
            try:
                outcome = self._handle(message)
            except QueueUnavailable:
                raise
            except Exception as error:  # the others are not to suffer; this one comes again, and lies dead in the end
                name = type(error).__name__
                _log.error("defect", queue_message=message.id, error=name, origin=logs.origin(error))
                outcome = "postponed"
            self._metrics.messages.labels(outcome).inc()
        return len(messages)

    def _look_for_certificate(self) -> None:
        """Raises CertificateUnavailable where one that was missing is missing still, and may be waited for."""
        if self._missing is not None:
            url, until = self._missing
            if time.monotonic() < until:
                with contextlib.suppress(Refused):  # as its message will be
                    self._certificates.get(url)
            self._missing = None

    def _handle(self, message: QueueMessage) -> str:
        try:
            notification = open_envelope(message.body, self._topic, self._certificates.get)
        except Refused as error:
            return self._refuse(message, str(error))
        except CertificateUnavailable as error:
            _log.warning("certificate-unavailable", queue_message=message.id, error=str(error))
            self._missing = error.url, time.monotonic() + self._longest_wait
            return "postponed"
        with logs.correlated(notification.id):
            if _is_alarm(notification.text):
                # CloudWatch tells the topic's e-mail subscribers of our own dead letters by the same topic: to send
                # them here as well could make another dead letter.
                _log.info("alarm-passed-over")
                self._queues.acknowledge(message)
                return "passed-over"
            try:
                parsed = parse(notification.text)
            except NotABudgetMessage as error:
                return self._refuse(message, str(error))
            try:
                with self._engine.begin() as connection:
                    alert, new = alerts.record(connection, parsed, correlation_id=notification.id, sinks=self._sinks)
            except sa.exc.SQLAlchemyError as error:
                _log.warning("not-recorded", error=str(error).splitlines()[0])
                return "postponed"
            _log.info("recorded" if new else "repeated", alert=str(alert.id), title=alert.title)
            if new:
                self._metrics.last_alert.set(alert.received_at.timestamp())
                self._recorded()
            self._queues.acknowledge(message)
        return "recorded" if new else "repeated"

    def _refuse(self, message: QueueMessage, reason: str) -> str:
        """Killed between the two, the message comes again and lies there twice."""
        _log.error("refused", queue_message=message.id, reason=reason)
        self._queues.bury(message.body, reason)
        self._queues.acknowledge(message)
        return "refused"


def _is_alarm(text: str) -> bool:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html"""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and {"AlarmName", "NewStateValue"} <= record.keys()
