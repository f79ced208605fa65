"""What moto's RDS lacks: giving parameters their defaults back.

https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ResetDBParameterGroup.html
"""

from __future__ import annotations

import moto.rds.urls as urls
from moto.core.responses import ActionResult
from moto.rds.exceptions import DBParameterGroupNotFoundError
from moto.rds.responses import RDSResponse


class RdsOperations(RDSResponse):
    """moto's operations and this."""

    def reset_db_parameter_group(self) -> ActionResult:
        name = self.params["DBParameterGroupName"]
        if name not in self.backend.db_parameter_groups:
            raise DBParameterGroupNotFoundError(name)
        parameters = self.backend.db_parameter_groups[name].parameters
        if self.params.get("ResetAllParameters"):
            parameters.clear()
        for parameter in self.params.get("Parameters", []):
            parameters.pop(parameter.original_dict()["ParameterName"], None)
        return ActionResult({"DBParameterGroupName": name})


def install() -> None:
    """Before the service's first request: moto reads its routes then."""
    urls.url_paths["{0}/$"] = RdsOperations.dispatch
