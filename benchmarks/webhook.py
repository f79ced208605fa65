"""Durable receipt of Stripe's events against `pgbench` single-row inserts on the same server.

    python -m benchmarks.webhook [--seconds 4] [--rounds 3] [--connections 16 64] [--processes 1] [--kinds stored]

It starts a sandbox of its own. In each round one after the other, for as long and with as many connections: pgbench
inserts one row with a body as large as an event's a transaction (prepared statements); the webhook, in one process as
in a container, receives events of a type that nothing depends on, then renewals, then plan changes.
Each event is one of its own, signed, and durable when it is answered. Prints events a second and the ratio to pgbench
in the same round, then how long an answer takes at 100 events a second.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import sqlalchemy as sa

from benchmarks import http_load
from catalog.services import Service
from sandbox.stripe_events import Subscription, body_and_headers, event, subscription_event
from sandbox.toolchain import locate
from services.billing import PATH
from tests.service_logins import login
from tests.services.billing import bench
from tests.temporary_sandbox import temporary_sandbox

_GOAL = 0.5
_TENANTS = 2_000

Make = Callable[[int], dict[str, object]]


def ignored(number: int) -> dict[str, object]:
    """An event of a type that nothing depends on, as large as the others."""
    content = Subscription(f"sub_{number}", f"cus_{number}", "chronos-cloud.starter").as_stripe()
    return event("radar.early_fraud_warning.created", content, id=f"evt_i{number}", created=int(time.time()))


def unchanged(number: int) -> dict[str, object]:
    """A renewal: looked up, locked, compared, and nothing to change."""
    subscription = _subscription(number, "starter")
    return subscription_event(
        "updated", subscription, subscription, id=f"evt_e{number}", created=1_760_000_000 + number
    )


def changing(number: int) -> dict[str, object]:
    """To the other of two plans: the tenant's row changes and an operation is asked for."""
    plans = ("starter", "pro") if number // _TENANTS % 2 else ("pro", "starter")
    now, before = (_subscription(number, plan) for plan in plans)
    return subscription_event("updated", now, before, id=f"evt_c{number}", created=1_760_000_000 + number)


def _subscription(number: int, plan: str) -> Subscription:
    """Of one of the tenants, each of which has one."""
    tenant = number % _TENANTS
    return Subscription(f"sub_{tenant}", f"cus_{tenant}", f"chronos-cloud.{plan}", f"t{tenant}")


