"""Durable receipt of Stripe's events against `pgbench` single-row inserts on the same server.

    python -m benchmarks.webhook [--seconds 8] [--rounds 3] [--connections 16] [--processes 2]

It starts a sandbox of its own. In each round one after the other, for as long and with as many connections: pgbench
inserts one row with an event's body a transaction (prepared statements); the webhook, in as many processes as there are
processors, receives events of a type that nothing depends on, then renewals, then plan changes. Each event is one of
its own, signed, and durable when it is answered. Prints events a second and the ratio to pgbench in the same round,
then how long an answer takes at 100 events a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import sqlalchemy as sa

from sandbox.stripe_events import Subscription, body_and_headers, event, subscription_event
from sandbox.toolchain import locate
from services.billing import PATH
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


async def _send(
    ports: Sequence[int], prepared: Sequence[bytes], connections: int, per_second: float | None
) -> list[float]:
    """Seconds that each answer took; as fast as they are answered, or at a fixed rate whatever the answers do."""
    waiting: Iterator[tuple[int, bytes]] = iter(enumerate(prepared))
    taken: list[float] = []
    began = time.perf_counter()

    async def connection(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", ports[number % len(ports)])
        for index, request in waiting:
            due = time.perf_counter()
            if per_second is not None:
                due = began + index / per_second
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode())
            length = head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
            await reader.readexactly(int(length))
            # From when it was due: an answer that is late delays those behind it, and that counts.
            taken.append(time.perf_counter() - due)
        writer.close()

    await asyncio.gather(*(connection(number) for number in range(connections)))
    return taken


def throughput(ports: Sequence[int], make: Make, first: int, seconds: float, connections: int) -> tuple[float, int]:
    """Events a second, and the number of the next event."""
    guess = requests(make, first, 300)
    began = time.perf_counter()
    asyncio.run(_send(ports, guess, connections, None))
    rate = len(guess) / (time.perf_counter() - began)
    prepared = requests(make, first + 300, max(300, int(rate * seconds)))
    began = time.perf_counter()
    asyncio.run(_send(ports, prepared, connections, None))
    return len(prepared) / (time.perf_counter() - began), first + 300 + len(prepared)


def pgbench(database: sa.URL, folder: Path, seconds: float, connections: int) -> float:
    """Single-row inserts a second, each a transaction of its own, of a body as large as an event's."""
    body = json.dumps(unchanged(1), indent=2).replace("'", "''").replace(":", "")
    script = folder / "insert.sql"
    script.write_text(
        "\\set number random(1, 9000000000000)\n"
        f"INSERT INTO inserts (id, payload) VALUES (:number, '{body}') ON CONFLICT (id) DO NOTHING;\n".replace(
            "\n ", " "
        )
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


def latency(ports: Sequence[int], first: int, seconds: float) -> str:
    """At 100 events a second, each of which changes its tenant."""
    prepared = requests(changing, first, int(100 * seconds))
    taken = sorted(asyncio.run(_send(ports, prepared, 32, 100)))
    at = {"median": 0.5, "95 %": 0.95, "99 %": 0.99}
    shown = ", ".join(f"{name} {taken[int(len(taken) * part)] * 1000:.1f} ms" for name, part in at.items())
    return f"{shown}, longest {taken[-1] * 1000:.1f} ms"


def _add_tenants(books: bench.Books) -> None:
    for number in range(_TENANTS):
        books.registry.add(bench.wanted(f"t{number}"))


def run(database: sa.URL, folder: Path, rounds: int, seconds: float, connections: int, processes: int) -> bool:
    """Whether the goal is met."""
    kinds: dict[str, Make] = {"stored": ignored, "renewal": unchanged, "plan change": changing}
    ratios: dict[str, list[float]] = {name: [] for name in kinds}
    with bench.books(database) as books:
        _add_tenants(books)
        books.execute("CREATE TABLE inserts (id bigint PRIMARY KEY, payload text NOT NULL)")
        with ExitStack() as stack:
            servers = [stack.enter_context(bench.server(database, folder)) for _ in range(processes)]
            ports = [server.port for server in servers]
            following = 0
            for number in range(rounds):
                load = os.getloadavg()[0]
                base = pgbench(database, folder, seconds, connections)
                print(f"round {number + 1}: load {load:.1f}; pgbench {base:,.0f} inserts/s", flush=True)
                for name, make in kinds.items():
                    rate, following = throughput(ports, make, following, seconds, connections)
                    ratios[name].append(rate / base)
                    print(f"  {name}: {rate:,.0f} events/s, {rate / base:.2f} of pgbench", flush=True)
            print(f"at 100 events/s, plan change: {latency(ports, following, seconds)}", flush=True)
    for name, values in ratios.items():
        print(f"{name}: median {statistics.median(values):.2f} of pgbench (goal: at least {_GOAL})")
    return statistics.median(ratios["stored"]) >= _GOAL


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    with temporary_sandbox() as sandbox, tempfile.TemporaryDirectory() as folder:
        made = sandbox.supervisor.create_database("webhook", username="admin", password="right-and-long", database="d")
        database = sa.URL.create(
            "postgresql+psycopg", "admin", "right-and-long", made.host, made.port, made.database,
            query={"sslmode": "verify-full", "sslrootcert": str(made.certificate_authority_path)},
        )  # fmt: skip
        return 0 if run(database, Path(folder), asked.rounds, asked.seconds, asked.connections, asked.processes) else 1


if __name__ == "__main__":
    sys.exit(main())
