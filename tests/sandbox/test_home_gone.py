"""A FREEHOLD_HOME that is removed under its sandbox ends the sandbox: nobody could find it any more, nor end it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import IO

import pytest

from sandbox.supervisor import __main__ as supervisor


@pytest.mark.parametrize("made_anew", [False, True])
def test_the_supervisor_notices_that_its_lock_was_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_anew: bool
) -> None:
    monkeypatch.setattr(supervisor, "_LOOK_SECONDS", 0.01)
    path = tmp_path / "supervisor.lock"

    async def run(lock: IO[str]) -> None:
        gone = asyncio.Event()
        looks = list[None]()

        async def there() -> None:
            looks.append(None)

        watching = asyncio.create_task(supervisor.watch_file(lock, gone.set, there))
        await asyncio.sleep(0.1)
        assert looks and not gone.is_set()
        path.unlink()
        if made_anew:
            path.touch()
        await asyncio.wait_for(gone.wait(), 5)
        await watching

    with path.open("w") as lock:
        asyncio.run(run(lock))
