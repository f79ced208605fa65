"""An IAM role for Kubernetes service accounts (IRSA)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import iam

from components import tags
from components.aws.policy_document import policy_document
from components.tags import Ownership

AUDIENCE = "sts.amazonaws.com"
ANNOTATION = "eks.amazonaws.com/role-arn"
"""What a service account carries to be given a role."""


@dataclass(frozen=True)
class WorkloadRoleArgs:
    ownership: Ownership
    role_name: str
    oidc_issuer: pulumi.Input[str]
    oidc_provider: pulumi.Input[str]
    service_accounts: tuple[tuple[str, str], ...]
    """Pairs of namespace and service account: they and nobody else may take the role."""
    statements: Sequence[dict[str, Any]] = ()
    """What the role may do; values may be outputs."""
    managed_policies: tuple[str, ...] = ()
    """ARNs of policies that AWS maintains."""
    closed: bool = False
    """Nobody may take the role for now."""
    boundary: pulumi.Input[str | None] = None
    """ARN of the policy that is the most that the role may be allowed."""


class WorkloadRole(pulumi.ComponentResource):
    """A role whose trust names the exact service accounts and the audience of their tokens, and its one policy.

    https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html
    """

    arn: pulumi.Output[str]

    def __init__(self, name: str, args: WorkloadRoleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:aws:WorkloadRole", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        subjects = [f"system:serviceaccount:{namespace}:{account}" for namespace, account in args.service_accounts]
        role = iam.Role(
            f"{name}-role",
            name=args.role_name,
            assume_role_policy=pulumi.Output.json_dumps(
                pulumi.Output.all(args.oidc_issuer, args.oidc_provider).apply(
                    lambda known: trust(known[0], known[1], subjects, closed=args.closed)
                )
            ),
            max_session_duration=3600,
            permissions_boundary=args.boundary,
            tags=tags.aws(args.ownership, name=args.role_name),
            opts=child,
        )
        policies: list[pulumi.CustomResource] = [
            iam.RolePolicyAttachment(
                f"{name}-{policy.rsplit('/', 1)[-1]}", role=role.name, policy_arn=policy, opts=child
            )
            for policy in args.managed_policies
        ]
        if args.statements:
            policies.append(
                iam.RolePolicy(
                    f"{name}-policy",
                    role=role.id,
                    policy=policy_document(*args.statements),
                    opts=child,
                )
            )
        # Who takes the ARN waits for the policies as well.
        self.arn = pulumi.Output.all(role.arn, *[policy.id for policy in policies]).apply(lambda known: str(known[0]))
        self.register_outputs({"arn": self.arn})


def trust(issuer: str, provider: str, subjects: list[str], *, closed: bool = False) -> dict[str, Any]:
    """The trust policy: `StringEquals`, so that no subject can hold a wildcard. Closed, it lets nobody else in either:
    there is no other statement, and a trust policy must have one."""
    host = issuer.removeprefix("https://")
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny" if closed else "Allow",
                "Principal": {"Federated": provider},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {"StringEquals": {f"{host}:sub": subjects, f"{host}:aud": AUDIENCE}},
            }
        ],
    }
