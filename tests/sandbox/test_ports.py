"""Ports: picked, remembered, set, refused."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from errors import FreeholdError
from sandbox.home import Home
from sandbox.processes import control_plane, postgres, redis
from sandbox.processes.aws.spec import aws, aws_endpoint
from sandbox.processes.control_plane import ControlPlane, api_server
from sandbox.processes.postgres import PostgresServer
from sandbox.processes.redis import RedisServer
from sandbox.processes.site import Site
from sandbox.supervisor.definitions import CacheDefinition, DatabaseDefinition
from sandbox.supervisor.ports import Ports, is_free


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which another program listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_port_is_remembered_and_no_two_processes_share_one(tmp_path: Path) -> None:
    ports = Ports(tmp_path / "ports.json", {})
    first, second = ports.assign("one"), ports.assign("two")
    assert first != second
    assert is_free(first)
    assert Ports(tmp_path / "ports.json", {}).assign("one") == first


def test_processes_that_ask_at_once_get_different_ports(tmp_path: Path) -> None:
    ports = Ports(tmp_path / "ports.json", {})
    with ThreadPoolExecutor(16) as pool:
        given = list(pool.map(lambda number: ports.assign(f"p{number}"), range(64)))
    assert len(set(given)) == 64
    assert Ports(tmp_path / "ports.json", {}).assign("p63") == given[63]


def test_two_sandboxes_start_their_search_at_different_places(tmp_path: Path) -> None:
    assert Ports(tmp_path / "a.json", {}).assign("one") != Ports(tmp_path / "b.json", {}).assign("one")


def test_a_variable_sets_the_first_ones_port_and_later_ones_get_free_ports(tmp_path: Path) -> None:
    ports = Ports(tmp_path / "ports.json", {"FREEHOLD_POSTGRES_PORT": "25432"})
    assert ports.assign("postgres-a", "FREEHOLD_POSTGRES_PORT") == 25432
    assert ports.assign("postgres-b", "FREEHOLD_POSTGRES_PORT") != 25432
    assert ports.assign("postgres-a", "FREEHOLD_POSTGRES_PORT") == 25432


def test_the_first_of_each_kind_of_server_takes_its_documented_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docs/fidelity.md, "Ports and users"; where a server is looked for and where it listens are the same."""
    wanted = {"AWS": 25001, "KUBERNETES": 25002, "POSTGRES": 25003, "REDIS": 25004}
    home = Home(tmp_path / "home")
    home.data.mkdir(parents=True)
    variables = {f"FREEHOLD_{name}_PORT": str(port) for name, port in wanted.items()}
    site = Site(home, Ports(home.data / "ports.json", variables))
    for module in (control_plane, postgres, redis):
        monkeypatch.setattr(module, "locate", Path)  # no server is started
    plane = ControlPlane.of(site, "first", "https://issuer")
    database = PostgresServer(
        site, DatabaseDefinition(name="first", username="u", password="p", database="d", parameters={}), tmp_path
    )
    cache = RedisServer(site, CacheDefinition(name="first", parameters={}, supervisor_password="p", users={}), tmp_path)
    specs = (aws(site), api_server(plane, tmp_path / "webhook"), database.spec(), cache.spec())
    assert dict(zip(wanted, (spec.port for spec in specs), strict=True)) == wanted
    looked_for = (urlsplit(aws_endpoint(site)).port, plane.port, database.port, cache.port)
    assert dict(zip(wanted, looked_for, strict=True)) == wanted


def test_a_taken_port_is_one_line_with_the_mend(tmp_path: Path, taken: int) -> None:
    ports = Ports(tmp_path / "ports.json", {"FREEHOLD_AWS_PORT": str(taken)})
    ports.assign("moto", "FREEHOLD_AWS_PORT")
    with pytest.raises(FreeholdError) as caught:
        ports.require_free("moto", "FREEHOLD_AWS_PORT")
    assert caught.value.line() == (
        f"moto: port {taken} of 127.0.0.1 is taken; end the program that holds it, "
        "or set FREEHOLD_AWS_PORT to a free port"
    )


@pytest.mark.parametrize("value", ["0", "65536", "-1", "http", "80.0", "²"])
def test_what_is_no_port_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(FreeholdError, match=r"^FREEHOLD_AWS_PORT: .* is no port; set a number from 1 to 65535"):
        Ports(tmp_path / "ports.json", {"FREEHOLD_AWS_PORT": value}).assign("moto", "FREEHOLD_AWS_PORT")


def test_a_port_on_another_address_is_no_hindrance(tmp_path: Path) -> None:
    """Servers listen on 127.0.0.1 alone; what listens on another address of the machine is not in their way."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.2", 0))
        listener.listen()
        assert is_free(listener.getsockname()[1])


def test_a_port_is_none_that_the_kernel_gives_to_clients(tmp_path: Path) -> None:
    """A client's own port must never take the place of a server's that is about to start again."""
    first, _ = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    ports = Ports(tmp_path / "ports.json", {})
    assert all(1024 < ports.assign(f"p{number}") < min(first, 32768) for number in range(8))


def test_a_port_that_is_forgotten_is_forgotten_for_good(tmp_path: Path) -> None:
    ports = Ports(tmp_path / "ports.json", {})
    kept = ports.assign("kept")
    ports.assign("gone")
    ports.forget("gone")
    for now in (ports, Ports(tmp_path / "ports.json", {})):
        assert (now.get("kept"), now.get("gone")) == (kept, None)


def test_who_is_asked_where_it_is_takes_another_place_than_one_that_is_taken(tmp_path: Path, taken: int) -> None:
    """A runner that a crash ended may find another program there when it is started again."""
    ports = Ports(tmp_path / "ports.json", {"FREEHOLD_RUNNER_PORT": str(taken)})
    ports.assign("runner-sandbox", "FREEHOLD_RUNNER_PORT")
    ports.leave_taken("runner-sandbox")
    assert ports.get("runner-sandbox") is None
    given = ports.assign("runner-sandbox")
    ports.require_free("runner-sandbox")
    ports.leave_taken("runner-sandbox")  # nobody is there: it keeps it
    assert (ports.get("runner-sandbox"), given == taken) == (given, False)
    ports.leave_taken("never-heard-of")
