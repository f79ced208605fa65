"""Scaling a workload by its load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.autoscaling import v2

from components import tags
from components.tags import Ownership


@dataclass(frozen=True)
class Rate:
    """At most `pods`, or `percent` of the present pods, within `seconds`."""

    pods: int
    percent: int
    seconds: int


@dataclass(frozen=True)
class AutoscalingArgs:
    ownership: Ownership
    namespace: pulumi.Input[str]
    deployment: pulumi.Input[str]
    scaler_name: str
    minimum: int
    maximum: int
    cpu_percent: int = 70
    memory_percent: int | None = 80
    """Of what the pods request; None leaves memory out of account."""
    up: Rate = Rate(pods=4, percent=100, seconds=15)
    up_wait_seconds: int = 0
    down: Rate = Rate(pods=2, percent=50, seconds=60)
    down_wait_seconds: int = 300
    """Down only to the highest need within this time, so that a short lull does not cost pods that are needed again."""


class Autoscaling(pulumi.ComponentResource):
    """A HorizontalPodAutoscaler whose pace is written out in both directions: up fast (the larger of two steps), down
    slowly (the smaller). Nothing depends on the controller's defaults."""

    scaler: pulumi.Output[str]

    def __init__(self, name: str, args: AutoscalingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:kubernetes:Autoscaling", name, None, opts)
        targets = [("cpu", args.cpu_percent)]
        if args.memory_percent is not None:
            targets.append(("memory", args.memory_percent))
        scaler = v2.HorizontalPodAutoscaler(
            f"{name}-scaler",
            metadata={
                "name": args.scaler_name,
                "namespace": args.namespace,
                "labels": tags.kubernetes(args.ownership),
            },
            spec={
                "scale_target_ref": {"api_version": "apps/v1", "kind": "Deployment", "name": args.deployment},
                "min_replicas": args.minimum,
                "max_replicas": args.maximum,
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {
                            "name": resource,
                            "target": {"type": "Utilization", "average_utilization": percent},
                        },
                    }
                    for resource, percent in targets
                ],
                "behavior": {
                    "scale_up": _rules(args.up, args.up_wait_seconds, "Max"),
                    "scale_down": _rules(args.down, args.down_wait_seconds, "Min"),
                },
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.scaler = scaler.metadata.apply(_name)
        self.register_outputs({"scaler": self.scaler})


def _rules(rate: Rate, wait: int, select: str) -> v2.HPAScalingRulesArgsDict:
    return {
        "stabilization_window_seconds": wait,
        "select_policy": select,
        "policies": [
            {"type": "Percent", "value": rate.percent, "period_seconds": rate.seconds},
            {"type": "Pods", "value": rate.pods, "period_seconds": rate.seconds},
        ],
    }


def _name(metadata: Mapping[str, str]) -> str:
    return str(metadata["name"])
