"""Events that wait for an answer, and what each of them is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.billing.inbox import Arrival, Conclusion

Result = Conclusion | Exception | None
Answers = list[tuple[asyncio.Future[Conclusion | None], Result]]


_here = threading.local()


def running_loop() -> asyncio.AbstractEventLoop:
    """`asyncio.get_running_loop`, which before Python 3.12 asks the kernel each time whether this is the same process:
    for as long as the event's signature takes to be checked. A thread runs one loop at a time."""
    loop: asyncio.AbstractEventLoop | None = getattr(_here, "loop", None)
    if loop is None or not loop.is_running():
        loop = _here.loop = asyncio.get_running_loop()
    return loop


@dataclass(frozen=True)
class Waiting:
    arrival: Arrival
    answer: asyncio.Future[Conclusion | None]


def distinct(batch: Sequence[Waiting]) -> list[Arrival]:
    """Deliveries of one event in one batch are one event."""
    return list({one.arrival.event.id: one.arrival for one in batch}.values())


def told(batch: Sequence[Waiting], outcome: Mapping[str, Conclusion | Exception]) -> Answers:
    """By the `outcome` of each event; one that it leaves out had been done before."""
    answers: Answers = []
    heard: set[str] = set()
    for one in batch:
        event = one.arrival.event.id
        result = outcome.get(event)
        # The first delivery tells what became of it, the others that it had been done.
        repeated = event in heard and isinstance(result, Conclusion)
        answers.append((one.answer, None if repeated else result))
        heard.add(event)
    return answers


def resolve(answers: Answers) -> None:
    """In the event loop of those who wait. Some may have given up."""
    for answer, result in answers:
        if answer.done():
            continue
        if isinstance(result, Exception):
            answer.set_exception(result)
        else:
            answer.set_result(result)
