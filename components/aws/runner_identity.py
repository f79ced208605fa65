"""Who the runner is on AWS: its role, and the entry by which the role gets into the cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import pulumi
from pulumi_aws import eks

from components import tags
from components.aws.arn import arn, partition
from components.aws.workload_role import ANNOTATION, WorkloadRole, WorkloadRoleArgs
from components.contracts.runner_identity import RunnerIdentityArgs

Row = tuple[str, Sequence[str], Any, Mapping[str, Any] | None]
"""A statement that allows: its name, actions, resources and condition."""

# What the provider calls for the types of a tenant's stack, by what it takes. Which of them take a resource, a tag or a
# boundary: https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
_LOOK = (
    "elasticache:DescribeUsers", "elasticache:ListTagsForResource",
    "iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole",
    "iam:ListRolePolicies", "iam:ListRoleTags",
    "secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy", "secretsmanager:GetSecretValue",
    "secretsmanager:ListSecretVersionIds",
)  # fmt: skip
_MAKE = ("elasticache:CreateUser", "secretsmanager:CreateSecret")
_MARK = ("elasticache:AddTagsToResource", "iam:TagRole", "secretsmanager:TagResource")
_CHANGE = (
    "elasticache:DeleteUser", "elasticache:ModifyUser", "elasticache:RemoveTagsFromResource",
    "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole",
    "secretsmanager:DeleteSecret", "secretsmanager:PutSecretValue", "secretsmanager:UntagResource",
    "secretsmanager:UpdateSecret", "secretsmanager:UpdateSecretVersionStage",
)  # fmt: skip
_BOUND = ("iam:PutRolePermissionsBoundary", "iam:PutRolePolicy")


class RunnerIdentity(pulumi.ComponentResource):
    """A role that one service account can take, and its access entry.

    What it may do is what the stacks of its cell's tenants are made of:

    - users of the cache and their membership, tenants' roles, tenants' secrets: by the names that only this cell's
      tenants have, and what is there already by its marks too; it makes no role without the tenants' boundary, and
      passes none to a service
    - the ways into the cell's databases, and into its cache for who removes keys
    - tenants' objects: it lists and deletes them, and reads none
    - in the state, the stacks of the cell's tenants; of the platform's it reads the one that is the cell, so that it
      cannot have an operator's next update do what it may not
    - the key of the state's secrets

    In the cluster it belongs to one group, to which the cluster's own roles give rights. None of EKS' access policies
    but the cluster administrator's has namespaces and quotas (`components.kubernetes.runner_rights`).
    """

    service_account_annotations: pulumi.Output[Mapping[str, str]]
    environment: Mapping[str, str]

    def __init__(self, name: str, args: RunnerIdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:aws:RunnerIdentity", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        role = WorkloadRole(
            f"{name}-role",
            WorkloadRoleArgs(
                ownership=args.ownership,
                role_name=args.role_name,
                oidc_issuer=args.oidc_issuer,
                oidc_provider=args.oidc_provider,
                service_accounts=(args.service_account,),
                statements=[
                    _statement(*row) for row in (*_state(args), *_databases(args), *_objects(args), *_tenants(args))
                ],
            ),
            child,
        )
        entry = eks.AccessEntry(
            f"{name}-entry",
            cluster_name=args.cluster_name,
            principal_arn=role.arn,
            kubernetes_groups=[args.group],
            type="STANDARD",
            tags=tags.aws(args.ownership, name=args.role_name),
            opts=child,
        )
        # Who runs under the account can log in: the entry is there by then.
        self.service_account_annotations = pulumi.Output.all(role.arn, entry.id).apply(
            lambda known: {ANNOTATION: str(known[0])}
        )
        # The region under both names: version 1 of the `aws` command reads the second one alone. Without it the SDKs
        # ask the machine's metadata service, which pods cannot reach.
        self.environment = {
            "AWS_DEFAULT_REGION": args.place.region,
            "AWS_REGION": args.place.region,
            "AWS_STS_REGIONAL_ENDPOINTS": "regional",
        }
        self.register_outputs({"service_account_annotations": self.service_account_annotations})


def _statement(sid: str, actions: Sequence[str], resources: Any, condition: Mapping[str, Any] | None) -> dict[str, Any]:
    allowed = {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resources}
    return allowed | ({"Condition": condition} if condition else {})


def _state(args: RunnerIdentityArgs) -> list[Row]:
    """Below the backend's address; where the engine keeps what: pkg/backend/diy of the engine."""
    address = urlsplit(args.backend)
    bucket = f"arn:{partition(args.place.region)}:s3:::{address.netloc}"
    folder = "/".join(part for part in (bucket, address.path.strip("/"), ".pulumi") if part)
    stacks = [f"{folder}/{kind}/{args.project}" for kind in ("stacks", "backups", "history")]
    stacks.append(f"{folder}/locks/organization/{args.project}")
    return [
        # Of the whole bucket: who may not list it is told that what is not there is forbidden, and the engine asks.
        ("ListState", ["s3:ListBucket"], bucket, None),
        ("ReadPlatform", ["s3:GetObject"], [f"{folder}/meta.yaml", f"{stacks[0]}/{args.cell}.json*"], None),
        (
            "KeepTenants",
            ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
            [f"{stack}/tenant.{args.cell}.*" for stack in stacks],
            None,
        ),
        # The last one for a bucket that is encrypted by the same key.
        ("Secrets", ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"], args.secrets_key, None),
    ]


def _databases(args: RunnerIdentityArgs) -> list[Row]:
    return [
        ("ReadDatabaseSecrets", ["secretsmanager:GetSecretValue"], list(args.database_secrets), None),
        (
            # Whichever key it is, for those secrets only: the encryption context is the secret's ARN.
            # https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
            "DecryptDatabaseSecrets",
            ["kms:Decrypt"],
            arn(args.place, "kms", "key/*"),
            {
                "StringEquals": {
                    "kms:EncryptionContext:SecretARN": list(args.database_secrets),
                    "kms:ViaService": f"secretsmanager.{args.place.region}.amazonaws.com",
                }
            },
        ),
    ]


def _objects(args: RunnerIdentityArgs) -> list[Row]:
    """What a deleted tenant leaves: all versions of its objects."""
    tenants = pulumi.Output.concat(args.bucket, "/", args.objects, "*")
    return [
        ("ListObjects", ["s3:ListBucketVersions"], args.bucket, {"StringLike": {"s3:prefix": f"{args.objects}*"}}),
        ("DeleteObjects", ["s3:DeleteObjectVersion"], tenants, None),
    ]


def _tenants(args: RunnerIdentityArgs) -> list[Row]:
    group = arn(args.place, "elasticache", "usergroup:")
    users = arn(args.place, "elasticache", f"user:{args.tenants.cache_user}*")
    roles = arn(args.place, "iam", f"role/{args.tenants.role}*", regional=False)
    secrets = arn(args.place, "secretsmanager", f"secret:{args.tenants.secret}*")
    all_of_them = [users, roles, secrets]
    # A tenant may have a cost centre of its own. The cell is in the names, and what an earlier release made has no mark
    # of it.
    marks = {key: value for key, value in tags.aws(args.ownership).items() if key not in ("cost-centre", "cell")}

    def marked(kind: str) -> dict[str, str]:
        return {f"aws:{kind}Tag/{key}": value for key, value in marks.items()}

    within = {"iam:PermissionsBoundary": args.boundary}
    return [
        ("Look", _LOOK, all_of_them, None),
        ("Make", _MAKE, [users, secrets], {"StringEquals": marked("Request")}),
        ("MakeRoles", ["iam:CreateRole"], roles, {"StringEquals": {**marked("Request"), **within}}),
        # Marks that are given with a thing's making are allowed by this; none may become another owner's.
        ("Mark", _MARK, all_of_them, {"StringEqualsIfExists": marked("Request")}),
        ("Change", _CHANGE, all_of_them, {"StringEquals": marked("Resource")}),
        ("Bound", _BOUND, roles, {"StringEquals": within}),
        (
            "Members",
            ["elasticache:DescribeUserGroups", "elasticache:ModifyUserGroup"],
            [pulumi.Output.concat(group, args.cache_user_group), users],
            None,
        ),
    ]
