"""What the servers are told before they start: who may log in and how, where they listen, what nobody may change."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from sandbox.home import Home
from sandbox.processes import control_plane, etcd, postgres, redis
from sandbox.processes.control_plane import ControlPlane, api_server, controller_manager, scheduler
from sandbox.processes.postgres import PostgresServer
from sandbox.processes.redis import RedisServer, acl_lines
from sandbox.processes.site import Site
from sandbox.supervisor.definitions import CacheDefinition, DatabaseDefinition
from sandbox.supervisor.messages import CacheUser, SupervisorError
from sandbox.supervisor.ports import Ports
from sandbox.supervisor.spec import ProcessSpec


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Where no server is started."""
    for module in (control_plane, etcd, postgres, redis):
        monkeypatch.setattr(module, "locate", Path)
    return Site(Home(tmp_path), Ports(tmp_path / "data" / "ports.json", {}))


def database(site: Site, folder: Path, **parameters: str) -> PostgresServer:
    fields = {"name": "one", "username": "keeper", "password": "p4ssword", "database": "tenants"}
    definition = DatabaseDefinition.model_validate({**fields, "parameters": parameters})
    return PostgresServer(site, definition, folder)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_postgres_lets_in_nobody_without_tls_and_its_superuser_by_certificate_alone(site: Site, tmp_path: Path) -> None:
    (tmp_path / "pg").mkdir()
    database(site, tmp_path, work_mem="8MB", application_name="it's").configure()
    rules = (tmp_path / "pg" / "pg_hba.conf").read_text().splitlines()
    assert rules == [  # the first that fits decides
        "hostssl all freehold_supervisor 127.0.0.1/32 cert",
        "hostssl all all 127.0.0.1/32 scram-sha-256",
    ]
    lines = (tmp_path / "pg" / "postgresql.conf").read_text().splitlines()
    settings = dict(line.split(" = ", 1) for line in lines)
    assert settings["listen_addresses"] == "'127.0.0.1'" and settings["unix_socket_directories"] == "''"
    # What a tenant's role is given as a password is kept as a verifier that the rules above take.
    assert (settings["ssl"], settings["password_encryption"]) == ("'on'", "'scram-sha-256'")
    assert (settings["work_mem"], settings["application_name"]) == ("'8MB'", "'it''s'")
    assert mode(tmp_path / "pg" / "server.key") == 0o600


@pytest.mark.parametrize("name", sorted({*postgres._OURS, *postgres._REFUSED}))
def test_what_makes_postgres_safe_and_durable_is_not_a_parameter(name: str) -> None:
    with pytest.raises(SupervisorError, match=f"^parameter {name}: is not for an instance to set$"):
        postgres.applied({name: "off"})


def test_what_would_lose_data_or_reach_files_is_among_them() -> None:
    assert {"fsync", "full_page_writes", "archive_command", "dynamic_library_path", "hba_file"} <= postgres._REFUSED
    assert {"aclfile", "requirepass", "loadmodule", "dir", "appendfsync", "rename-command"} <= redis._REFUSED


@pytest.mark.parametrize("name", [*sorted(redis._REFUSED), "tls-auth-clients", "tls-port"])
def test_what_makes_redis_safe_and_durable_is_not_a_parameter(name: str) -> None:
    with pytest.raises(SupervisorError, match=f"^parameter {name}: is not for a cache to set$"):
        redis.applied({name: "no"})


def test_redis_serves_tls_alone_and_keeps_each_write(site: Site, tmp_path: Path) -> None:
    users = acl_lines([CacheUser(name="acme", passwords=("acme-secret",), access_string="~t:acme:* +@read")])
    definition = CacheDefinition(name="one", parameters={"maxmemory": "1mb"}, supervisor_password="ours", users=users)
    server = RedisServer(site, definition, tmp_path)
    server.configure()
    settings = dict(line.split(" ", 1) for line in (tmp_path / "redis.conf").read_text().splitlines())
    assert (settings["bind"], settings["port"], settings["tls-port"]) == ("127.0.0.1", "0", str(server.port))
    assert (settings["appendonly"], settings["appendfsync"], settings["maxmemory"]) == ("yes", "always", "1mb")
    assert (settings["enable-debug-command"], settings["enable-module-command"]) == ("no", "no")
    # Without its file it would be a server for everybody: the arguments say it once more.
    assert server.spec().command[2:] == ("--bind", "127.0.0.1", "--port", "0")
    acl = (tmp_path / "users.acl").read_text()
    assert "acme-secret" not in acl and "ours" not in acl.replace("resetkeys", "")
    assert acl.splitlines()[-1] == "user default off resetpass resetkeys resetchannels -@all"
    assert {mode(tmp_path / name) for name in ("redis.conf", "users.acl")} == {0o600}


@pytest.mark.parametrize("word", [">new", "<old", f"#{'0' * 64}", f"!{'0' * 64}", "nopass", "resetpass", "reset"])
def test_an_access_string_says_nothing_of_passwords(word: str) -> None:
    with pytest.raises(SupervisorError, match="is not for an access string"):
        acl_lines([CacheUser(name="acme", access_string=f"on ~* {word} +@all")])


def test_a_user_is_nothing_but_what_is_said_of_it() -> None:
    acme = CacheUser(name="acme", passwords=("secret",), access_string="on ~t:* +@read")
    (line,) = acl_lines([acme]).values()
    words = line.split()
    assert words[:4] == ["user", "acme", "reset", "on"] and words[5:] == ["~t:*", "+@read"]
    for off in ({"enabled": False}, {"access_string": "off ~t:* +@read"}):
        assert acl_lines([acme.model_copy(update=off)])["acme"].split()[3] == "off"
    with pytest.raises(SupervisorError, match="is there twice"):
        acl_lines([acme, acme])


def flags(spec: ProcessSpec) -> dict[str, str]:
    return dict(flag.removeprefix("--").split("=", 1) for flag in spec.command[1:])


def test_an_api_server_asks_everybody_who_it_is_and_whether_it_may(site: Site, tmp_path: Path) -> None:
    """https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/"""
    plane = ControlPlane.of(site, "first", "https://issuer")
    told = flags(api_server(plane, tmp_path / "webhook"))
    assert (told["anonymous-auth"], told["authorization-mode"]) == ("false", "Node,RBAC")
    assert told["enable-admission-plugins"] == "NodeRestriction"
    assert told["client-ca-file"] == told["etcd-cafile"] == str(plane.authority.certificate_path)
    assert told["client-ca-file"] != str(site.authority.certificate_path), "another cluster's certificates open it"
    assert "https://issuer" in told["api-audiences"].split(",") and "sts.amazonaws.com" in told["api-audiences"]
    for spec in (api_server(plane, tmp_path / "webhook"), controller_manager(plane), scheduler(plane)):
        assert flags(spec)["bind-address"] == "127.0.0.1"
    for spec in (api_server(plane, tmp_path / "webhook"), controller_manager(plane)):
        assert flags(spec)["profiling"] == "false"


def test_etcd_is_talked_to_by_its_cluster_alone(site: Site) -> None:
    plane = ControlPlane.of(site, "first", "https://issuer")
    told = flags(etcd.etcd(site, "first", plane.authority))
    for prefix in ("", "peer-"):
        assert told[f"{prefix}client-cert-auth"] == "true"
        assert told[f"{prefix}trusted-ca-file"] == str(plane.authority.certificate_path)
    for name in ("listen-client-urls", "listen-peer-urls"):
        assert told[name].startswith("https://127.0.0.1:")
