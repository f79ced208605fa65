"""One tenant's user in a shared Redis."""

from __future__ import annotations

import pulumi
import pulumi_random as random
from pulumi_aws import elasticache

from components import tags
from components.contracts.cache_user import CacheUserArgs

CATEGORIES = ("read", "write", "connection", "transaction", "pubsub")
"""What a tenant needs, in Redis' own groups of commands."""

DENIED_CATEGORIES = ("admin", "dangerous", "scripting")
"""CONFIG, ACL, MONITOR, DEBUG, KEYS, SORT, FLUSHALL, FLUSHDB, SWAPDB, INFO, CLIENT KILL and their kin; EVAL, FUNCTION,
FCALL and SCRIPT: all users wait while one's script runs, which may be for ever, and share libraries and caches."""

DENIED_COMMANDS = ("scan", "randomkey", "dbsize", "pubsub", "lcs", "client")
"""What the categories above still hold and a key pattern does not confine: names of others' keys and channels (CLIENT
TRACKING tells each that is written), and LCS, which holds all users up for a second over two keys of 10 KB."""

ALLOWED_SUBCOMMANDS = ("client|id", "client|info", "client|getname", "client|setname", "client|reply")
"""Of CLIENT, what is about the own connection alone. What later engines add (SETINFO) libraries can do without."""


def access_string(prefix: str) -> str:
    """Access to keys and channels that start with `prefix`, and to no command that sees or changes others'.

    Commands that ElastiCache forbids outright may not be named in an access string, so these are denied by
    category: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Clusters.RBAC.html. Of two rules about a command
    the later one holds.
    """
    rules = [
        "on",
        f"~{prefix}*",
        # A pattern may not follow `allchannels`, which a parameter group could make the default.
        "resetchannels",
        f"&{prefix}*",
        "-@all",
        *(f"+@{category}" for category in CATEGORIES),
        *(f"-@{category}" for category in DENIED_CATEGORIES),
        *(f"-{command}" for command in DENIED_COMMANDS),
        *(f"+{subcommand}" for subcommand in ALLOWED_SUBCOMMANDS),
    ]
    return " ".join(rules)


def closed(prefix: str) -> str:
    """The access string of a user that nobody may log in as.

    Redis asks for `on` at the login alone, and for rights at each command: without them a connection that was there
    before can do nothing either (https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/).
    """
    return f"off ~{prefix}* resetchannels &{prefix}* -@all"


# All tenants of a cell share one user group, which takes one change at a time, each of half a minute and more. The
# provider's own times (5 and 10 minutes) are too short where many tenants change at once:
# https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/elasticache/user_group_association.go
_USER_TIMEOUTS = pulumi.CustomTimeouts(create="20m", update="20m", delete="20m")
MEMBERSHIP_TIMEOUTS = pulumi.CustomTimeouts(create="60m", delete="60m")


class CacheUser(pulumi.ComponentResource):
    """A Redis user with a generated password, confined to one prefix, in the user group of a shared cache."""

    username: str
    password: pulumi.Output[str]

    def __init__(self, name: str, args: CacheUserArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:aws:CacheUser", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        password = random.RandomPassword(f"{name}-password", length=40, special=False, opts=child)
        user = elasticache.User(
            f"{name}-user",
            engine="redis",
            user_id=args.user_id,
            user_name=args.username,
            access_string=closed(args.prefix) if args.suspended else access_string(args.prefix),
            authentication_mode={"type": "password", "passwords": [password.result]},
            tags=tags.aws(args.ownership, name=args.user_id),
            opts=pulumi.ResourceOptions(parent=self, custom_timeouts=_USER_TIMEOUTS),
        )
        membership = elasticache.UserGroupAssociation(
            f"{name}-membership",
            user_group_id=args.user_group,
            user_id=user.user_id,
            opts=pulumi.ResourceOptions(parent=self, custom_timeouts=MEMBERSHIP_TIMEOUTS),
        )
        self.username = args.username
        # Who takes the password can log in: the user is a member by then.
        self.password = pulumi.Output.secret(
            pulumi.Output.all(password.result, membership.id).apply(lambda known: str(known[0]))
        )
        self.register_outputs({"username": self.username})
