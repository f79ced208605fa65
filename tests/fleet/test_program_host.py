"""Runs of a program that is imported once: each is a process of its own, with nothing of another's."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc
import psutil
import pytest
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import analyzer_pb2_grpc, language_pb2, language_pb2_grpc

from fleet.processes import ended
from fleet.program_host import analyzer, client, forker
from fleet.program_host.client import ProgramHost
from fleet.program_host.forker import Forker, Task
from fleet.program_host.policies import PolicyPlugins
from sandbox import plugin_line
from sandbox.home import CHECKOUT, SHORT_FOLDER
from tests.rehearsal.freehold import until
from tests.temporary_sandbox import Sandbox


@contextmanager
def _forker(prepare: Callable[[], object] = lambda: None) -> Iterator[socket.socket]:
    """The end of a forker's socket that asks; the forker is a process, as it is beside an engine."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    child = os.fork()
    if child == 0:
        ours.close()
        prepare()
        Forker(theirs).serve()
        os._exit(0)
    theirs.close()
    yield ours
    ours.close()
    os.waitpid(child, 0)


@pytest.fixture
def forks() -> Iterator[socket.socket]:
    with _forker() as asking:
        yield asking


def _script(folder: Path, text: str) -> str:
    path = folder / "script.py"
    path.write_text(text)
    return str(path)


def _run(forks: socket.socket, task: Task) -> tuple[int, str]:
    run = forker.start_heard(forks, task)
    with open(run.output, closefd=False) as lines:
        said = lines.read()
    try:
        return run.code(), said
    finally:
        run.close()


def test_a_run_has_its_own_arguments_folder_environment_and_output(forks: socket.socket, tmp_path: Path) -> None:
    script = _script(
        tmp_path, "import os, sys; print(sys.argv[1:], os.getcwd(), dict(os.environ)); print('!', file=sys.stderr)"
    )
    code, said = _run(forks, Task((script, "a", "b"), str(tmp_path), {"ONLY": "this"}))
    assert code == 0
    assert said.splitlines() == [f"['a', 'b'] {tmp_path} {{'ONLY': 'this'}}", "!"]


@pytest.mark.parametrize(
    ("end", "code"),
    [("sys.exit(32)", 32), ("sys.exit()", 0), ("sys.exit('no')", 1), ("raise ValueError", 1), ("os.abort()", -6)],
)
def test_how_it_ended_is_told(forks: socket.socket, tmp_path: Path, end: str, code: int) -> None:
    script = _script(tmp_path, f"import os, sys; {end}")
    assert _run(forks, Task((script,), str(tmp_path), {}))[0] == code


def test_what_one_run_changes_no_other_sees(forks: socket.socket, tmp_path: Path) -> None:
    script = _script(tmp_path, "import json; print(hasattr(json, 'changed')); json.changed = True")
    task = Task((script,), str(tmp_path), {})
    assert [_run(forks, task)[1] for _ in range(2)] == ["False\n", "False\n"]


def test_runs_go_on_side_by_side(forks: socket.socket, tmp_path: Path) -> None:
    there, both = tmp_path / "1", tmp_path / "2"
    first = _script(tmp_path, f"import os, time\nwhile not os.path.exists({str(both)!r}): time.sleep(0.01)")
    waiting = forker.start_heard(forks, Task((first,), str(tmp_path), {}))
    second = tmp_path / "second.py"
    second.write_text(f"open({str(there)!r}, 'w'); open({str(both)!r}, 'w')")
    assert _run(forks, Task((str(second),), str(tmp_path), {}))[0] == 0
    assert waiting.code() == 0
    waiting.close()


def test_a_run_that_nobody_wants_any_more_is_ended(forks: socket.socket, tmp_path: Path) -> None:
    script = _script(tmp_path, "import os, time; print(os.getpid(), flush=True); time.sleep(600)")
    run = forker.start_heard(forks, Task((script,), str(tmp_path), {}))
    with open(run.output, closefd=False) as lines:
        child = psutil.Process(int(lines.readline()))
        run.end()
        assert lines.read() == ""
    assert run.code() == -9
    run.close()
    until(lambda: ended(child))


