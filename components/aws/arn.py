"""Amazon Resource Names, and the partition that each region lies in."""

from __future__ import annotations

from components.contracts.place import Place


def partition(region: str) -> str:
    """`aws`, `aws-cn` or `aws-us-gov`: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html"""
    for prefix, name in (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov")):
        if region.startswith(prefix):
            return name
    return "aws"


def arn(place: Place, service: str, resource: str, *, regional: bool = True) -> str:
    """The ARN of `resource` of a service in the account of `place`."""
    region = place.region if regional else ""
    return f"arn:{partition(place.region)}:{service}:{region}:{place.account}:{resource}"


def account_root(place: Place) -> str:
    """The principal that stands for the whole account."""
    return arn(place, "iam", "root", regional=False)


def managed_policy(place: Place, name: str) -> str:
    """The ARN of a policy that AWS maintains."""
    return f"arn:{partition(place.region)}:iam::aws:policy/{name}"
