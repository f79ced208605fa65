"""A file of the sandbox that is not what the sandbox wrote: told in one line, or made anew; never a start that says it
went well."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from errors import FreeholdError
from sandbox.environment import environment
from sandbox.home import Home
from sandbox.processes.aws.journal import Journal
from sandbox.processes.certificates import Authority, service_account_keys
from sandbox.providers.choice import in_use
from sandbox.providers.creations import Creations
from sandbox.supervisor import pidfile
from sandbox.supervisor.definitions import CacheDefinition, DefinitionStore
from sandbox.supervisor.ports import Ports
from sandbox.supervisor.server import Server

GARBAGE = b"\xff\xfe\0"


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("content", [b"", b"[1]", b'{"moto": "x"}', b'{"moto": 1', GARBAGE])
def test_what_is_no_ports_is_told(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path / "ports.json", content)
    with pytest.raises(FreeholdError, match=f"^{path}: is damaged; .*sandbox reset$"):
        Ports(path, {})


@pytest.mark.parametrize("content", [b"", b"[1]", b"{}", GARBAGE])
def test_what_is_no_definition_is_told(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path / "data" / "caches" / "one.json", content)
    with pytest.raises(FreeholdError, match=f"^{path}: is damaged"):
        DefinitionStore(Home(tmp_path), "caches", CacheDefinition)


@pytest.mark.parametrize("content", [b"", b"[1]", b"{}", GARBAGE])
def test_what_is_no_operators_key_is_told(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path / "credentials" / "aws.json", content)
    with pytest.raises(FreeholdError, match=f"^{path}: is damaged"):
        environment(Home(tmp_path))


@pytest.mark.parametrize("content", [b"", b"others", GARBAGE])
def test_what_names_no_providers_is_told(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path / "data" / "providers", content)
    with pytest.raises(FreeholdError, match=f"^{path}: is damaged"):
        in_use(Home(tmp_path))


@pytest.mark.parametrize(
    "content", [b"[1]", b"[1]\n", GARBAGE, b'{"number":1}\n', b'{"number":1,"status":}\n', b'{"numbers":1', b"\n"]
)
def test_what_is_no_journal_is_told_and_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path / "journal.jsonl", content)
    with pytest.raises(FreeholdError, match=f"^{path}: is damaged"):
        list(Journal(path).entries())
    assert path.read_bytes() == content


def test_a_journal_whose_last_line_was_cut_short_goes_on_without_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    Journal(path).begin({"PATH_INFO": "/"}, b"one")
    whole = path.read_bytes()
    for length in range(1, len(whole)):
        path.write_bytes(whole + whole[:length])
        assert [entry.body for entry, _ in Journal(path).entries()] == [b"one"]
        assert path.read_bytes() == whole


def test_what_is_no_journal_of_creations_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "data" / "creations.sqlite", GARBAGE * 100)
    with pytest.raises(FreeholdError, match=f"^{path}: is damaged"):
        Creations(Home(tmp_path))
    assert path.read_bytes() == GARBAGE * 100


@pytest.mark.parametrize("content", [b"", b"[1]", GARBAGE])
def test_what_is_no_pid_file_names_no_process(tmp_path: Path, content: bytes) -> None:
    assert pidfile.read(write(tmp_path / "one.pid", content)) is None


@pytest.mark.parametrize("file", ["ca.crt", "ca.key"])
def test_what_is_no_authority_is_told(tmp_path: Path, file: str) -> None:
    Authority(tmp_path, "test")
    write(tmp_path / file, GARBAGE)
    with pytest.raises(FreeholdError, match=f"^{tmp_path / file}: is damaged"):
        Authority(tmp_path, "test")


def test_what_is_no_key_of_service_accounts_is_told(tmp_path: Path) -> None:
    key = service_account_keys(tmp_path).key
    key.write_bytes(b"")
    with pytest.raises(FreeholdError, match=f"^{key}: is damaged"):
        service_account_keys(tmp_path)


@pytest.mark.parametrize("file", ["redis.crt", "redis.key"])
def test_a_damaged_certificate_is_made_anew(tmp_path: Path, file: str) -> None:
    authority = Authority(tmp_path, "test")
    before = authority.server("redis").certificate.read_bytes()
    assert authority.server("redis").certificate.read_bytes() == before
    write(tmp_path / file, GARBAGE)
    assert authority.server("redis").certificate.read_bytes() not in (before, GARBAGE)
    assert b"PRIVATE KEY" in authority.server("redis").key.read_bytes()


def test_a_certificate_of_an_authority_that_was_lost_is_made_anew(tmp_path: Path) -> None:
    before = Authority(tmp_path, "test").server("redis").certificate.read_bytes()
    (tmp_path / "ca.crt").unlink()
    assert Authority(tmp_path, "test").server("redis").certificate.read_bytes() != before


def test_a_sandbox_that_could_not_start_what_it_kept_is_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: Any) -> None:
        pass

    async def refused(*_: Any) -> None:
        raise FreeholdError("is damaged", where="ca.crt")

    async def state() -> tuple[str, str]:
        server = Server(Home(tmp_path))
        monkeypatch.setattr(server._table, "start", nothing)
        monkeypatch.setattr(server._clusters, "resume", refused)
        await server._start()
        status = await server._status()
        return status.state, status.failure

    assert asyncio.run(state()) == ("degraded", "ca.crt: is damaged")
