"""A provider plugin that is none of ours, to be put where an official one would be: `python -m ... VERSION LOG`.

It takes whatever it is given, and writes the name by which it was started and what it was asked to make to LOG.
"""

from __future__ import annotations

import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc


class Taking(provider_pb2_grpc.ResourceProviderServicer):
    def __init__(self, version: str, log: Path) -> None:
        self._version, self._log = version, log

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=self._version)

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.DiffResponse()

    def Configure(self, request: Any, context: Any) -> Any:
        return provider_pb2.ConfigureResponse(acceptSecrets=True)

    def Check(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def Create(self, request: Any, context: Any) -> Any:
        with self._log.open("a") as log:
            log.write(f"made {request.type}\n")
        return provider_pb2.CreateResponse(id="from the official plugin", properties=request.properties)

    def Cancel(self, request: Any, context: Any) -> Any:
        return Empty()


def main() -> None:
    server = grpc.server(ThreadPoolExecutor(4))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Taking(sys.argv[1], Path(sys.argv[2])), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    print(port, flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
