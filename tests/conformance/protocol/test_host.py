"""The warm host as a process, and the plugin scripts that the engine starts."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import psutil
import pytest
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from errors import FreeholdError
from sandbox import plugin_line
from sandbox.home import CHECKOUT, Home
from sandbox.providers.creations import Creations
from sandbox.providers.host import Host
from sandbox.providers.install import install
from sandbox.providers.interface import Properties
from sandbox.providers.registry import CLASSES, provider_class, sdk_version
from sandbox.providers.servicer import Servicer
from sandbox.providers.values import decode, encode

ADDRESS = "127.0.0.1:1"
"""Of an engine that does not listen: the host must not need it."""


_started: list[subprocess.Popen[str]] = []


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Ends what a failed test left running."""
    yield
    while _started:
        process = _started.pop()
        process.kill()  # does nothing to one that has ended
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def start_host(home: Home) -> subprocess.Popen[str]:
    _started.append(
        subprocess.Popen(
            [sys.executable, "-m", "sandbox.providers.host", "--home", str(home.root)],
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    )
    return _started[-1]


def stop(process: subprocess.Popen[str]) -> tuple[str, str]:
    process.terminate()
    return process.communicate(timeout=60)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def host(home: Home) -> Iterator[subprocess.Popen[str]]:
    process = start_host(home)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("ready in ")
    yield process
    _, errors = stop(process)
    assert process.returncode == 0 and "Traceback" not in errors, errors
    assert not home.socket("providers").exists()


def plugin(home: Home, name: str) -> subprocess.Popen[str]:
    """The plugin as the engine starts it."""
    executable = next(path for path in install(home) if path.name == f"pulumi-resource-{name}")
    _started.append(
        subprocess.Popen(
            [executable, ADDRESS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    )
    return _started[-1]


def channel(process: subprocess.Popen[str]) -> grpc.Channel:
    assert process.stdout is not None
    return grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}")


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_stand_in_answers_in_the_version_of_its_sdk(home: Home, host: subprocess.Popen[str], name: str) -> None:
    process = plugin(home, name)
    with channel(process) as open_channel:
        stub = provider_pb2_grpc.ResourceProviderStub(open_channel)
        assert stub.GetPluginInfo(Empty(), timeout=60).version == sdk_version(name)
        answer = stub.Handshake(provider_pb2.ProviderHandshakeRequest(engine_address=ADDRESS), timeout=60)
        assert answer.accept_secrets and answer.accept_resources
    # As the engine ends its plugins.
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0 and not errors


@contextmanager
def asked_by_a_plugin(home: Home, **variables: str) -> Iterator[tuple[subprocess.Popen[str], socket.socket]]:
    """A plugin's script as the engine starts it, with this test for its host."""
    executable = next(path for path in install(home) if path.name == "pulumi-resource-random")
    environment = {**os.environ, **variables}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(home.place_for_socket("providers")))
        listener.listen()
        _started.append(
            subprocess.Popen([executable, ADDRESS], env=environment, stderr=subprocess.PIPE, text=True, cwd=home.root)
        )
        connection, _ = listener.accept()
        with connection:
            yield _started[-1], connection


def test_the_engine_s_environment_arrives_as_it_is(home: Home) -> None:
    """Whatever bytes it is of, and however much it is."""
    odd = {"AWS_LINES": "two\nlines 'and' \"quotes\"", "KUBE_BYTES": os.fsdecode(b"\xff=\xc3"), "PGLONG": "a" * 100_000}
    with asked_by_a_plugin(home, **odd) as (_, connection), connection.makefile("rb") as lines:
        request = plugin_line.read(lines)
    assert request is not None
    servicer = Host(home)._instance(request)
    assert odd.items() <= servicer._environment.items()
    assert servicer._environment["PWD"] == str(home.root)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"error no such\n", "no such; ./freehold sandbox stop, then ./freehold sandbox start"),
        (
            b'{"port": 4711}\n',
            "the sandbox's providers are of another release; ./freehold sandbox stop, then ./freehold sandbox start",
        ),
        (
            b"",
            "the sandbox's providers closed the connection; see providers.log of the sandbox; ./freehold sandbox start",
        ),
    ],
    ids=["refused", "another release", "died"],
)
def test_what_the_host_has_against_it_arrives_at_the_engine(home: Home, answer: bytes, told: str) -> None:
    with asked_by_a_plugin(home) as (process, connection):
        with connection.makefile("rb") as lines:
            plugin_line.read(lines)
        connection.sendall(answer)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (1, f"freehold: {told}\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_plugin_ends_with_its_engine_also_where_sigint_was_ignored(home: Home, number: signal.Signals) -> None:
    """As in a shell's background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with asked_by_a_plugin(home) as (process, connection):
            with connection.makefile("rb") as lines:
                plugin_line.read(lines)
            process.send_signal(number)
            _, errors = process.communicate(timeout=60)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize(
    "sent",
    [b"('random', '1', '/', {b'AWS_SECRET': b'hunter2", b"('random', {b'PGPASSWORD': b'hunter2'\n", b"[b'hunter2']\n"],
)
def test_a_request_that_cannot_be_read_leaves_no_secret_in_the_log(home: Home, sent: bytes) -> None:
    process = start_host(home)
    assert process.stdout is not None and process.stdout.readline().startswith("ready in ")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.connect(str(home.socket("providers")))
        asking.sendall(sent)
        asking.shutdown(socket.SHUT_WR)
        answer = asking.recv(4096)
    _, errors = stop(process)
    assert answer.startswith(b"error Unreadable: the plugin's request ") and b"hunter2" not in answer
    assert "refused a plugin" in errors and "hunter2" not in errors


def test_a_create_is_journaled_until_its_delete(home: Home, host: subprocess.Popen[str]) -> None:
    process = plugin(home, "random")
    urn = "urn:pulumi:s::p::random:index/randomId:RandomId::subject"
    with channel(process) as open_channel, Creations(home) as journal:
        stub = provider_pb2_grpc.ResourceProviderStub(open_channel)
        stub.Configure(provider_pb2.ConfigureRequest(args=encode({})), timeout=60)
        checked = stub.Check(provider_pb2.CheckRequest(urn=urn, news=encode({"byteLength": 4})), timeout=60)
        preview = stub.Create(provider_pb2.CreateRequest(urn=urn, properties=checked.inputs, preview=True), timeout=60)
        assert not preview.id and journal.ids(urn) == ()
        made = stub.Create(provider_pb2.CreateRequest(urn=urn, properties=checked.inputs), timeout=60)
        assert journal.ids(urn) == (made.id,)
        stub.Delete(
            provider_pb2.DeleteRequest(urn=urn, id=made.id, properties=made.properties, old_inputs=checked.inputs),
            timeout=10,
        )
        assert journal.ids(urn) == ()


def test_what_a_read_finds_no_more_is_out_of_the_journal(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else deleted it. Made again, it would count as made twice."""
    urn = "urn:pulumi:s::p::random:index/randomId:RandomId::subject"
    provider = provider_class("random")()
    monkeypatch.setattr(provider, "read", lambda *_: None)
    with Creations(home) as journal:
        journal.record(urn, "one")
        journal.record(urn, "another")
        servicer = Servicer(provider, {}, journal)
        assert servicer.Read(provider_pb2.ReadRequest(urn=urn, id="one"), None).id == ""
        assert journal.ids(urn) == ("another",)
        servicer.close()


def test_a_refusal_is_one_line_and_no_doubt(home: Home, host: subprocess.Popen[str]) -> None:
    process = plugin(home, "kubernetes")
    urn = "urn:pulumi:s::p::kubernetes:helm.sh/v3:Release::subject"
    with channel(process) as open_channel:
        stub = provider_pb2_grpc.ResourceProviderStub(open_channel)
        stub.Configure(provider_pb2.ConfigureRequest(args=encode({"kubeconfig": "/nowhere"})), timeout=60)
        with pytest.raises(grpc.RpcError) as refused:
            stub.Check(provider_pb2.CheckRequest(urn=urn, news=encode({})), timeout=60)
        assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert "\n" not in refused.value.details() and "Helm" in refused.value.details()


def test_the_engines_own_inputs_pass_through_check_config(home: Home, host: subprocess.Popen[str]) -> None:
    process = plugin(home, "kubernetes")
    urn = "urn:pulumi:s::p::pulumi:providers:kubernetes::default"
    with channel(process) as open_channel:
        stub = provider_pb2_grpc.ResourceProviderStub(open_channel)
        news: Properties = {"version": "4.34.2", "__internal": {"name": "kubernetes"}, "namespace": "here"}
        answer = stub.CheckConfig(provider_pb2.CheckRequest(urn=urn, news=encode(news)), timeout=60)
        assert decode(answer.inputs).properties == news and not answer.failures


def test_an_engine_that_goes_leaves_nothing_in_the_host(home: Home, host: subprocess.Popen[str]) -> None:
    watched = psutil.Process(host.pid)
    before = watched.num_threads()
    for _ in range(3):
        process = plugin(home, "random")
        with channel(process) as open_channel:
            provider_pb2_grpc.ResourceProviderStub(open_channel).GetPluginInfo(Empty(), timeout=60)
        process.kill()
        process.communicate()
    deadline = time.monotonic() + 60
    while any(c.status == psutil.CONN_LISTEN for c in watched.net_connections("tcp")):
        assert time.monotonic() < deadline, "a server still listens for an engine that has gone"
        time.sleep(0.05)
    while watched.num_threads() > before + 4:  # grpc keeps a few of its own
        assert time.monotonic() < deadline, f"{watched.num_threads()} threads, {before} before"
        time.sleep(0.05)


def test_without_a_host_the_plugin_says_so(home: Home) -> None:
    process = plugin(home, "random")
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and not output
    assert errors.count("\n") == 1 and "not running" in errors and "./freehold sandbox start" in errors


def test_a_host_that_dies_ends_its_plugins(home: Home) -> None:
    process = start_host(home)
    assert process.stdout is not None and process.stdout.readline()
    child = plugin(home, "random")
    channel(child).close()
    process.kill()
    process.communicate()
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 1 and "have stopped" in errors
    # The socket that it left does not keep the next one from starting.
    again = start_host(home)
    assert again.stdout is not None and again.stdout.readline().startswith("ready in ")
    stop(again)


def test_a_signal_that_another_thread_gets_ends_the_host(home: Home) -> None:
    # The kernel chooses the thread; Python runs handlers only in the main one, which has to hear of it all the same.
    process = start_host(home)
    assert process.stdout is not None and process.stdout.readline()
    channel(plugin(home, "random")).close()
    others = [
        int(entry.name) for entry in Path(f"/proc/{process.pid}/task").iterdir() if int(entry.name) != process.pid
    ]
    assert others
    tgkill = 234 if platform.machine() == "x86_64" else 131
    assert ctypes.CDLL(None).syscall(tgkill, process.pid, others[0], signal.SIGTERM) == 0
    process.wait(timeout=30)
    assert process.returncode == 0


def test_only_one_host_for_a_home(home: Home, host: subprocess.Popen[str]) -> None:
    second = start_host(home)
    _, errors = second.communicate(timeout=60)
    assert second.returncode == 1 and "another provider host is running" in errors
    assert home.socket("providers").exists(), "it took the first one's socket away"


def test_the_socket_is_its_owners_alone(home: Home, host: subprocess.Popen[str]) -> None:
    assert home.socket("providers").stat().st_mode & 0o077 == 0


def test_a_long_home_has_its_sockets_in_one_place_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path / ("long" * 30))
    found = set()
    for name in ("one", "another"):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / name))
        found.add(home.socket("providers"))
    (path,) = found
    assert not path.parent.exists(), "a question made something"
    assert home.place_for_socket("providers") == path
    try:
        assert len(os.fsencode(path)) < 108
        assert path.parent.stat().st_mode & 0o077 == 0
        path.parent.chmod(0o755)
        with pytest.raises(FreeholdError, match=rf"^{path.parent}: .* is not this user's alone; remove it"):
            home.socket("providers")
        path.parent.rmdir()
        path.parent.symlink_to(tmp_path)
        with pytest.raises(FreeholdError, match="is not this user's alone"):
            home.socket("providers")
        path.parent.unlink()
    finally:
        if path.parent.is_dir():
            path.parent.rmdir()


def test_install_leaves_what_is_right_alone(home: Home) -> None:
    paths = install(home)
    before = [path.stat().st_mtime_ns for path in paths]
    assert [path.stat().st_mtime_ns for path in install(home)] == before
    paths[0].write_text("#!/bin/sh\nexit 3\n")
    install(home)
    assert "exit 3" not in paths[0].read_text() and os.access(paths[0], os.X_OK)
    assert {path.parent.name for path in paths} == {f"resource-{name}-v{sdk_version(name)}" for name in CLASSES}


def test_a_home_with_a_space_in_its_path(tmp_path: Path) -> None:
    home = Home(tmp_path / "a home's own")
    process = start_host(home)
    assert process.stdout is not None and process.stdout.readline().startswith("ready in ")
    child = plugin(home, "random")
    channel(child).close()
    child.kill()
    child.communicate()
    stop(process)
