"""Where alerts go: one module for each kind of sink."""

from __future__ import annotations

from typing import Protocol

from services.notifier.alerts import Alert


class SinkFailed(Exception):
    """It was not taken; why, in one line without secrets. `retry_after` is what the sink asks for, in seconds."""

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class SinkRefused(SinkFailed):
    """It will not be taken however often it is tried: a wrong address, a revoked key."""


class Sink(Protocol):
    """Hands an alert over, within its time limit; safe to be asked again for one that was handed over already."""

    @property
    def name(self) -> str: ...

    def send(self, alert: Alert) -> None:
        """Raises SinkFailed or SinkRefused."""
