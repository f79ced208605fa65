"""Waits until an object is ready, or gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from sandbox.providers.interface import Properties
from sandbox.providers.kubernetes import conditions, objects, readiness, surroundings
from sandbox.providers.kubernetes.connection import ApiError, Connection, Json
from sandbox.providers.kubernetes.readiness import READY, State

DEFAULT_TIMEOUT = 600.0
"""Seconds, as the Pulumi provider's for every kind that it waits for."""

_PAUSE = (0.05, 1.0)


class NotReady(Exception):
    """It was not ready in time, failed for good, or waiting was cancelled."""

    def __init__(self, live: Json, reason: str) -> None:
        super().__init__(reason)
        self.live = live
        self.reason = reason


def seconds(inputs: Properties, timeout: float) -> float:
    """How long to wait: the program's custom timeout, else the object's annotation, else the default."""
    if timeout > 0:
        return timeout
    said = objects.annotation(inputs, objects.TIMEOUT)
    return float(said) if said else DEFAULT_TIMEOUT


class Waiter:
    """Waiting for one provider instance, until it is cancelled."""

    def __init__(self, connection: Connection, patience: float) -> None:
        self._connection = connection
        self._patience = patience
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        self._cancelled.set()

    def state(self, live: Json, inputs: Properties) -> State:
        """Whether the object is ready now."""
        if objects.flag(inputs, objects.SKIP_AWAIT):
            return READY
        wanted = objects.annotation(inputs, objects.WAIT_FOR)
        if wanted:
            return _first_unmet([expression.met(live) for expression in conditions.parse(wanted)])
        return self._own(live)

    def seen(self, live: Json, inputs: Properties) -> State:
        """What a refresh says of it: of some kinds only, and by their own status, not by what the program waits for."""
        if objects.flag(inputs, objects.SKIP_AWAIT) or live.get("kind") not in readiness.SEEN_AGAIN:
            return READY
        return self._own(live)

    def _own(self, live: Json) -> State:
        own = readiness.check(live)
        return own if not own.ready else surroundings.check(live, self._get)

    def ready(self, live: Json, path: str, inputs: Properties, timeout: float) -> tuple[Json, str]:
        """The object once it is ready, and a remark on what was not waited for. Raises NotReady."""
        allowed = seconds(inputs, timeout)
        deadline = time.monotonic() + allowed
        pause = _PAUSE[0]
        while True:
            found = self.state(live, inputs)
            if found.ready:
                return live, found.reason
            if found.final:
                raise NotReady(live, found.reason)
            if time.monotonic() >= deadline:
                raise NotReady(live, f"not ready after {allowed:.0f} s: {found.reason}")
            if self._cancelled.wait(pause):
                raise NotReady(live, f"cancelled while it was not ready: {found.reason}")
            pause = min(pause * 1.5, _PAUSE[1])
            try:
                live = self._get(path, "")
            except ApiError as error:
                if error.code == 404:
                    raise NotReady(live, "it was deleted by someone else while it was waited for") from None
                raise

    def gone(self, path: str, uid: str, inputs: Properties, timeout: float) -> None:
        """Return once the object of this uid is gone. Raises NotReady."""
        allowed = seconds(inputs, timeout)
        deadline = time.monotonic() + allowed
        pause = _PAUSE[0]
        while True:
            try:
                live = self._get(path, "")
            except ApiError as error:
                if error.code == 404:
                    return
                raise
            if uid and live["metadata"]["uid"] != uid:
                return
            if time.monotonic() >= deadline:
                raise NotReady(live, f"still there after {allowed:.0f} s{_held_by(live)}")
            if self._cancelled.wait(pause):
                raise NotReady(live, f"cancelled while it was being deleted{_held_by(live)}")
            pause = min(pause * 1.5, _PAUSE[1])

    def _get(self, path: str, query: str) -> Json:
        return self._connection.request("GET", path, query=query, patience=self._patience)


def _first_unmet(states: Sequence[State]) -> State:
    return next((state for state in states if not state.ready), READY)


def _held_by(live: Json) -> str:
    """What keeps a deleted object: its finalizers, or the reasons that a namespace gives."""
    holding = [*(live["metadata"].get("finalizers") or ()), *((live.get("spec") or {}).get("finalizers") or ())]
    said = [
        str(found.get("message"))
        for found in (live.get("status") or {}).get("conditions") or ()
        if found.get("status") == "True" and found.get("message")
    ]
    return (f"; finalizers {', '.join(map(str, holding))}" if holding else "") + (
        f"; {'; '.join(said)}" if said else ""
    )
