"""What an environment needs before anything of it is built, so that no `up` finds out at its end."""

from __future__ import annotations

import os
import shutil

from errors import FreeholdError
from fleet.control_database import RDS_AUTHORITY
from fleet.environments import AUTHORITY, Environment
from fleet.targets import Target

_TOOLS = {
    "aws": "install the AWS command line interface: the login to the cluster is its `eks get-token`",
    "kubectl": "install it: `status` asks the cluster by it",
}


def require(environment: Environment) -> None:
    """Raises FreeholdError where its file names no control database, or, in the cloud, this machine lacks what opens
    its databases and its cluster. From outside the network, where neither is opened, nothing is lacking."""
    file = f"Pulumi.{environment.cell}.yaml"
    if not environment.config("control"):
        what = "freehold:control is not set: each cell needs a control database of its own, which holds its tenants"
        raise FreeholdError(what, where=file, mend="set it, as Pulumi.dev.yaml does")
    if environment.target is not Target.CLOUD or not environment.inside_network:
        return
    for name, mend in _TOOLS.items():
        if shutil.which(name, path=environment.engine.get("PATH", os.defpath)) is None:
            raise FreeholdError("it is not on PATH", where=name, mend=mend)
    if not (authority := environment.engine.get("PGSSLROOTCERT")):
        mend = f"download {RDS_AUTHORITY} to {AUTHORITY} in the checkout, or set PGSSLROOTCERT to where it is"
        raise FreeholdError("the databases could not be verified", where="PGSSLROOTCERT is not set", mend=mend)
    if not os.access(authority, os.R_OK):
        raise FreeholdError(
            f"{authority} cannot be read", where="PGSSLROOTCERT", mend=f"download {RDS_AUTHORITY} there"
        )
