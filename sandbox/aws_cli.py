"""The `aws` command of the sandbox's PATH: AWS' own, kept to the sandbox's endpoint."""

from __future__ import annotations

import shlex
import sysconfig
from pathlib import Path

from sandbox.files import write_atomically
from sandbox.home import Home

# Version 1 of the command replaces the endpoint of these services in us-east-1 by AWS' public one unless the option is
# given, whatever AWS_ENDPOINT_URL says: sqs, rds, emr, docdb, neptune (awscli/customizations/overridesslcommonname.py).
_SCRIPT = """#!/bin/sh
# Keeps every call to the sandbox's endpoint: for some services the option alone prevails over AWS' public address.
exec {aws} ${{AWS_ENDPOINT_URL:+--endpoint-url "$AWS_ENDPOINT_URL"}} "$@"
"""


def ensure_aws_command(home: Home) -> Path:
    """Writes the command if it is not there as it should be; returns the folder to put on PATH."""
    path = home.root / "bin" / "aws"
    script = _SCRIPT.format(aws=shlex.quote(str(Path(sysconfig.get_path("scripts")) / "aws"))).encode()
    if not path.exists() or path.read_bytes() != script:
        write_atomically(path, script, 0o755)
    return path.parent
