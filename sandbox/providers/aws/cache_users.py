"""ElastiCache users and user groups, which are the access lists of the sandbox's real Redis servers.

ElastiCache never tells a password again, so the stand-in keeps what each user was given in the sandbox's own store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from threading import RLock
from typing import Any

from sandbox.providers.aws import tagging
from sandbox.providers.aws.api import ApiError
from sandbox.providers.aws.context import Context
from sandbox.providers.aws.table import AwsType, Call, Read, Tags, page, same
from sandbox.providers.interface import CheckFailure, Properties
from sandbox.providers.typed import Kind, matches
from sandbox.supervisor.messages import CacheUser

_TAGS = Tags(
    "add_tags_to_resource",
    "remove_tags_from_resource",
    {"ResourceName": "{arn}"},
    in_create="Tags",
    read="TagList",
    read_operation="list_tags_for_resource",
)
_USER = "aws:elasticache/user:User"
_GROUP_GONE = ("UserGroupNotFoundFault", "UserGroupNotFound")
_EVERYTHING = "on ~* &* +@all"
# A server is given its complete set of users: who reads the members must be who sets them.
_setting = RLock()


def set_users(context: Context, cache: str, group: Mapping[str, Any]) -> None:
    """Gives a replication group's server the users that its properties say: user groups, an AUTH token, or anybody."""
    if group.get("userGroupIds"):
        with _setting:
            members = {user for name in group["userGroupIds"] for user in _members(context, name)}
            # All at once: to ask for each one would make a cell's hundredth tenant cost a hundred calls.
            users = sorted(
                context.api.all("elasticache", "describe_users", "Users"), key=lambda one: str(one["UserId"])
            )
            let_in = [_cache_user(context, one) for one in users if one["UserId"] in members]
            context.supervisor.set_cache_users(cache, let_in)
    elif group.get("authToken"):
        only = CacheUser(name="default", passwords=(group["authToken"],), access_string=_EVERYTHING)
        context.supervisor.set_cache_users(cache, [only])
    else:
        anybody = CacheUser(name="default", access_string=_EVERYTHING, no_password_required=True)
        context.supervisor.set_cache_users(cache, [anybody])


def _members(context: Context, group: str) -> list[str]:
    found = context.api.call("elasticache", "describe_user_groups", UserGroupId=group)
    return list(found["UserGroups"][0]["UserIds"])


def _cache_user(context: Context, described: Mapping[str, Any]) -> CacheUser:
    record = context.recorded.get(_USER, described["UserId"])
    given = dict(record.inputs) if record else {}
    mode = given.get("authenticationMode") or {}
    access = str(described["AccessString"])
    return CacheUser(
        name=described["UserName"],
        passwords=tuple(given.get("passwords") or mode.get("passwords") or ()),
        access_string=access,
        enabled="off" not in access.split(),
        no_password_required=bool(given.get("noPasswordRequired") or mode.get("type") == "no-password-required"),
    )


def _follow(context: Context, groups: Iterable[str]) -> None:
    """Brings the servers of every replication group that uses one of these user groups up to date."""
    wanted = set(groups)
    for cache in context.api.all("elasticache", "describe_replication_groups", "ReplicationGroups"):
        used = cache.get("UserGroupIds") or []
        name = cache["ReplicationGroupId"]
        if wanted & set(used) and cache.get("Status") != "deleting" and context.supervisor.cache(name):
            set_users(context, name, {"userGroupIds": used})


def _groups_of(context: Context, user: str) -> list[str]:
    groups = context.api.all("elasticache", "describe_user_groups", "UserGroups")
    return [group["UserGroupId"] for group in groups if user in group["UserIds"]]


def _remember(context: Context) -> None:
    context.recorded.put(_USER, context.id, context.resource.urn, context.inputs, {})
    _follow(context, _groups_of(context, context.id))


def _modify_user(context: Context, changed: frozenset[str]) -> None:
    if changed & {"accessString", "passwords", "noPasswordRequired", "authenticationMode"}:
        request: dict[str, Any] = {"UserId": context.id, "AccessString": context.inputs["accessString"]}
        request.update(_authentication(context.inputs))
        context.call("modify_user", **request)
    _remember(context)


def _authentication(inputs: Mapping[str, Any]) -> dict[str, Any]:
    if inputs.get("authenticationMode"):
        mode = inputs["authenticationMode"]
        return {
            "AuthenticationMode": {
                "Type": mode["type"],
                **({"Passwords": list(mode["passwords"])} if mode.get("passwords") else {}),
            }
        }
    if inputs.get("noPasswordRequired"):
        return {"NoPasswordRequired": True}
    return {"Passwords": list(inputs["passwords"])} if inputs.get("passwords") else {}


def _create_user(context: Context) -> str:
    inputs = context.inputs
    answer = context.call(
        "create_user",
        UserId=inputs["userId"],
        UserName=inputs["userName"],
        Engine=inputs["engine"],
        AccessString=inputs["accessString"],
        **_authentication(inputs),
        **tagging.create_parameters(context),
    )
    return str(answer["UserId"])


def _delete_user(context: Context) -> None:
    """What it was given is forgotten with it, and not before: a refused deletion leaves a user that can log in."""
    groups = _groups_of(context, context.id)
    context.delete("delete_user", UserId=context.id)
    context.recorded.delete(_USER, context.id)
    _follow(context, groups)


