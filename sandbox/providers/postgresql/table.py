"""The types of the `postgresql` provider that are served, all of them live."""

from __future__ import annotations

from typing import Final

from sandbox.providers.postgresql import default_privileges, grants
from sandbox.providers.postgresql.databases import Databases
from sandbox.providers.postgresql.default_privileges import DefaultPrivileges
from sandbox.providers.postgresql.grants import Grants
from sandbox.providers.postgresql.kinds import Kind
from sandbox.providers.postgresql.role_grants import RoleGrants
from sandbox.providers.postgresql.roles import Roles
from sandbox.providers.postgresql.schemas import Schemas
from sandbox.providers.typed import Autoname, ResourceType, between
from sandbox.providers.typed import Kind as Fidelity

_DOCUMENTATION: Final = "https://www.pulumi.com/registry/packages/postgresql/api-docs/"
# NAMEDATALEN - 1: https://www.postgresql.org/docs/current/limits.html
_NAME: Final = Autoname("name", limit=63)
_CONNECTIONS: Final = between("connectionLimit", -1, 2**31 - 1)

DATABASE: Final = "postgresql:index/database:Database"
DEFAULT_PRIVILEGES: Final = "postgresql:index/defaultPrivileges:DefaultPrivileges"
GRANT: Final = "postgresql:index/grant:Grant"
GRANT_ROLE: Final = "postgresql:index/grantRole:GrantRole"
ROLE: Final = "postgresql:index/role:Role"
SCHEMA: Final = "postgresql:index/schema:Schema"

TABLE: Final = (
    ResourceType(
        token=DATABASE,
        kind=Fidelity.LIVE,
        documentation=_DOCUMENTATION + "database",
        autoname=_NAME,
        replace_on=frozenset({"template", "encoding", "lcCollate", "lcCtype"}),
        computed=Databases.computed,
        rules=(_CONNECTIONS,),
    ),
    ResourceType(
        token=DEFAULT_PRIVILEGES,
        kind=Fidelity.LIVE,
        documentation=_DOCUMENTATION + "defaultprivileges",
        replace_on=frozenset({"role", "database", "owner", "schema", "objectType", "withGrantOption"}),
        sets=frozenset({"privileges"}),
        rules=(default_privileges.rules,),
    ),
    ResourceType(
        token=GRANT,
        kind=Fidelity.LIVE,
        documentation=_DOCUMENTATION + "grant",
        replace_on=frozenset({"role", "database", "schema", "objectType", "objects", "withGrantOption"}),
        sets=frozenset({"privileges", "objects"}),
        # Not columns, nor foreign data wrappers and servers.
        served=frozenset({"role", "database", "schema", "objectType", "objects", "privileges", "withGrantOption"}),
        rules=(grants.rules,),
    ),
    ResourceType(
        token=GRANT_ROLE,
        kind=Fidelity.LIVE,
        documentation=_DOCUMENTATION + "grantrole",
        replace_on=frozenset({"role", "grantRole", "withAdminOption"}),
    ),
    ResourceType(
        token=ROLE,
        kind=Fidelity.LIVE,
        documentation=_DOCUMENTATION + "role",
        autoname=_NAME,
        sets=frozenset({"roles"}),
        conflicts=(frozenset({"password", "passwordWo"}),),
        rules=(
            _CONNECTIONS,
            between("statementTimeout", 0, 2**31 - 1),
            between("idleInTransactionSessionTimeout", 0, 2**31 - 1),
        ),
    ),
    ResourceType(
        token=SCHEMA,
        kind=Fidelity.LIVE,
        documentation=_DOCUMENTATION + "schema",
        autoname=_NAME,
        replace_on=frozenset({"database"}),
        computed=Schemas.computed,
        # `policies` is deprecated: grants take its place.
        served=frozenset({"name", "database", "owner", "ifNotExists", "dropCascade"}),
    ),
)

KINDS: Final[dict[str, Kind]] = {
    DATABASE: Databases(),
    DEFAULT_PRIVILEGES: DefaultPrivileges(),
    GRANT: Grants(),
    GRANT_ROLE: RoleGrants(),
    ROLE: Roles(),
    SCHEMA: Schemas(),
}
