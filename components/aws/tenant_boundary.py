"""The most that a tenant's role may ever be allowed."""

from __future__ import annotations

import pulumi
from pulumi_aws import iam

from components import tags
from components.aws import object_access
from components.contracts.tenant_boundary import TenantBoundaryArgs


class TenantBoundary(pulumi.ComponentResource):
    """A policy that tenants' roles carry as their permissions boundary: the objects of tenants, and their key.

    Each role's own policy allows one tenant's prefix of it. The boundary is for whoever makes the roles: the right to
    make a role and to write its policy is the right to do anything, unless each role has to carry this.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
    """

    reference: pulumi.Output[str]

    def __init__(self, name: str, args: TenantBoundaryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:aws:TenantBoundary", name, None, opts)
        policy = iam.Policy(
            f"{name}-policy",
            name=args.policy_name,
            description="The most that a role of a tenant may be allowed",
            policy=pulumi.Output.json_dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": object_access.statements(args.bucket, args.key, args.prefix),
                }
            ),
            tags=tags.aws(args.ownership, name=args.policy_name),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.reference = policy.arn
        self.register_outputs({"reference": self.reference})
