"""What moto's RDS lacks: giving parameters their defaults back, and a resource id for each instance.

https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ResetDBParameterGroup.html
"""

from __future__ import annotations

import functools
import string
from typing import Any

import moto.rds.urls as urls
from moto.core.responses import ActionResult
from moto.moto_api._internal import mock_random
from moto.rds.exceptions import DBParameterGroupNotFoundError, DBSubnetGroupNotFoundError
from moto.rds.models import DBInstance
from moto.rds.responses import RDSResponse


class RdsOperations(RDSResponse):
    """moto's operations and these."""

    def modify_db_subnet_group(self) -> ActionResult:
        name = self.params["DBSubnetGroupName"]
        group = self.backend.subnet_groups.get(name)
        if group is None:
            raise DBSubnetGroupNotFoundError(name)
        answer = super().modify_db_subnet_group()
        self.backend.subnet_groups[name] = group  # moto takes it out and does not put it back
        return answer

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
    _give_each_instance_an_id()


def _give_each_instance_an_id() -> None:
    """moto gives all instances the same resource id, by which two of them would be taken for one."""
    make = DBInstance.__init__

    @functools.wraps(make)
    def make_with_id(self: DBInstance, *args: Any, **options: Any) -> None:
        make(self, *args, **options)
        self.dbi_resource_id = "db-" + "".join(mock_random.choices(string.ascii_uppercase + string.digits, k=26))

    DBInstance.__init__ = make_with_id  # type: ignore[method-assign]
