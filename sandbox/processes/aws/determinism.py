"""Makes what moto does with a request a function of the request: its clock and its dice are ours.

To be installed before moto's services are imported, because they bind `datetime` by name. What OpenSSL draws itself
(private keys of EC2 key pairs, of asymmetric KMS keys and of ACM) cannot be seeded and is new after a restart.
"""

from __future__ import annotations

import datetime
import os
import random
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_real_datetime = datetime.datetime
_real_urandom = os.urandom
_real_time = time.time
_current = threading.local()


class _InstanceOfReal(type):
    """`isinstance` keeps its meaning for values that C code made with the real class."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _real_datetime)


class _Datetime(_real_datetime, metaclass=_InstanceOfReal):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> _Datetime:
        return cls.fromtimestamp(_time(), tz)

    @classmethod
    def utcnow(cls) -> _Datetime:
        return cls.fromtimestamp(_time(), datetime.UTC).replace(tzinfo=None)


def _time() -> float:
    moment: float | None = getattr(_current, "moment", None)
    return _real_time() if moment is None else moment


def _urandom(size: int) -> bytes:
    dice: random.Random | None = getattr(_current, "dice", None)
    return _real_urandom(size) if dice is None else dice.randbytes(size)


def install() -> None:
    """Put our clock and our dice in place; without `deterministic` both behave as ever."""
    datetime.datetime = _Datetime  # type: ignore[misc]
    time.time = _time
    os.urandom = _urandom
    # random.SystemRandom, and with it `secrets`, bound the function at its import.
    random._urandom = _urandom  # type: ignore[attr-defined]


@contextmanager
def deterministic(seed: str, moment: float) -> Iterator[None]:
    """In this thread: time stands still at `moment`, and all random numbers follow from `seed`. Can be nested."""
    from moto.moto_api._internal import mock_random

    outer: dict[str, Any] = dict(vars(_current))
    states = random.getstate(), mock_random.getstate()
    _current.moment, _current.dice = moment, random.Random(f"urandom {seed}")
    random.seed(f"random {seed}")
    mock_random.seed(f"moto {seed}")
    try:
        yield
    finally:
        vars(_current).clear()
        vars(_current).update(outer)
        random.setstate(states[0])
        mock_random.setstate(states[1])


def make_backends_deterministic(seed: str, moment: float) -> None:
    """A service's backend comes into being with its first request, be it a read, and rolls dice (EC2's default VPC).

    What it makes may not depend on which request that was.
    """
    from moto.core import base_backend
    from moto.core.base_backend import AccountSpecificBackend

    original = AccountSpecificBackend.__getitem__

    def getitem(self: Any, region: str) -> Any:
        if region in self.keys():
            return original(self, region)
        with deterministic(f"{seed} {self.service_name} {self.account_id} {region}", moment):
            return original(self, region)

    AccountSpecificBackend.__getitem__ = getitem  # type: ignore[method-assign]
    base_backend_dice = random.Random()
    # Only tells one dictionary of backends from another within the process, and may not use up a request's dice.
    vars(base_backend)["uuid4"] = lambda: uuid.UUID(int=base_backend_dice.getrandbits(128), version=4)
