"""What moto's ElastiCache lacks: user groups, changing a user, and deletions that end and take tags along.

https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import moto.elasticache.urls as urls
from moto.core.responses import ActionResult, EmptyResult
from moto.elasticache.exceptions import (
    CacheSubnetGroupNotFound,
    ElastiCacheException,
    PasswordTooShort,
    ReplicationGroupNotFound,
    UserNotFound,
)
from moto.elasticache.models import ElastiCacheBackend, ReplicationGroup, User
from moto.elasticache.responses import ElastiCacheResponse

_PASSWORD_LENGTHS = range(16, 129)


class _Refused(ElastiCacheException):
    """`_Refused(code, message)`: a code of the service's model."""


@dataclass
class _UserGroup:
    id: str
    arn: str
    engine: str
    users: list[str]
    tags: list[dict[str, str]] = field(default_factory=list)


class ElastiCacheOperations(ElastiCacheResponse):
    """moto's operations and these; a deletion takes effect at once, where moto shows `deleting` for good."""

    def create_user_group(self) -> ActionResult:
        name, engine = self._get_param("UserGroupId"), str(self._get_param("Engine")).lower()
        users = self._get_param("UserIds", [])
        if name in self._groups:
            raise _Refused("UserGroupAlreadyExists", f"User Group {name} already exists.")
        self._require_valid(users, engine)
        arn = f"arn:{self.partition}:elasticache:{self.region}:{self.current_account}:usergroup:{name}"
        group = _UserGroup(name, arn, engine, list(users), list(self._get_param("Tags", [])))
        self._groups[name] = group
        return ActionResult(self._described(group))

    def describe_user_groups(self) -> ActionResult:
        name = self._get_param("UserGroupId")
        groups = [self._group(name)] if name else list(self._groups.values())
        return ActionResult({"UserGroups": [self._described(group) for group in groups]})

    def modify_user_group(self) -> ActionResult:
        group = self._group(self._get_param("UserGroupId"))
        added, removed = self._get_param("UserIdsToAdd", []), self._get_param("UserIdsToRemove", [])
        users = [user for user in group.users if user not in removed]
        users += [user for user in added if user not in users]
        self._require_valid(users, group.engine)
        group.users = users
        return ActionResult(self._described(group))

    def delete_user_group(self) -> ActionResult:
        group = self._group(self._get_param("UserGroupId"))
        if used := self._replication_groups(group):
            raise _Refused("InvalidUserGroupState", f"User Group {group.id} is in use by {', '.join(used)}.")
        del self._groups[group.id]
        return ActionResult({**self._described(group), "Status": "deleting"})

    def modify_user(self) -> ActionResult:
        user = self._user(self._get_param("UserId"))
        mode = self._get_param("AuthenticationMode") or {}
        passwords = self._get_param("Passwords") or mode.get("Passwords")
        no_password = self._get_bool_param("NoPasswordRequired") or mode.get("Type") == "no-password-required"
        if passwords and no_password:
            raise _Refused("InvalidParameterCombination", "Passwords and no-password-required exclude each other.")
        if passwords:
            if any(len(password) not in _PASSWORD_LENGTHS for password in passwords):
                raise PasswordTooShort
            user.passwords, user.no_password_required, user.authentication_type = list(passwords), False, "password"
        elif no_password:
            user.passwords, user.no_password_required, user.authentication_type = [], True, "no-password"
        if access_string := self._get_param("AccessString"):
            user.access_string = access_string
        elif appended := self._get_param("AppendAccessString"):
            user.access_string = f"{user.access_string} {appended}"
        return ActionResult(self._with_groups(user))

    def describe_users(self) -> ActionResult:
        name = self._get_param("UserId")
        users = [self._user(name)] if name else list(self._backend.users.values())
        return ActionResult({"Users": [self._with_groups(user) for user in users]})

    def delete_user(self) -> ActionResult:
        user = self._user(self._get_param("UserId"))
        if user.id == "default":
            raise _Refused("InvalidParameterValue", "The default user cannot be deleted.")
        used = [group.id for group in self._groups.values() if user.id in group.users]
        if user.name == "default" and used:
            what = f"User {user.id} is the default user of {', '.join(used)}, which would be left without one."
            raise _Refused("DefaultUserAssociatedToUserGroup", what)
        del self._backend.users[user.id]
        for group in self._groups.values():
            group.users = [one for one in group.users if one != user.id]
        self._forget_tags(user.arn)
        user.status = "deleting"
        return ActionResult(user)

    def modify_replication_group(self) -> ActionResult:
        result = super().modify_replication_group()
        group = self._backend.replication_groups[self._get_param("ReplicationGroupId")]
        added, removed = self._get_param("UserGroupIdsToAdd", []), self._get_param("UserGroupIdsToRemove", [])
        for name in added:
            self._group(name)
        kept = [name for name in group.user_group_ids if name not in removed]
        group.user_group_ids = kept + [name for name in added if name not in kept]
        for parameter, attribute in (
            ("SecurityGroupIds", "security_group_ids"),
            ("EngineVersion", "engine_version"),
            ("CacheParameterGroupName", "cache_parameter_group_name"),
            ("SnapshotWindow", "snapshot_window"),
            ("PreferredMaintenanceWindow", "preferred_maintenance_window"),
            ("NotificationTopicArn", "notification_topic_arn"),
        ):
            if (value := self._get_param(parameter)) is not None:
                setattr(group, attribute, value)
        return result

    def increase_replica_count(self) -> ActionResult:
        return self._set_replicas(self._get_int_param("NewReplicaCount"))

    def decrease_replica_count(self) -> ActionResult:
        return self._set_replicas(self._get_int_param("NewReplicaCount"))

    def delete_replication_group(self) -> ActionResult:
        result = super().delete_replication_group()
        gone = self._backend.replication_groups.pop(self._get_param("ReplicationGroupId"))
        self._forget_tags(gone.arn)
        return result

    def delete_cache_cluster(self) -> ActionResult:
        result = super().delete_cache_cluster()
        gone = self._backend.cache_clusters.pop(self._get_param("CacheClusterId"))
        self._forget_tags(gone.arn)
        return result

    def modify_cache_subnet_group(self) -> ActionResult:
        group = self._subnet_group()
        # moto works the subnets' zones out when a group is made: make it anew with what changed.
        changed = self._backend.create_cache_subnet_group
        del self._backend.cache_subnet_groups[group.cache_subnet_group_name]
        try:
            made = changed(
                cache_subnet_group_name=group.cache_subnet_group_name,
                cache_subnet_group_description=self._get_param(
                    "CacheSubnetGroupDescription", group.cache_subnet_group_description
                ),
                subnet_ids=self._get_param("SubnetIds", group.subnet_ids),
                tags=group.tags,
            )
        except Exception:
            self._backend.cache_subnet_groups[group.cache_subnet_group_name] = group
            raise
        return ActionResult({"CacheSubnetGroup": made})

    def delete_cache_subnet_group(self) -> ActionResult:
        name = self._subnet_group().cache_subnet_group_name
        if any(group.cache_subnet_group_name == name for group in self._backend.replication_groups.values()):
            raise _Refused("CacheSubnetGroupInUse", f"Cache subnet group {name} is in use by a replication group.")
        gone = self._backend.cache_subnet_groups.pop(name)
        self._forget_tags(gone.arn)
        return EmptyResult()

    def list_tags_for_resource(self) -> ActionResult:
        group = self._group_by_arn()
        return ActionResult({"TagList": group.tags}) if group else super().list_tags_for_resource()

    def add_tags_to_resource(self) -> ActionResult:
        group = self._group_by_arn()
        if group is None:
            return super().add_tags_to_resource()
        new = self._get_param("Tags", [])
        keys = {tag["Key"] for tag in new}
        group.tags = [tag for tag in group.tags if tag["Key"] not in keys] + list(new)
        return ActionResult({"TagList": group.tags})

    def remove_tags_from_resource(self) -> ActionResult:
        group = self._group_by_arn()
        if group is None:
            return super().remove_tags_from_resource()
        keys = self._get_param("TagKeys", [])
        group.tags = [tag for tag in group.tags if tag["Key"] not in keys]
        return ActionResult({"TagList": group.tags})

    def _forget_tags(self, arn: str) -> None:
        """moto keeps them, and the next one of the name would have them."""
        self._backend.tagging_service.delete_all_tags_for_resource(arn)

    def _set_replicas(self, count: int) -> ActionResult:
        """Of a group without shards, as NewReplicaCount of the operations means it: the primary is one more."""
        name = self._get_param("ReplicationGroupId")
        if name not in self._backend.replication_groups:
            raise ReplicationGroupNotFound(name)
        group = self._backend.replication_groups[name]
        (node_group,) = group.node_groups
        members = node_group["node_group_members"]
        del members[count + 1 :], group.member_clusters[count + 1 :]
        while len(members) <= count:
            cluster = f"{name}-{len(members) + 1:0>3}"
            members.append({**members[-1], "cache_cluster_id": cluster, "current_role": "replica"})
            group.member_clusters.append(cluster)
        return ActionResult({"ReplicationGroup": group})

    @property
    def _backend(self) -> ElastiCacheBackend:
        return self.elasticache_backend

    @property
    def _groups(self) -> dict[str, _UserGroup]:
        groups: dict[str, _UserGroup] = vars(self._backend).setdefault("freehold_user_groups", {})
        return groups

    def _group(self, name: str) -> _UserGroup:
        if name not in self._groups:
            raise _Refused("UserGroupNotFound", f"User Group {name} not found.")
        return self._groups[name]

    def _group_by_arn(self) -> _UserGroup | None:
        arn = self._get_param("ResourceName")
        return next((group for group in self._groups.values() if group.arn == arn), None)

    def _user(self, name: str) -> User:
        if name not in self._backend.users:
            raise UserNotFound(name)
        return self._backend.users[name]

    def _subnet_group(self) -> Any:
        name = self._get_param("CacheSubnetGroupName")
        if name not in self._backend.cache_subnet_groups:
            raise CacheSubnetGroupNotFound(name)
        return self._backend.cache_subnet_groups[name]

    def _require_valid(self, users: list[str], engine: str) -> None:
        names = [self._user(user).name for user in users]
        if len(set(names)) < len(names):
            raise _Refused("DuplicateUserName", "The user group holds two users of the same name.")
        # Valkey groups need no default user; Redis OSS groups do.
        if engine == "redis" and "default" not in names:
            raise _Refused("DefaultUserRequired", "A user group needs a user whose name is default.")

    def _replication_groups(self, group: _UserGroup) -> list[str]:
        return [name for name, one in self._backend.replication_groups.items() if group.id in one.user_group_ids]

    def _with_groups(self, user: User) -> User:
        user.user_group_ids = [group.id for group in self._groups.values() if user.id in group.users]
        return user

    def _described(self, group: _UserGroup) -> dict[str, Any]:
        return {
            "UserGroupId": group.id,
            "Status": "active",
            "Engine": group.engine,
            "UserIds": group.users,
            "MinimumEngineVersion": "6.0",
            "ReplicationGroups": self._replication_groups(group),
            "ARN": group.arn,
        }


def _all_members(make: Callable[..., None]) -> Callable[..., None]:
    """moto makes one cluster where NumCacheClusters asks for more."""

    def made(group: ReplicationGroup, *, num_cache_clusters: int, **rest: Any) -> None:
        replicas = rest.pop("replicas_per_node_group") or num_cache_clusters - 1
        make(group, num_cache_clusters=num_cache_clusters, replicas_per_node_group=replicas, **rest)

    return made


def install() -> None:
    """Before the service's first request: moto reads its routes then."""
    name = "_set_node_members_clusters_disabled"
    setattr(ReplicationGroup, name, _all_members(getattr(ReplicationGroup, name)))
    urls.url_paths["{0}/$"] = ElastiCacheOperations.dispatch
