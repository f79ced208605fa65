"""`python -m sandbox.supervisor --home PATH`: one per FREEHOLD_HOME; a second one ends at once with exit code 3."""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import IO

from errors import FreeholdError
from sandbox.files import unwritable
from sandbox.home import Home
from sandbox.supervisor import ALREADY_RUNNING
from sandbox.supervisor.pidfile import ProcessIdentity
from sandbox.supervisor.server import Server

_LOOK_SECONDS = 2.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    home = Home(parser.parse_args().home.resolve())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        home.run.mkdir(parents=True, exist_ok=True)
        # Held until this process ends, however it ends; another that has it keeps what it wrote there.
        lock = open(home.lock, "a")  # noqa: SIM115
    except OSError as error:
        print(unwritable(home.run, error).line(), file=sys.stderr)
        return 1
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return ALREADY_RUNNING
    try:
        _sign(lock)
        asyncio.run(_run(home, lock))
    except FreeholdError as error:
        print(error.line(), file=sys.stderr)
        return 1
    return 0


async def _run(home: Home, lock: IO[str]) -> None:
    server = Server(home)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.request_stop)
    watching = asyncio.create_task(watch_file(lock, server.request_stop, server.keep_reachable))
    await server.run()
    watching.cancel()


def _sign(lock: IO[str]) -> None:
    """Say in the lock's file whose it is, for whoever finds no socket."""
    try:
        lock.truncate(0)
        lock.write(ProcessIdentity.own().model_dump_json())
        lock.flush()
    except OSError as error:
        raise unwritable(Path(lock.name), error) from None


async def watch_file(lock: IO[str], gone: Callable[[], None], there: Callable[[], Awaitable[None]]) -> None:
    """Calls `gone` once the lock's file is not there any more, as after `rm -r` or `git clean` of the home: nobody
    could find this supervisor, nor end it. Calls `there` at each look before."""
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        if not is_file_of(lock):
            logging.warning("%s was removed; stopping", lock.name)
            return gone()
        await there()


def is_file_of(file: IO[str]) -> bool:
    """Whether an open file is still the one of its name."""
    try:
        return os.path.samestat(os.stat(file.name), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    sys.exit(main())