def requests(make: Make, first: int, count: int) -> list[bytes]:
    """Whole requests, made before the clock runs."""
    made = []
    for number in range(first, first + count):
        body, headers = body_and_headers(make(number), bench.SECRET)
        lines = [f"POST {PATH} HTTP/1.1", "Host: webhook", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        made.append("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    return made


def throughput(ports: Sequence[int], make: Make, first: int, seconds: float, connections: int) -> tuple[float, int]:
    """Events a second, and the number of the next event."""
    guess = requests(make, first, 300)
    began = time.perf_counter()
    http_load.send(ports, guess, connections, None)
    rate = len(guess) / (time.perf_counter() - began)
    prepared = requests(make, first + 300, max(300, int(rate * seconds)))
    began = time.perf_counter()
    http_load.send(ports, prepared, connections, None)
    return len(prepared) / (time.perf_counter() - began), first + 300 + len(prepared)


def pgbench(database: sa.URL, folder: Path, seconds: float, connections: int) -> float:
    """Single-row inserts a second, each a transaction of its own, of a body as large as an event's."""
    event, _ = body_and_headers(unchanged(1), bench.SECRET)
    # Quotes would end the literal, colons begin a variable of pgbench.
    body = event.decode().replace("'", "").replace(":", "").replace("\n", " ").ljust(len(event), ".")
    script = folder / "insert.sql"
    script.write_text(
        "\\set number random(1, 9000000000000)\n"
        f"INSERT INTO inserts (id, payload) VALUES (:number, '{body}') ON CONFLICT (id) DO NOTHING;\n"
    )
    environment = {
        **os.environ,
        "PGPASSWORD": str(database.password),
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": str(database.query["sslrootcert"]),
    }
    command = [str(locate("pgbench")), "-n", "-f", str(script), "-c", str(connections), "-T", str(int(seconds))]
    command += ["-M", "prepared", "-h", str(database.host), "-p", str(database.port), "-U", str(database.username)]
    run = subprocess.run([*command, str(database.database)], env=environment, capture_output=True, text=True)
    if run.returncode != 0:
        raise RuntimeError(run.stderr)
    line = next(line for line in run.stdout.splitlines() if line.startswith("tps = "))
    return float(line.split()[2])


def latency(ports: Sequence[int], make: Make, first: int, seconds: float) -> tuple[str, int]:
    """At 100 events a second, and the number of the next event."""
    prepared = requests(make, first, int(100 * seconds))
    taken = sorted(http_load.send(ports, prepared, 32, 100))
    at = {"median": 0.5, "95 %": 0.95, "99 %": 0.99}
    shown = ", ".join(f"{name} {taken[int(len(taken) * part)] * 1000:.1f} ms" for name, part in at.items())
    return f"{shown}, longest {taken[-1] * 1000:.1f} ms", first + len(prepared)


def _add_tenants(books: bench.Books) -> None:
    for number in range(_TENANTS):
        books.registry.add(bench.wanted(f"t{number}"))


KINDS: Mapping[str, Make] = {"stored": ignored, "renewal": unchanged, "change": changing}


def run(database: sa.URL, folder: Path, asked: argparse.Namespace) -> bool:
    """Whether the goal is met, with each number of connections."""
    stored = []
    with bench.books(database) as books, ExitStack() as stack:
        _add_tenants(books)
        books.execute("CREATE TABLE inserts (id bigint PRIMARY KEY, payload text NOT NULL)")
        own = login(database, Service.BILLING)
        servers = [stack.enter_context(bench.server(own, folder)) for _ in range(asked.processes)]
        ports = [server.port for server in servers]
        following = 0
        for connections in asked.connections:
            ratios: dict[str, list[float]] = {name: [] for name in asked.kinds}
            for number in range(asked.rounds):
                load = os.getloadavg()[0]
                base = pgbench(database, folder, asked.seconds, connections)
                print(f"{connections} connections, round {number + 1}: load {load:.1f}; pgbench {base:,.0f} inserts/s")
                for name, measured in ratios.items():
                    rate, following = throughput(ports, KINDS[name], following, asked.seconds, connections)
                    measured.append(rate / base)
                    print(f"  {name}: {rate:,.0f} events/s, {rate / base:.2f} of pgbench", flush=True)
            for name, measured in ratios.items():
                print(f"{connections} connections, {name}: median {statistics.median(measured):.2f} of pgbench")
            stored.append(statistics.median(ratios.get("stored", [_GOAL])))
        for name in asked.kinds:
            shown, following = latency(ports, KINDS[name], following, asked.seconds)
            print(f"at 100 events/s, {name}: {shown}", flush=True)
    print(f"goal: events stored at least {_GOAL} of pgbench")
    return min(stored) >= _GOAL


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--connections", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--kinds", choices=sorted(KINDS), nargs="+", default=list(KINDS))
    asked = parser.parse_args()
    with temporary_sandbox() as sandbox, tempfile.TemporaryDirectory() as folder:
        made = sandbox.supervisor.create_database("webhook", username="admin", password="right-and-long", database="d")
        database = sa.URL.create(
            "postgresql+psycopg", "admin", "right-and-long", made.host, made.port, made.database,
            query={"sslmode": "verify-full", "sslrootcert": str(made.certificate_authority_path)},
        )  # fmt: skip
        return 0 if run(database, Path(folder), asked) else 1


if __name__ == "__main__":
    sys.exit(main())
