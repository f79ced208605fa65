"""From an id back to what it names.

The provider joins names by underscores, which names may hold as well. The catalogs tell which reading is meant; an id
with two readings is refused. (The provider itself imports no grants; here it is what resolves the creations that a
killed engine left pending.)
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from sandbox.providers.interface import ProviderError
from sandbox.providers.postgresql.kinds import Attributes
from sandbox.providers.postgresql.membership import PUBLIC
from sandbox.providers.postgresql.server import Connection, Server


def grant(server: Server, id: str, types: Collection[str]) -> Attributes | None:
    """`role_database_database`, or `role_database_schema_type` with the objects' names behind it."""
    found: list[Attributes] = []
    for (role, database), rest in _beginnings(id, [_roles(server) | {PUBLIC}, _databases(server)]):
        if rest == "database":
            found.append({"role": role, "database": database, "objectType": "database"})
            continue
        for (schema, kind), tail in _beginnings(rest, [_schemas(server, database), set(types) - {"database"}]):
            base: Attributes = {"role": role, "database": database, "schema": schema, "objectType": kind}
            if not tail:
                found.append(base)
            else:
                names = _objects(server, database, schema)
                found.extend(base | {"objects": list(objects)} for objects in _sequences(tail, names))
    return _only(id, found)


def role_grant(server: Server, id: str) -> Attributes | None:
    """`role_grantRole_true` or `..._false`."""
    roles = _roles(server)
    found: list[Attributes] = [
        {"role": role, "grantRole": granted} for (role, granted), rest in _beginnings(id, [roles, roles])
        if rest in ("true", "false")
    ]  # fmt: skip
    return _only(id, found)


def default_privileges(server: Server, id: str, types: Collection[str]) -> Attributes | None:
    """`role_database_schema_owner_type`, with `noschema` where there is none."""
    found: list[Attributes] = []
    roles = _roles(server)
    for (role, database), rest in _beginnings(id, [roles | {PUBLIC}, _databases(server)]):
        schemas = _schemas(server, database) | {"noschema"}
        for (schema, owner, kind), tail in _beginnings(rest, [schemas, roles, set(types)]):
            if not tail:
                base: Attributes = {"role": role, "database": database, "owner": owner, "objectType": kind}
                found.append(base if schema == "noschema" else base | {"schema": schema})
    return _only(id, found)


def _beginnings(text: str, choices: Sequence[Collection[str]]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each way to read the beginning of `text` as one name out of each choice, and what is left behind it."""
    if not choices:
        yield (), text
        return
    for choice in choices[0]:
        if text == choice and len(choices) == 1:
            yield (choice,), ""
        elif text.startswith(choice + "_"):
            for names, rest in _beginnings(text[len(choice) + 1 :], choices[1:]):
                yield (choice, *names), rest


def _sequences(text: str, names: Collection[str]) -> Iterator[tuple[str, ...]]:
    """Each way to read `text` as names joined by underscores."""
    for name in names:
        if text == name:
            yield (name,)
        elif text.startswith(name + "_"):
            yield from ((name, *others) for others in _sequences(text[len(name) + 1 :], names))


def _only(id: str, found: Sequence[Attributes]) -> Attributes | None:
    if len(found) > 1:
        raise ProviderError(f"{id!r} can be read in {len(found)} ways: names with underscores make it ambiguous")
    return found[0] if found else None


def _roles(server: Server) -> set[str]:
    return server.read(lambda connection: _column(connection, "SELECT rolname FROM pg_roles"))


def _databases(server: Server) -> set[str]:
    return server.read(lambda connection: _column(connection, "SELECT datname FROM pg_database WHERE datallowconn"))


def _schemas(server: Server, database: str) -> set[str]:
    return server.read(lambda connection: _column(connection, "SELECT nspname FROM pg_namespace"), database)


def _objects(server: Server, database: str, schema: str) -> set[str]:
    query = (
        "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = %(schema)s"
        " UNION SELECT proname FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = %(schema)s"
    )
    return server.read(
        lambda connection: {str(each) for (each,) in connection.execute(query, {"schema": schema})}, database
    )


def _column(connection: Connection, query: str) -> set[str]:
    return {str(value) for (value,) in connection.execute(query)}
