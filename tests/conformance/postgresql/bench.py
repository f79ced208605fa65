"""A provider on a real server, and other clients of the same server that see what it did."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from sandbox.providers.interface import CheckFailure, Diff, Found, Properties, Resource
from sandbox.providers.postgresql.provider import PostgresqlProvider
from sandbox.providers.postgresql.table import ROLE

_COUNT = itertools.count(1)
PASSWORD = "correct horse battery staple"


@dataclass
class Made:
    """One resource that a test made."""

    resource: Resource
    id: str
    inputs: Properties
    outputs: Properties


@dataclass
class Bench:
    """`config` is the provider's; its user owns the database and is no superuser, as on RDS."""

    config: Mapping[str, Any]
    environment: Mapping[str, str]
    provider: PostgresqlProvider = field(default_factory=PostgresqlProvider)

    def __post_init__(self) -> None:
        self.provider.configure(self.config, self.environment)

    @property
    def database(self) -> str:
        return str(self.config["database"])

    @contextmanager
    def client(
        self, user: str | None = None, password: str = PASSWORD, database: str | None = None
    ) -> Iterator[psycopg.Connection[Any]]:
        """Another client: the administrator, or whoever is named."""
        with psycopg.connect(
            host=self.config["host"],
            port=self.config["port"],
            user=user or self.config["username"],
            password=password if user else self.config["password"],
            dbname=database or self.database,
            sslmode="verify-ca",
            sslrootcert=self.environment["PGSSLROOTCERT"],
            autocommit=True,
            connect_timeout=10,
        ) as connection:
            yield connection

    def value(self, query: str, *arguments: object, user: str | None = None, database: str | None = None) -> Any:
        """The first column of the first row, as another client sees it; None where there is no row."""
        with self.client(user, database=database) as connection:
            cursor = connection.execute(query.encode(), arguments or None)
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None

    def execute(self, query: str, user: str | None = None, database: str | None = None) -> None:
        with self.client(user, database=database) as connection:
            connection.execute(query.encode())

    def name(self, beginning: str) -> str:
        """A name that no other test has."""
        return f"{beginning}_{next(_COUNT)}"

    def resource(self, token: str, name: str = "thing") -> Resource:
        return Resource(f"urn:pulumi:test::project::{token}::{name}", token, name)

    def checked(self, token: str, inputs: Properties, old: Properties | None = None) -> Properties:
        answer = self.provider.check(self.resource(token), inputs, old, b"seed")
        assert not answer.failures, answer.failures
        return answer.inputs

    def failures(self, token: str, **inputs: Any) -> list[CheckFailure]:
        return list(self.provider.check(self.resource(token), inputs, None, b"seed").failures)

    def make(self, token: str, **inputs: Any) -> Made:
        resource, ready = self.resource(token), self.checked(token, inputs)
        created = self.provider.create(resource, ready, preview=False, timeout=0)
        return Made(resource, created.id, ready, created.outputs)

    def role(self, name: str | None = None, **inputs: Any) -> str:
        """A role that can log in with PASSWORD."""
        made = self.make(ROLE, name=name or self.name("role"), login=True, password=PASSWORD, **inputs)
        return str(made.outputs["name"])

    def read(self, made: Made) -> Found | None:
        return self.provider.read(made.resource, made.id, made.inputs, made.outputs)

    def diff(self, made: Made, **changed: Any) -> Diff:
        new = self.checked(made.resource.type, {**made.inputs, **changed}, made.inputs)
        return self.provider.diff(made.resource, made.id, made.inputs, made.outputs, new)

    def update(self, made: Made, **changed: Any) -> Made:
        """The same resource with other inputs; None takes one away."""
        new = self.checked(made.resource.type, {**made.inputs, **changed}, made.inputs)
        outputs = self.provider.update(made.resource, made.id, made.inputs, made.outputs, new, preview=False, timeout=0)
        return Made(made.resource, made.id, new, outputs)

    def delete(self, made: Made) -> None:
        self.provider.delete(made.resource, made.id, made.inputs, made.outputs, timeout=0)
