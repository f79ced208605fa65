"""The loop that a delivery is answered in: the one that runs, without asking the kernel for it each time."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.billing.waiting import running_loop


async def same() -> bool:
    return all(running_loop() is asyncio.get_running_loop() for _ in range(2))


def test_it_is_the_one_that_runs_in_this_thread_now() -> None:
    assert asyncio.run(same())
    assert asyncio.run(same())  # another, when the first has ended

    async def beside() -> bool:
        with ThreadPoolExecutor(1) as other:
            return await asyncio.wrap_future(other.submit(asyncio.run, same())) and await same()

    assert asyncio.run(beside())


def test_where_none_runs_there_is_none() -> None:
    asyncio.run(same())
    with pytest.raises(RuntimeError):
        running_loop()
