"""What moto's EC2 forgets: the routes of a gateway endpoint whose route tables change, that a deletion ends, and that
a NAT gateway's address is free after it.

https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteNatGateway.html
"""

from __future__ import annotations

from contextlib import suppress

import moto.ec2.urls as urls
from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidAssociationIdError
from moto.ec2.responses import EC2Response


class Ec2Operations(EC2Response):
    """moto's operations; adding a route table to an endpoint makes the route, taking it away removes it."""

    def modify_vpc_endpoint(self) -> ActionResult:
        backend = self.ec2_backend
        (endpoint,) = backend.describe_vpc_endpoints([self._get_param("VpcEndpointId")])
        before = set(endpoint.route_table_ids or [])
        answer = super().modify_vpc_endpoint()
        after = set(endpoint.route_table_ids or [])
        if (endpoint.vpc_endpoint_type or "").lower() == "gateway":
            destination = endpoint.destination_prefix_list_id
            for table in sorted(after - before):
                backend.create_route(table, None, gateway_id=endpoint.id, destination_prefix_list_id=destination)
            for table in sorted(before - after):
                backend.delete_route(table, destination)
        return answer

    def delete_nat_gateway(self) -> ActionResult:
        gateway = self.ec2_backend.nat_gateways.get(self._get_param("NatGatewayId"))
        answer = super().delete_nat_gateway()
        for address in gateway.address_set if gateway else ():
            if association := address.get("associationId"):
                with suppress(InvalidAssociationIdError):  # it was free already: the deletion is asked for again
                    self.ec2_backend.disassociate_address(association_id=association)
        return answer

    def delete_vpc_endpoints(self) -> ActionResult:
        answer = super().delete_vpc_endpoints()
        for name in self._get_param("VpcEndpointIds", []):  # moto shows them as `deleted` for good
            self.ec2_backend.vpc_end_points.pop(name, None)
        return answer


def install() -> None:
    """Before the service's first request: moto reads its routes then."""
    urls.url_paths["{0}/"] = Ec2Operations.dispatch
