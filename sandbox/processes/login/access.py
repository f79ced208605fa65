"""EKS access entries: which Kubernetes user and groups an IAM principal is in a cluster.

https://docs.aws.amazon.com/eks/latest/userguide/access-entries.html. The entries are what stacks recorded: as on EKS,
an IAM principal without an entry is nobody, administrator of the account or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.processes.login.tokens import Caller
from sandbox.processes.nodes import ACCESS_POLICIES, access_group
from sandbox.providers.recorded import RecordedStore

ACCESS_ENTRY = "aws:eks/accessEntry:AccessEntry"
POLICY_ASSOCIATION = "aws:eks/accessPolicyAssociation:AccessPolicyAssociation"

_ADMINISTRATOR_POLICY = "AmazonEKSClusterAdminPolicy"
_ASSUMED_ROLE = re.compile(
    r"^arn:(?P<partition>[^:]+):sts::(?P<account>\d+):assumed-role/(?P<role>[^/]+)/(?P<session>.+)$"
)


class NoAccess(Exception):
    """The caller has no access entry in the cluster."""


@dataclass(frozen=True)
class KubernetesUser:
    """What a TokenReview answers."""

    username: str
    uid: str
    groups: tuple[str, ...]
    extra: Mapping[str, tuple[str, ...]]


class AccessEntries:
    """Reads the records anew for each login: a removed entry shuts the door at once."""

    def __init__(self, store: RecordedStore) -> None:
        self._store = store

    def user(self, caller: Caller, cluster: str) -> KubernetesUser:
        """Raises NoAccess."""
        canonical, session = canonical_arn(caller.arn)
        entry = next(
            (
                entry
                for entry in self._of(ACCESS_ENTRY, cluster)
                if without_path(str(entry["principalArn"])) == without_path(canonical)
            ),
            None,
        )
        if entry is None:
            raise NoAccess(f"{canonical} has no access entry in cluster {cluster}")
        groups = [str(group) for group in entry.get("kubernetesGroups") or ()]
        groups += self._policy_groups(canonical, cluster)
        template = str(entry.get("userName") or (caller.arn if session is None else _default_role_user(caller.arn)))
        return KubernetesUser(
            username=_filled(template, caller, session),
            uid=f"aws-iam-authenticator:{caller.account}:{caller.user_id}",
            groups=tuple(dict.fromkeys(groups)),
            extra={
                "accessKeyId": (caller.access_key_id,),
                "arn": (caller.arn,),
                "canonicalArn": (canonical,),
                "principalId": (caller.user_id.partition(":")[0],),
                "sessionName": (session or "",),
            },
        )

    def _policy_groups(self, principal: str, cluster: str) -> Iterator[str]:
        for association in self._of(POLICY_ASSOCIATION, cluster):
            if without_path(str(association["principalArn"])) != without_path(principal):
                continue
            policy = str(association["policyArn"]).rpartition("/")[2]
            scope = association.get("accessScope") or {}
            if scope.get("type", "cluster") != "cluster":
                continue  # the sandbox has no per-namespace policies: they grant nothing rather than too much
            if policy == _ADMINISTRATOR_POLICY:
                yield "system:masters"
            elif policy in ACCESS_POLICIES:
                yield access_group(policy)

    def _of(self, type: str, cluster: str) -> Iterator[Mapping[str, Any]]:
        for record in self._store.list(type):
            properties = {**record.inputs, **record.outputs}
            if properties.get("clusterName") == cluster:
                yield properties


def canonical_arn(arn: str) -> tuple[str, str | None]:
    """The IAM ARN behind an STS one, and the session's name: an entry names the role, a session of it logs in."""
    match = _ASSUMED_ROLE.match(arn)
    if match is None:
        return arn, None
    return f"arn:{match['partition']}:iam::{match['account']}:role/{match['role']}", match["session"]


def without_path(arn: str) -> str:
    """A role's ARN without its path: an assumed role's ARN does not tell it."""
    head, separator, rest = arn.partition(":role/")
    return f"{head}{separator}{rest.rpartition('/')[2]}" if separator else arn


def _default_role_user(arn: str) -> str:
    return arn.rpartition("/")[0] + "/{{SessionName}}"


def _filled(template: str, caller: Caller, session: str | None) -> str:
    for name, value in (
        ("AccountID", caller.account),
        ("SessionName", (session or "").replace("@", "-")),
        ("SessionNameRaw", session or ""),
    ):
        template = template.replace("{{" + name + "}}", value)
    return template
