"""The AWS endpoint as a process of a test's own: killed and started again at will, on the same data and port."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from sandbox.home import CHECKOUT, Home
from tests.free_port import free_port

_READY_SECONDS = 60.0


class AwsProcess:
    """`python -m sandbox.processes.aws` on `home`."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._clients: dict[str, Any] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> dict[str, Any]:
        """Returns the health report once it answers."""
        log = self.home.root / "aws.log"
        with open(log, "ab") as output:
            command = [sys.executable, "-m", "sandbox.processes.aws"]
            self._process = subprocess.Popen(
                [*command, "--home", str(self.home.root), "--port", str(self.port)],
                cwd=CHECKOUT,
                stdout=output,
                stderr=output,
            )
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            assert self._process.poll() is None, log.read_text()
            try:
                with urllib.request.urlopen(f"{self.endpoint}/freehold/health", timeout=5) as response:
                    report: dict[str, Any] = json.load(response)
                    return report
            except urllib.error.URLError:
                time.sleep(0.05)
        raise AssertionError(f"not ready: {log.read_text()}")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._process = None

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    @contextmanager
    def files_limited_to(self, size: int) -> Iterator[None]:
        """A disk that is full: no file of the process may grow beyond `size` bytes (RLIMIT_FSIZE, setrlimit(2))."""
        assert self._process is not None
        before = resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (size, before[1]))
        yield
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, before)

    def client(self, service: str, **credentials: str) -> Any:
        """A client as the operator, or with other `credentials`."""
        if not credentials and service in self._clients:
            return self._clients[service]
        key = self.key()
        chosen = credentials or {
            "aws_access_key_id": key["access_key_id"],
            "aws_secret_access_key": key["secret_access_key"],
        }
        made = boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            config=Config(retries={"max_attempts": 2}, connect_timeout=5, read_timeout=30),
            **chosen,
        )
        if not credentials:
            self._clients[service] = made
        return made

    def key(self) -> dict[str, str]:
        key: dict[str, str] = json.loads((self.home.credentials / "aws.json").read_text())
        return key

    def decide(self, path: str, **body: Any) -> int:
        """POST to an extension path; returns the status."""
        request = urllib.request.Request(
            f"{self.endpoint}/freehold/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                status: int = response.status
                return status
        except urllib.error.HTTPError as error:
            with error:
                return error.code


def scrubbed(answer: Any) -> Any:
    """An answer without what belongs to the HTTP exchange."""
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def data_home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.credentials.mkdir(parents=True)
    return home
