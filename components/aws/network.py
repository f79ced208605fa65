"""The network of an environment on AWS."""

from __future__ import annotations

import pulumi
from pulumi_aws import ec2

from components import tags
from components.aws.flow_logs import FlowLogs, FlowLogsArgs
from components.aws.subnets import cut
from components.contracts.network import NetworkArgs


class Network(pulumi.ComponentResource):
    """A VPC with three subnets in each zone.

    - public: load balancers and NAT gateways; nothing in it gets a public address by itself
    - private: cluster nodes; the way out is a NAT gateway (one, or one for each zone)
    - data: databases and caches; no way out and none in from outside
    - the default security group, which nothing may use, without any rule
    - an S3 gateway endpoint, so that objects do not pay for NAT
    - flow logs of all traffic
    """

    network_id: pulumi.Output[str]
    public_subnet_ids: list[pulumi.Output[str]]
    private_subnet_ids: list[pulumi.Output[str]]
    data_subnet_ids: list[pulumi.Output[str]]
    data_cidrs: list[str]

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:aws:Network", name, None, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        subnets = cut(args.cidr)
        vpc = ec2.Vpc(
            f"{name}-vpc",
            cidr_block=args.cidr,
            enable_dns_hostnames=True,
            enable_dns_support=True,
            tags=self._tags(args.network_name),
            opts=self._child,
        )
        self.network_id = vpc.id
        ec2.DefaultSecurityGroup(
            f"{name}-default",
            vpc_id=vpc.id,
            ingress=[],
            egress=[],
            tags=self._tags(f"{args.network_name}-unused"),
            opts=self._child,
        )
        # Zones are named by their last letter (us-east-1a: a), so that a resource keeps its name when a zone is added.
        letters = [zone[-1] for zone in args.zones]
        # The tags by which the AWS load balancer controller finds subnets:
        # https://docs.aws.amazon.com/eks/latest/userguide/network-load-balancing.html
        public = self._subnets("public", [s.public for s in subnets], {"kubernetes.io/role/elb": "1"})
        private = self._subnets("private", [s.private for s in subnets], {"kubernetes.io/role/internal-elb": "1"})
        data = self._subnets("data", [s.data for s in subnets], {})
        self.public_subnet_ids = [subnet.id for subnet in public]
        self.data_subnet_ids = [subnet.id for subnet in data]
        self.data_cidrs = [s.data for s in subnets]

        gateway = ec2.InternetGateway(
            f"{name}-gateway", vpc_id=vpc.id, tags=self._tags(args.network_name), opts=self._child
        )
        public_routes = self._route_table("public")
        # A NAT gateway works only once its subnet has its way to the internet gateway:
        # https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-working-with.html
        outward: list[pulumi.Resource] = [gateway, self._route("public", public_routes, gateway_id=gateway.id)]
        outward += [
            self._associate(f"public-{letter}", public_routes, subnet)
            for letter, subnet in zip(letters, public, strict=True)
        ]
        nats = {
            letter: self._nat(letter, subnet, outward)
            for letter, subnet in zip(letters, public, strict=True)
            if args.nat_per_zone or letter == letters[0]
        }
        tables = [public_routes]
        self.private_subnet_ids = []
        for letter, subnet in zip(letters, private, strict=True):
            table = self._route_table(f"private-{letter}")
            route = self._route(f"private-{letter}", table, nat_gateway_id=nats.get(letter, nats[letters[0]]).id)
            association = self._associate(f"private-{letter}", table, subnet)
            # Who takes the id finds the way out, without which nodes cannot join, and keeps it until it is gone itself.
            self.private_subnet_ids.append(
                pulumi.Output.all(subnet.id, route.id, association.id).apply(lambda known: str(known[0]))
            )
            tables.append(table)
        data_routes = self._route_table("data")
        for letter, subnet in zip(letters, data, strict=True):
            self._associate(f"data-{letter}", data_routes, subnet)

        ec2.VpcEndpoint(
            f"{name}-s3",
            vpc_id=vpc.id,
            service_name=f"com.amazonaws.{args.place.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[table.id for table in [*tables, data_routes]],
            tags=self._tags(f"{args.network_name}-s3"),
            opts=self._child,
        )
        FlowLogs(
            f"{name}-flow-logs",
            FlowLogsArgs(
                ownership=args.ownership,
                place=args.place,
                network_name=args.network_name,
                network_id=vpc.id,
                retention_days=args.log_retention_days,
            ),
            self._child,
        )
        self.register_outputs(
            {
                "network_id": self.network_id,
                "public_subnet_ids": self.public_subnet_ids,
                "private_subnet_ids": self.private_subnet_ids,
                "data_subnet_ids": self.data_subnet_ids,
            }
        )

    def _tags(self, name: str) -> dict[str, str]:
        return tags.aws(self._args.ownership, name=name)

    def _subnets(self, kind: str, cidrs: list[str], extra: dict[str, str]) -> list[ec2.Subnet]:
        return [
            ec2.Subnet(
                f"{self._name}-{kind}-{zone[-1]}",
                vpc_id=self.network_id,
                cidr_block=cidr,
                availability_zone=zone,
                map_public_ip_on_launch=False,
                tags=self._tags(f"{self._args.network_name}-{kind}-{zone[-1]}") | extra,
                opts=self._child,
            )
            for zone, cidr in zip(self._args.zones, cidrs, strict=True)
        ]

    def _nat(self, letter: str, subnet: ec2.Subnet, outward: list[pulumi.Resource]) -> ec2.NatGateway:
        name = f"{self._args.network_name}-nat-{letter}"
        address = ec2.Eip(f"{self._name}-nat-address-{letter}", domain="vpc", tags=self._tags(name), opts=self._child)
        return ec2.NatGateway(
            f"{self._name}-nat-{letter}",
            allocation_id=address.id,
            subnet_id=subnet.id,
            tags=self._tags(name),
            opts=pulumi.ResourceOptions(parent=self, depends_on=outward),
        )

    def _route_table(self, kind: str) -> ec2.RouteTable:
        name = f"{self._args.network_name}-{kind}"
        return ec2.RouteTable(
            f"{self._name}-routes-{kind}", vpc_id=self.network_id, tags=self._tags(name), opts=self._child
        )

    def _route(
        self,
        kind: str,
        table: ec2.RouteTable,
        *,
        gateway_id: pulumi.Output[str] | None = None,
        nat_gateway_id: pulumi.Output[str] | None = None,
    ) -> ec2.Route:
        return ec2.Route(
            f"{self._name}-way-out-{kind}",
            route_table_id=table.id,
            destination_cidr_block="0.0.0.0/0",
            gateway_id=gateway_id,
            nat_gateway_id=nat_gateway_id,
            opts=self._child,
        )

    def _associate(self, kind: str, table: ec2.RouteTable, subnet: ec2.Subnet) -> ec2.RouteTableAssociation:
        return ec2.RouteTableAssociation(
            f"{self._name}-routes-of-{kind}", route_table_id=table.id, subnet_id=subnet.id, opts=self._child
        )
