"""`python -m fleet.program_host --control FD stacks.preload tenant aws`: started by `client`, never by hand."""

from __future__ import annotations

import argparse
import gc
import importlib
import inspect
import json
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any

_LINGER_SECONDS = 2.0
"""Once nobody can ask any more, and no program runs: an engine's update follows on its preview in less."""
_THREADS = 4


def serve(control: Connection, forks: socket.socket, forker: int) -> None:
    """Answer requests until the other end of `control` is closed, then wait for the engines that are being served.

    The same where the process `forker` dies, at the other end of `forks`: whoever asks next gets another host.
    """
    # Only in this process: gRPC's threads do not survive a fork.
    import grpc
    from pulumi.runtime.proto import language_pb2_grpc

    from fleet.program_host.language import Language, Runs
    from fleet.program_host.policies import PolicyPlugins

    runs, plugins = Runs(), PolicyPlugins(forks)
    servers: dict[str, Any] = {}
    watched = os.pidfd_open(forker)
    while watched not in wait([control, watched]):
        try:
            request = json.loads(control.recv_bytes())
        except (EOFError, OSError):
            break
        if (address := request.get("close")) is not None:
            servers.pop(address).stop(grace=None)
            continue
        server = grpc.server(ThreadPoolExecutor(_THREADS), options=[("grpc.so_reuseport", 0)])
        language_pb2_grpc.add_LanguageRuntimeServicer_to_server(Language(forks, runs, request["environment"]), server)
        address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        servers[address] = server
        control.send_bytes(json.dumps({"address": address, "commands": str(plugins.folder)}).encode())
    control.close()
    _outlast(runs)
    plugins.close()


def _outlast(runs: Any) -> None:
    """An engine lives on when the command that started it is killed, and its program with it."""
    quiet = time.monotonic()
    while time.monotonic() - quiet < _LINGER_SECONDS:
        if runs.count:
            quiet = time.monotonic()
        time.sleep(0.1)


def _prepare(*, policies: bool) -> None:
    """Spare the forks what comes out the same in each."""
    for module in ("grpc._channel", "grpc._server", "grpc.experimental"):  # gRPC imports them when they are used
        with suppress(ImportError):  # they are its own affair
            importlib.import_module(module)
    if policies:
        importlib.import_module("pulumi.policy")
        for module in ("pulumi_policy", "policies.pack", "policies.levels", "policies.table"):
            importlib.import_module(module)
        # The policy SDK asks for it at each resource, a seventh of its time.
        settings = importlib.import_module("pulumi.runtime").Settings
        settings.__signature__ = inspect.signature(settings)
    # Each is a call to the engine, which shows it with `--debug` alone, as nothing here starts it: a fifth of a
    # program's time.
    vars(importlib.import_module("pulumi.log"))["debug"] = lambda *_, **__: None


def main() -> None:
    parser = argparse.ArgumentParser(prog="fleet.program_host", description=__doc__)
    parser.add_argument("--control", type=int, required=True, help="descriptor of the connection to who started it")
    parser.add_argument("--policies", action="store_true", help="import the policy pack too")
    parser.add_argument("preload", help="the module whose function `preload` imports the program")
    parser.add_argument("arguments", nargs="*", help="what that function gets")
    options = parser.parse_args()
    importlib.import_module(options.preload).preload(*options.arguments)
    _prepare(policies=options.policies)
    # What is there now stays: a collection in a fork would only copy its pages.
    gc.collect()
    gc.freeze()
    forks, requests = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if (forker := os.fork()) == 0:
        from fleet.program_host.forker import Forker

        os.close(options.control)
        forks.close()
        Forker(requests).serve()
        os._exit(0)
    requests.close()
    serve(Connection(options.control), forks, forker)
    os._exit(0)  # without waiting for gRPC's threads; the forker ends with the socket


if __name__ == "__main__":
    main()
