"""SNS' deliveries to HTTP endpoints: in the background and tried again, as SNS does, and never repeated by a replay.

moto posts them while it carries out Publish. An endpoint that itself calls AWS would then wait for the very request
that waits for it.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Mapping
from typing import Any

import requests

# https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html: three at once, then with a delay.
_DELAYS_SECONDS = (0.0, 0.0, 0.0, 1.0, 5.0, 20.0)
_TIMEOUT_SECONDS = 15.0
_WORKERS = 4

_log = logging.getLogger(__name__)


class Deliveries:
    """Stands in for the module `requests` in moto's SNS."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[str, Mapping[str, Any]]] = queue.SimpleQueue()
        self._replaying = True
        for number in range(_WORKERS):
            threading.Thread(target=self._work, name=f"delivery-{number}", daemon=True).start()

    def install(self) -> None:
        import moto.sns.models

        vars(moto.sns.models)["requests"] = self

    def begin(self) -> None:
        """The replay is over: deliver from now on."""
        self._replaying = False

    def post(self, url: str, **request: Any) -> None:
        """What SNS calls; returns at once."""
        if not self._replaying:
            self._queue.put((url, request))

    def _work(self) -> None:
        while True:
            url, request = self._queue.get()
            for delay in _DELAYS_SECONDS:
                time.sleep(delay)
                try:
                    response = requests.post(url, timeout=_TIMEOUT_SECONDS, **request)
                except requests.RequestException as error:
                    _log.warning("delivery to %s failed: %s", url, type(error).__name__)
                    continue
                if response.ok:
                    break
                _log.warning("delivery to %s is answered %d", url, response.status_code)
            else:
                _log.error("delivery to %s given up", url)