def _passwords(inputs: Properties) -> Iterable[CheckFailure]:
    """Source: https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateUser.html"""
    mode = inputs.get("authenticationMode")
    passwords, free = inputs.get("passwords"), inputs.get("noPasswordRequired")
    ways = [
        name
        for name, value in (("passwords", passwords), ("noPasswordRequired", free), ("authenticationMode", mode))
        if value
    ]
    if len(ways) > 1:
        yield CheckFailure(ways[0], f"`{ways[0]}` conflicts with `{ways[1]}`")
    if not ways:
        yield CheckFailure("passwords", "one of passwords, noPasswordRequired and authenticationMode is required")
    listed = passwords if isinstance(passwords, list) else mode.get("passwords") if isinstance(mode, dict) else None
    where = "passwords" if isinstance(passwords, list) else "authenticationMode.passwords"
    if isinstance(listed, list) and len(listed) > 2:
        yield CheckFailure(where, "a user has at most 2 passwords")
    for index, password in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(password, str) and not 16 <= len(password) <= 128:
            yield CheckFailure(f"{where}[{index}]", "has to have 16 to 128 characters")


USER = AwsType(
    token=_USER,
    kind=Kind.LIVE,
    documentation=page("elasticache/user"),
    note="The access list of the real servers follows at once",
    service="elasticache",
    id_form="{userId}",
    replace_on=frozenset({"userId", "userName"}),
    secret_outputs=frozenset({"passwords"}),
    sets=frozenset({"passwords"}),
    rules=(
        _passwords,
        matches("userId", r"[a-zA-Z][a-zA-Z0-9-]{0,39}", "1 to 40 letters, digits and hyphens, a letter first"),
    ),
    hooked=frozenset(
        {"userId", "userName", "engine", "accessString", "passwords", "noPasswordRequired", "authenticationMode"}
    ),
    create_hook=_create_user,
    after_create=_remember,
    reads=(
        Read(
            "describe_users",
            {"UserId": "{id}"},
            "Users[0]",
            {
                "userId": "UserId", "userName": "UserName", "engine": "Engine", "accessString": "AccessString",
                "arn": "ARN",
            },
        ),
    ),
    after_update=_modify_user,
    delete_hook=_delete_user,
    missing=("UserNotFoundFault", "UserNotFound"),
    tags=_TAGS,
    computed_outputs={"arn": "arn:{partition}:elasticache:{region}:{account}:user:{id}"},
    operations=("create_user", "modify_user", "delete_user", "describe_user_groups", "describe_replication_groups"),
)  # fmt: skip


def _change_members(context: Context, group: str, add: set[str], remove: set[str]) -> None:
    difference = {"UserIdsToAdd": sorted(add), "UserIdsToRemove": sorted(remove)}
    if add or remove:
        context.call("modify_user_group", UserGroupId=group, **{name: ids for name, ids in difference.items() if ids})


def _modify_group(context: Context, changed: frozenset[str]) -> None:
    if "userIds" in changed:
        before, wanted = set(_members(context, context.id)), set(context.inputs.get("userIds") or [])
        _change_members(context, context.id, wanted - before, before - wanted)
    _follow(context, [context.id])


USER_GROUP = AwsType(
    token="aws:elasticache/userGroup:UserGroup",
    kind=Kind.LIVE,
    documentation=page("elasticache/usergroup"),
    service="elasticache",
    create=Call("create_user_group", same("userGroupId", "engine", "userIds")),
    id_form="{userGroupId}",
    replace_on=frozenset({"userGroupId", "engine"}),
    sets=frozenset({"userIds"}),
    reads=(
        Read(
            "describe_user_groups",
            {"UserGroupId": "{id}"},
            "UserGroups[0]",
            {"userGroupId": "UserGroupId", "engine": "Engine", "userIds": "UserIds", "arn": "ARN"},
        ),
    ),
    hooked=frozenset({"userIds"}),
    after_update=_modify_group,
    delete=Call("delete_user_group", fixed={"UserGroupId": "{id}"}),
    missing=_GROUP_GONE,
    tags=_TAGS,
    computed_outputs={"arn": "arn:{partition}:elasticache:{region}:{account}:usergroup:{id}"},
    operations=("modify_user_group", "describe_users", "describe_replication_groups"),
)


def _read_membership(context: Context) -> dict[str, Any] | None:
    group, user = context.value("userGroupId"), context.value("userId")
    try:
        members = _members(context, group)
    except ApiError as error:
        if error.code in _GROUP_GONE:
            return None
        raise
    return {"userGroupId": group, "userId": user} if user in members else None


def _join(context: Context) -> str:
    group, user = context.inputs["userGroupId"], context.inputs["userId"]
    _change_members(context, group, {user}, set())
    return f"{group},{user}"


def _let_in(context: Context) -> None:
    """Apart from the membership, which is made by then: a server that is not told now is told by the next update."""
    _follow(context, [context.value("userGroupId")])


def _leave(context: Context) -> None:
    group, user = context.value("userGroupId"), context.value("userId")
    if user in _members(context, group):
        _change_members(context, group, set(), {user})
    _follow(context, [group])


USER_GROUP_ASSOCIATION = AwsType(
    token="aws:elasticache/userGroupAssociation:UserGroupAssociation",
    kind=Kind.LIVE,
    documentation=page("elasticache/usergroupassociation"),
    service="elasticache",
    id_form="{userGroupId},{userId}",
    probe=True,
    replace_on=frozenset({"userGroupId", "userId"}),
    hooked=frozenset({"userGroupId", "userId"}),
    create_hook=_join,
    after_create=_let_in,
    read_hook=_read_membership,
    after_update=lambda context, _: _let_in(context),
    delete_hook=_leave,
    missing=_GROUP_GONE,
    operations=("modify_user_group", "describe_user_groups", "describe_users", "describe_replication_groups"),
)

TYPES = (USER, USER_GROUP, USER_GROUP_ASSOCIATION)
