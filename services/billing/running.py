"""The webhook at work, with its secrets as they are by now: what the function and the process share."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry

from errors import FreeholdError
from services import logs
from services.billing import settings
from services.billing.application import Metrics, Webhook
from services.billing.receiver import Receiver

_KEPT_SECONDS = 300
"""Then the secrets are read anew: whoever runs the webhook keeps a process for hours or months, and a secret that is
rolled has to reach it."""

_KEPT_LONGER_SECONDS = 60
"""Where they cannot be read: those that are known go on serving, and are read again after this."""

_LOOK_SECONDS = 5.0

_log = logs.logger(__name__)


class Running:
    """By the environment of this process. `clock` is that of the day: Lambda stops a process between calls."""

    def __init__(
        self,
        metrics: CollectorRegistry,
        *,
        connections: int,
        one_loop: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """With `one_loop` one event loop serves all, and has a connection of its own.

        Raises UsageError for what is missing or wrong.
        """
        self._clock = clock
        self.settings = settings.read(os.environ, settings.read_aws_secret)
        self.engine = self.settings.engine(connections=connections)
        front_engine = self.settings.engine(connections=1) if one_loop else None
        self._receiver = Receiver(self.engine, self.settings.blueprint, front_engine=front_engine)
        self.webhook = Webhook(
            self._receiver,
            self.settings.secrets,
            livemode=self.settings.livemode,
            metrics=Metrics(metrics, self._receiver),
        )
        self._until = clock() + _KEPT_SECONDS

    def renew(self) -> None:
        """Read the secrets anew where it is time; where they cannot be read those that are known stay, whatever it is.
        What is under way is not disturbed."""
        if self._clock() < self._until:
            return
        try:
            told = settings.read(os.environ, settings.read_aws_secret)
        except Exception as error:
            # The error's text alone: it tells where, and quotes no secret.
            detail = error.line() if isinstance(error, FreeholdError) else type(error).__name__
            _log.warning("secrets-not-read", detail=detail)
            self._until = self._clock() + _KEPT_LONGER_SECONDS
            return
        self.webhook.take(told.secrets)
        self.settings.login.take(told.login.url)
        self._until = self._clock() + _KEPT_SECONDS

    def keep_renewing(self, stop: threading.Event) -> None:
        """Until `stop` is set."""
        while not stop.wait(_LOOK_SECONDS):
            self.renew()

    def close(self) -> None:
        """Deal with what waits, then end. With `one_loop` in that loop, or when it has ended."""
        self._receiver.close()
        self.engine.dispose()
