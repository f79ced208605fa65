"""`python -m tests.services.billing.dying_server before|after|sent|stored`: the webhook, killed with SIGKILL.

At the first event, `before` the commit: the event is received and its effect carried out within the transaction;
`after` it: committed, and not answered. Or at the first that goes from the event loop: `sent`, or `stored` and not
answered.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from catalog.plans import Blueprint
from services.billing import __main__ as service
from services.billing import front, receiver, running, settlement
from services.billing.inbox import Arrival, Conclusion
from services.billing.loop_statement import Done, LoopStatement


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _settle_and_die(
    connection: sa.Connection, arrivals: Sequence[Arrival], blueprint: Blueprint
) -> Mapping[str, Conclusion]:
    settlement.settle(connection, arrivals, blueprint)
    _die()
    raise AssertionError


class _DiesAfter(receiver.Receiver):
    def _transaction(self, arrivals: Sequence[Arrival]) -> Mapping[str, Conclusion]:
        super()._transaction(arrivals)
        _die()
        raise AssertionError


class _DiesBefore(receiver.Receiver):
    def _transaction(self, arrivals: Sequence[Arrival]) -> Mapping[str, Conclusion]:
        self._settle = _settle_and_die
        return super()._transaction(arrivals)


class _DiesSent(LoopStatement):
    def begin(self, values: Sequence[bytes], done: Done) -> bool:
        if super().begin(values, done):
            _die()
        return False


class _DiesStored(LoopStatement):
    def begin(self, values: Sequence[bytes], done: Done) -> bool:
        return super().begin(values, lambda rows: _die())


if __name__ == "__main__":
    if sys.argv[1] in ("after", "before"):
        vars(running)["Receiver"] = {"after": _DiesAfter, "before": _DiesBefore}[sys.argv[1]]
    else:
        vars(front)["LoopStatement"] = {"sent": _DiesSent, "stored": _DiesStored}[sys.argv[1]]
    sys.exit(service.main())