def test_no_run_outlives_who_asked_for_it(tmp_path: Path) -> None:
    script = _script(tmp_path, "import os, time; print(os.getpid(), flush=True); time.sleep(600)")
    with _forker() as asking:
        run = forker.start_heard(asking, Task((script,), str(tmp_path), {}))
        with open(run.output, closefd=False) as lines:
            child = psutil.Process(int(lines.readline()))
    until(lambda: ended(child))
    run.close()


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProgramHost]:
    with ProgramHost("stacks.preload", "tenant", "aws", log=tmp_path_factory.mktemp("programs") / "log") as host:
        yield host


def _answers(address: str) -> bool:
    with grpc.insecure_channel(address) as channel:
        stub = language_pb2_grpc.LanguageRuntimeStub(channel)
        answer = stub.GetRequiredPackages(language_pb2.GetRequiredPackagesRequest(), timeout=20)
        return list(answer.packages) == []


def _pid(programs: ProgramHost) -> int:
    assert programs._started is not None
    return programs._started.process.pid


def test_engines_are_served_side_by_side_each_at_its_address(programs: ProgramHost) -> None:
    addresses: list[str] = []
    together = threading.Barrier(3)

    def ask() -> None:
        with programs.serving({}) as served:
            addresses.append(served.address)
            assert _answers(served.address)
            together.wait(timeout=60)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(set(addresses)) == 3


def test_a_host_that_was_killed_is_replaced(programs: ProgramHost) -> None:
    with programs.serving({}):
        before = _pid(programs)
    psutil.Process(before).kill()
    with programs.serving({}) as served:
        assert _answers(served.address)
        assert _pid(programs) != before


def test_a_program_that_was_edited_is_imported_anew(programs: ProgramHost, monkeypatch: pytest.MonkeyPatch) -> None:
    with programs.serving({}) as served:
        before = psutil.Process(_pid(programs))
        monkeypatch.setattr(client, "program_version", lambda: "edited")
        with programs.serving({}) as other:
            assert _answers(other.address)
            assert _pid(programs) != before.pid
        assert _answers(served.address)  # an engine that it serves is served to its end
    until(lambda: ended(before))


_TALKING = """
import sys
from pulumi import log
sent = []
log.get_engine = object
log._log = lambda engine, severity, message, *_: sent.append(message)
log.debug("for --debug")
log.warn("for a person")
sys.exit(sent != ["for a person"])
"""


def test_a_program_sends_no_debug_messages(programs: ProgramHost, tmp_path: Path) -> None:
    """The SDK has one for each step of each resource; the executor stands for a program here."""
    executor = Path(_script(tmp_path, _TALKING)).rename(tmp_path / "pulumi-language-python-exec")
    executor.chmod(0o755)
    with programs.serving({"PATH": str(tmp_path)}) as served, grpc.insecure_channel(served.address) as channel:
        request = language_pb2.RunRequest(pwd=str(tmp_path), program=".")
        answer = language_pb2_grpc.LanguageRuntimeStub(channel).Run(request, timeout=60)
    assert answer.error == ""


@pytest.mark.parametrize("program", ["platform", "tenant"])
def test_importing_a_program_starts_no_thread(program: str) -> None:
    """A fork has only the thread that forked: what another would have done, or a lock that it holds, stays undone."""
    check = (
        f"from stacks.preload import preload; preload({program!r}, 'aws'); import os, sys\n"
        "print(len(os.listdir('/proc/self/task')), 'pulumi_aws.iam' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", check], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["1", "True"]


