"""How long the AWS endpoint's journal takes to replay: `python -m benchmarks.journal [--tenants N]`.

Each tenant is made and deleted by the eleven requests that its stack makes (a secret, a role, a cache user). Shown are
CPU seconds of the endpoint: a start with nothing, carrying the requests out, and a start that replays them all, as a
ratio to carrying them out.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from components.aws.policy_document import assumed_by
from tests.sandbox.aws_process import AwsProcess, data_home

_TRUST = assumed_by("eks.amazonaws.com")
_POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
)
_TAGS = [
    {"Key": key, "Value": "benchmark"} for key in ("product", "environment", "tenant", "cost-centre", "managed-by")
]


def tenant(aws: AwsProcess, name: str) -> None:
    """One, made and deleted."""
    iam, secrets, cache = aws.client("iam"), aws.client("secretsmanager"), aws.client("elasticache")
    secret = secrets.create_secret(Name=f"tenants/{name}/connections", Tags=_TAGS)["ARN"]
    iam.create_role(RoleName=f"t-{name}", AssumeRolePolicyDocument=_TRUST, Tags=_TAGS)
    iam.put_role_policy(RoleName=f"t-{name}", PolicyName="objects", PolicyDocument=_POLICY)
    user: dict[str, Any] = {"UserId": f"t-{name}", "UserName": f"t-{name}", "Engine": "redis"}
    cache.create_user(**user, AccessString="on ~* +@read", Passwords=["benchmark-only-benchmark"], Tags=_TAGS)
    cache.modify_user_group(UserGroupId="cell", UserIdsToAdd=[f"t-{name}"])
    secrets.put_secret_value(SecretId=secret, SecretString="benchmark")
    cache.modify_user_group(UserGroupId="cell", UserIdsToRemove=[f"t-{name}"])
    iam.delete_role_policy(RoleName=f"t-{name}", PolicyName="objects")
    iam.delete_role(RoleName=f"t-{name}")
    cache.delete_user(UserId=f"t-{name}")
    secrets.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)


def cpu(aws: AwsProcess) -> float:
    """Seconds of the endpoint since its start."""
    times = psutil.Process(aws.pid).cpu_times()
    return times.user + times.system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenants", type=int, default=300)
    tenants = parser.parse_args().tenants
    with TemporaryDirectory() as folder:
        home = data_home(Path(folder))
        journal = home.data / "aws" / "journal.jsonl"
        aws = AwsProcess(home)
        aws.start()
        aws.client("elasticache").create_user_group(UserGroupId="cell", Engine="redis", UserIds=["default"])
        tenant(aws, "first")  # what moto imports for it is not counted
        aws.stop()
        aws.start()
        nothing, before = cpu(aws), journal.stat().st_size
        for number in range(tenants):
            tenant(aws, f"{number:05}")
        live, size = cpu(aws) - nothing, journal.stat().st_size
        aws.stop()
        aws.start()
        replayed = cpu(aws)
        aws.stop()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {tenants} tenants made and deleted")
    print(f"journal: {(size - before) / tenants / 1024:.1f} KiB a tenant, {size / 2**20:.1f} MiB together")
    print(f"start with next to nothing        {nothing:6.1f} CPU s")
    print(f"carrying the requests out         {live:6.1f} CPU s")
    print(f"start that replays them           {replayed:6.1f} CPU s; replay {(replayed - nothing) / live:.2f}x of live")


if __name__ == "__main__":
    main()
