"""A tenant of the rehearsal as itself: its own credentials for Kubernetes, Postgres and Redis."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import redis
from psycopg.conninfo import make_conninfo
from redis.backoff import NoBackoff
from redis.retry import Retry

from catalog import identifiers
from fleet.cloud import client
from tests.rehearsal.freehold import Freehold

REGION = "us-east-1"
ONCE = Retry(NoBackoff(), 0)
"""A login that is refused would be tried for seconds."""


@dataclass(frozen=True)
class Tenant:
    """One tenant, as itself: its own credentials and nothing else."""

    id: str
    built: Freehold
    connections: dict[str, str]
    kubeconfig: Path

    @property
    def namespace(self) -> str:
        return identifiers.namespace(self.id, "default")

    @property
    def schema(self) -> str:
        return identifiers.postgres_name(self.id)

    @property
    def key(self) -> str:
        return f"{identifiers.redis_prefix(self.id)}probe"

    @property
    def objects(self) -> str:
        return identifiers.object_prefix(self.id)

    def kubectl(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """As the tenant's own ServiceAccount."""
        return subprocess.run(
            ["kubectl", "--kubeconfig", str(self.kubeconfig), *arguments], env=self.built.variables, text=True,
            input=given, capture_output=True, timeout=60)  # fmt: skip

    def postgres(self, **elsewhere: str | int) -> psycopg.Connection[tuple[Any, ...]]:
        """As itself, to its own database, or `elsewhere` by libpq's keywords: dbname, host, port."""
        url = self.connections["DATABASE_URL"].replace("sslmode=require", "sslmode=verify-full")
        authority = self.built.variables["PGSSLROOTCERT"]
        given = make_conninfo(url, **{"sslrootcert": authority, **elsewhere})
        return psycopg.connect(given, autocommit=True)

    def redis(self) -> redis.Redis:
        authority = self.built.variables["PGSSLROOTCERT"]
        return redis.Redis.from_url(
            self.connections["REDIS_URL"], ssl_ca_certs=authority, decode_responses=True, retry=ONCE
        )


def log_in(built: Freehold, tenant: str, folder: Path) -> Tenant:
    """With what the tenant's programs are given; `folder` is for its kubeconfig."""
    variables = built.variables
    output = built.state(f"tenant.sandbox.{tenant}").outputs["tenant"]
    secret = client("secretsmanager", REGION, variables).get_secret_value(SecretId=output["connections"])
    namespace = identifiers.namespace(tenant, "default")
    token = built.by_hand(f"kubectl -n {namespace} create token workload").stdout.strip()
    assert token
    view = json.loads(built.by_hand("kubectl config view --minify --raw -o json").stdout)
    view["users"] = [{"name": tenant, "user": {"token": token}}]
    view["contexts"][0]["context"]["user"] = tenant
    path = folder / f"{tenant}.kubeconfig"
    path.write_text(json.dumps(view))
    path.chmod(0o600)
    return Tenant(tenant, built, json.loads(secret["SecretString"]), path)
