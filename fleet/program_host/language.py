"""The engine's LanguageRuntime protocol: runs the program in a fork, as the Python language host does in a process.

Source: proto/pulumi/language.proto and sdk/python/cmd/pulumi-language-python/main.go of the engine.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, language_pb2, language_pb2_grpc, plugin_pb2

from fleet.program_host import forker
from fleet.program_host.forker import Task

_EXECUTOR = "pulumi-language-python-exec"
"""The SDK's own script around a program: it configures the SDK, runs the program, and tells its errors."""
_TOLD = 32
"""Its exit code where it has told the user what went wrong."""


class Runs:
    """How many programs run now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.count = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        with self._lock:
            self.count += 1
        try:
            yield
        finally:
            with self._lock:
                self.count -= 1


class Language(language_pb2_grpc.LanguageRuntimeServicer):
    """Serves the engines of one environment, whose variables the program gets."""

    def __init__(self, forks: socket.socket, runs: Runs, environment: Mapping[str, str]) -> None:
        self._forks, self._runs, self._environment = forks, runs, environment

    def GetRequiredPackages(
        self, request: language_pb2.GetRequiredPackagesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetRequiredPackagesResponse:
        """None: the resources name their providers' versions themselves."""
        return language_pb2.GetRequiredPackagesResponse()

    def GetRequiredPlugins(
        self, request: language_pb2.GetRequiredPluginsRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetRequiredPluginsResponse:
        return language_pb2.GetRequiredPluginsResponse()

    def GetPluginInfo(self, request: Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo()

    def About(self, request: language_pb2.AboutRequest, context: grpc.ServicerContext) -> language_pb2.AboutResponse:
        return language_pb2.AboutResponse(executable=sys.executable, version=sys.version.split()[0])

    def Run(self, request: language_pb2.RunRequest, context: grpc.ServicerContext) -> language_pb2.RunResponse:
        """Run the program to its end; it is ended where the engine goes away."""
        # An engine tells its own address to a language host that it did not start.
        engine = request.args[0] if request.args else ""
        script = shutil.which(_EXECUTOR, path=self._environment.get("PATH", ""))
        if script is None:
            return language_pb2.RunResponse(error=f"{_EXECUTOR} is not on PATH")
        arguments = (script, *_arguments(request, engine))
        task = Task(arguments, request.pwd or os.getcwd(), {**self._environment, **_configuration(request)})
        with self._runs.one():
            run = forker.start_heard(self._forks, task)
            try:
                context.add_callback(run.end)
                with open(run.output, errors="replace", closefd=False) as lines:
                    _tell(engine, lines)
                code = run.code()
            finally:
                run.close()
        if code == 0:
            return language_pb2.RunResponse()
        if code == _TOLD:
            return language_pb2.RunResponse(bail=True)
        if code == -signal.SIGKILL:
            # For want of memory, mostly. Told as the engine tells it of a plugin, which `fleet.failures` lets pass.
            return language_pb2.RunResponse(error="the program was ended (signal: killed)")
        return language_pb2.RunResponse(error=f"program exited with non-zero exit code: {code}")


def _arguments(request: language_pb2.RunRequest, engine: str) -> Iterator[str]:
    flags = {
        "monitor": request.monitor_address,
        "engine": engine,
        "project": request.project,
        "stack": request.stack,
        "pwd": request.pwd,
        "dry_run": str(request.dryRun).lower(),
        "parallel": str(request.parallel),
        "organization": request.organization,
    }
    for name, value in flags.items():
        if value:
            yield from (f"--{name}", value)
    yield request.program or "."


def _configuration(request: language_pb2.RunRequest) -> dict[str, str]:
    return {
        "PULUMI_CONFIG": json.dumps(dict(request.config)),
        "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
    }


def _tell(engine: str, lines: Iterator[str]) -> None:
    """Hand what the program prints to the engine, a line each, until it has ended."""
    channel: grpc.Channel | None = None
    for line in lines:
        if not engine or not line.strip():
            continue
        channel = channel or grpc.insecure_channel(engine)
        message = engine_pb2.LogRequest(severity=engine_pb2.INFO, message=line.rstrip())
        try:
            engine_pb2_grpc.EngineStub(channel).Log(message)
        except grpc.RpcError:
            continue  # the engine is gone, and the program will be
    if channel is not None:
        channel.close()