@contextmanager
def _plugin(environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """As the engine starts the plugin of our pack, with no engine behind the address."""
    command = shutil.which(analyzer.COMMAND, path=environment["PATH"])
    assert command is not None
    line = [command, "127.0.0.1:1", ".", "-virtualenv=../.venv"]
    folder, out = CHECKOUT / "policies", subprocess.PIPE
    with subprocess.Popen(
        line, cwd=folder, env=environment, stdout=out, stderr=out, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # the engine's own has a child that would outlive it


def _policies_of(port: str) -> list[str]:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        found = analyzer_pb2_grpc.AnalyzerStub(channel).GetAnalyzerInfo(Empty(), timeout=20)
        return [policy.name for policy in found.policies]


def test_a_policy_plugin_is_a_fork_that_ends_with_it(tmp_path: Path) -> None:
    with (
        ProgramHost("tests.rehearsal.plain_sdk", log=tmp_path / "log", policies=True) as programs,
        programs.serving(os.environ) as served,
        _plugin(served.environment) as plugin,
    ):
        assert plugin.stdout is not None
        port = plugin.stdout.readline().strip()
        assert "required-tags" in _policies_of(port)
        (host,) = psutil.Process(_pid(programs)).children()  # the process that forks
        assert host.num_threads() == 1, "what another thread holds, a fork never gets"
        (fork,) = host.children()
        plugin.kill()
        until(lambda: ended(fork))


def test_a_policy_plugin_passes_its_environment_on_and_tells_where_its_host_ended(tmp_path: Path) -> None:
    odd = {"A": "two\nlines 'and' \"quotes\"", "B": os.fsdecode(b"\xff=\xc3"), "C": "c" * 100_000}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        line = [sys.executable, "-I", "-S", analyzer.__file__, str(tmp_path / "socket"), "engine", "-virtualenv=x", "."]
        with subprocess.Popen(line, env=odd, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as plugin:
            host, _ = listener.accept()
            with host:
                _, outputs, _, _ = socket.recv_fds(host, 1, 2)
                for descriptor in outputs:
                    os.close(descriptor)
                with host.makefile("rb") as lines:
                    asked = plugin_line.read(lines)
            _, errors = plugin.communicate(timeout=60)
    assert asked is not None and asked[:2] == (["engine", "."], str(tmp_path))
    assert odd.items() <= plugin_line.environment(asked[2]).items()
    assert (plugin.returncode, errors) == (1, "freehold: the host of the policy pack ended, its log says why\n")


def test_a_request_for_policies_that_was_cut_off_leaves_no_secret_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with (
        ProgramHost("tests.rehearsal.plain_sdk", log=log, policies=True) as programs,
        programs.serving(os.environ) as served,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking,
    ):
        asking.connect(str(Path(served.environment["PATH"].split(os.pathsep)[0]) / "socket"))
        socket.send_fds(asking, [b"."], [1, 2])
        asking.sendall(b"(['engine', '.'], '/', {b'PULUMI_CONFIG_PASSPHRASE': b'hunter2'")
        asking.shutdown(socket.SHUT_WR)
        assert asking.recv(16) == b""
    assert "freehold: the plugin's request was cut off" in log.read_text()
    assert "hunter2" not in log.read_text()


def test_without_its_host_a_policy_plugin_is_the_engine_s_own(tmp_path: Path, sandbox: Sandbox) -> None:
    with (
        ProgramHost("tests.rehearsal.plain_sdk", log=tmp_path / "log", policies=True) as programs,
        programs.serving(sandbox.environment) as served,
    ):
        commands = Path(served.environment["PATH"].split(os.pathsep)[0])
        (commands / "socket").unlink()
        with _plugin(served.environment) as plugin:
            assert plugin.stdout is not None
            assert "required-tags" in _policies_of(plugin.stdout.readline().strip())
        folder = commands
    until(lambda: not folder.exists())


def test_policies_are_served_whatever_the_length_of_the_temporary_folder(
    forks: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path of a Unix socket is at most 107 bytes long."""
    for name in ("short", "long" * 30):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / name))
        plugins = PolicyPlugins(forks)
        assert plugins.folder.stat().st_mode & 0o077 == 0
        plugins.close()
        assert not plugins.folder.exists()


def test_what_a_killed_host_left_is_removed_by_the_next_and_what_serves_is_not(
    forks: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    # pytest's own folder may be too deep for a socket, and then the plugins are in none of ours.
    base = Path(tempfile.mkdtemp(prefix="freehold-", dir=SHORT_FOLDER))
    monkeypatch.setattr(tempfile, "tempdir", str(base))
    killed, serving, young = (PolicyPlugins(forks) for _ in range(3))
    for one in (killed, young):
        one._listener.shutdown(socket.SHUT_RDWR)  # what the kernel does with a killed process' socket
        one._listener.close()
    for one in (killed, serving):
        os.utime(one.folder, (0, 0))
    following = PolicyPlugins(forks)
    assert not killed.folder.exists()
    assert {serving.folder, young.folder, following.folder} == set(base.iterdir())
    for one in (serving, young, following):
        one.close()
    base.rmdir()
