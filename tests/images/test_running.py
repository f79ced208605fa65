"""Each image started by its entry point: its own files and packages, and nothing else of this checkout or machine."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from fleet import migrations
from fleet.cloud import client
from sandbox.stripe_events import body_and_headers, plan_change
from sandbox.toolchain import bin_directory
from services.billing import PATH
from tests import plain_http
from tests.free_port import free_port
from tests.images.laid_out import Image
from tests.rehearsal.freehold import until
from tests.services.billing import bench
from tests.services.billing.bench import Books
from tests.temporary_sandbox import Sandbox

pytestmark = pytest.mark.sandbox

_REGION = "us-east-1"


def _variables(image: Image, folder: Path, *tools: Path) -> dict[str, str]:
    """What every container has: nothing of this process' environment."""
    places = [image.binaries, *tools, *os.defpath.split(os.pathsep)]
    return image.variables | {"PATH": os.pathsep.join(map(str, places)), "HOME": str(folder)}


@contextmanager
def _started(
    image: Image, variables: Mapping[str, str], log: Path, *arguments: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Ended at the end, and then nothing of the image has been written."""
    command, before = [*image.command, *arguments], image.files()
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=image.home, env=variables, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
    assert image.files() == before


def _answers(process: subprocess.Popen[bytes], url: str, log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        return plain_http.get(url).status_code == 200
    except httpx.TransportError:
        return False


def _ends(process: subprocess.Popen[bytes], log: Path) -> int:
    """Its exit code, having been told to end."""
    process.send_signal(signal.SIGTERM)
    code = process.wait(60)
    assert "Traceback" not in log.read_text()
    return code


@pytest.fixture
def books(empty_database: sa.URL) -> Iterator[Books]:
    with bench.books(empty_database) as made:
        yield made


def test_the_webhook_takes_an_event_and_ends_when_it_is_told_to(
    image: Callable[[str], Image], books: Books, empty_database: sa.URL, tmp_path: Path
) -> None:
    port, log, made = free_port(), tmp_path / "log", image("webhook")
    told = bench.environment(empty_database, port)
    del told["PYTHONPATH"]
    with _started(made, told | _variables(made, tmp_path), log) as process:
        for path in ("/healthz", "/readyz"):
            until(partial(_answers, process, f"http://127.0.0.1:{port}{path}", log))
        body, headers = body_and_headers(plan_change("acme", bench.PRODUCT.name, "starter", "pro"), bench.SECRET)
        answer = plain_http.post(f"http://127.0.0.1:{port}{PATH}", body, headers)
        assert (answer.status_code, answer.json()["state"]) == (200, "applied")
        # uvicorn raises the signal again once all is answered; the first process of a container outlives that.
        assert _ends(process, log) in (0, -signal.SIGTERM)
    assert books.plan() == "pro"


def test_the_webhook_reads_its_secrets_by_reference(
    image: Callable[[str], Image], sandbox: Sandbox, books: Books, empty_database: sa.URL, tmp_path: Path
) -> None:
    port, log, made = free_port(), tmp_path / "log", image("webhook")
    told = bench.environment(empty_database, port) | _cloud(sandbox)
    for name in ("PYTHONPATH", "DATABASE_URL", "STRIPE_WEBHOOK_SECRET"):
        del told[name]
    told["STRIPE_WEBHOOK_SECRET_ARN"] = _secret(sandbox, bench.SECRET)
    told["DATABASE_SECRET_ARN"] = _secret(sandbox, json.dumps(_record(empty_database)))
    told["PGSSLROOTCERT"] = str(empty_database.query["sslrootcert"])
    with _started(made, told | _variables(made, tmp_path), log) as process:
        until(partial(_answers, process, f"http://127.0.0.1:{port}/readyz", log))


def test_the_notifier_becomes_ready_and_drains(
    image: Callable[[str], Image], sandbox: Sandbox, empty_database: sa.URL, tmp_path: Path
) -> None:
    engine = sa.create_engine(empty_database)
    with engine.begin() as connection:
        migrations.upgrade(connection)
    engine.dispose()
    port, log, made = free_port(), tmp_path / "log", image("notifier")
    sqs = client("sqs", _REGION, sandbox.environment)
    key = "whsec_" + base64.b64encode(b"k" * 32).decode()
    sinks = {"webhook": {"url": "http://127.0.0.1:9/", "secrets": [key]}}
    told = _cloud(sandbox) | {
        "PORT": str(port),
        "NOTIFIER_HOST": "127.0.0.1",
        "NOTIFIER_QUEUE_URL": sqs.create_queue(QueueName=f"q{uuid.uuid4().hex}")["QueueUrl"],
        "NOTIFIER_DEAD_LETTER_QUEUE_URL": sqs.create_queue(QueueName=f"q{uuid.uuid4().hex}")["QueueUrl"],
        "NOTIFIER_TOPIC_ARN": f"arn:aws:sns:{_REGION}:000000000000:alerts",
        "NOTIFIER_DATABASE_SECRET": _secret(sandbox, json.dumps(_record(empty_database))),
        "NOTIFIER_SINKS_SECRET": _secret(sandbox, json.dumps(sinks)),
        "PGSSLROOTCERT": str(empty_database.query["sslrootcert"]),
    }
    with _started(made, told | _variables(made, tmp_path), log) as process:
        for path in ("/healthz", "/readyz"):
            until(partial(_answers, process, f"http://127.0.0.1:{port}{path}", log))
        assert _ends(process, log) == 0
    assert "drained" in log.read_text()


def test_the_runner_knows_its_options(image: Callable[[str], Image], tmp_path: Path) -> None:
    made = image("runner")
    run = subprocess.run(
        [*made.command, "--help"], cwd=made.home, env=_variables(made, tmp_path), capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert "--cell" in run.stdout


def test_the_runner_serves_its_health_without_a_cell_and_ends(image: Callable[[str], Image], tmp_path: Path) -> None:
    """What it does with one: tests/rehearsal/test_cell_runner.py."""
    port, log, made = free_port(), tmp_path / "log", image("runner")
    (tmp_path / "state").mkdir()
    told = _variables(made, tmp_path, bin_directory()) | {
        "FREEHOLD_HOME": str(tmp_path),
        "PULUMI_BACKEND_URL": f"file://{tmp_path}/state",
        "PULUMI_HOME": str(tmp_path / "pulumi"),
        "USER": "runner",
    }
    arguments = ("--cell", "dev", "--target", "cloud", "--host", "127.0.0.1", "--port", str(port))
    with _started(made, told, log, *arguments) as process:
        until(partial(_answers, process, f"http://127.0.0.1:{port}/healthz", log))
        until(lambda: "it has not been built" in log.read_text())
        assert plain_http.get(f"http://127.0.0.1:{port}/readyz").status_code == 503
        assert _ends(process, log) == 0


def test_the_runner_has_the_command_that_logs_in_to_the_cluster(image: Callable[[str], Image], tmp_path: Path) -> None:
    made = image("runner")
    run = subprocess.run(
        ["aws", "--version"], cwd=tmp_path, env=_variables(made, tmp_path), capture_output=True, text=True, check=True
    )
    assert run.stdout.startswith("aws-cli/")


def _cloud(sandbox: Sandbox) -> dict[str, str]:
    return {name: value for name, value in sandbox.environment.items() if name.startswith("AWS_")}


def _secret(sandbox: Sandbox, text: str) -> str:
    secrets = client("secretsmanager", _REGION, sandbox.environment)
    return str(secrets.create_secret(Name=uuid.uuid4().hex, SecretString=text)["ARN"])


def _record(url: sa.URL) -> Mapping[str, object]:
    return {
        "host": url.host,
        "port": url.port,
        "database": url.database,
        "username": url.username,
        "password": url.password,
    }
