"""How a person or a program logs in to the cluster."""

from __future__ import annotations

import json

import pulumi

from components.aws.cluster import Cluster
from tests.components import samples
from tests.components.recording import declare


def test_kubeconfig_holds_a_command_and_no_credential() -> None:
    def program() -> None:
        pulumi.export("kubeconfig", Cluster("cluster", samples.cluster()).kubeconfig)

    kubeconfig = json.loads(declare(program).exports["kubeconfig"])
    (user,) = kubeconfig["users"]
    assert list(user["user"]) == ["exec"]
    assert user["user"]["exec"]["command"] == "aws"
    assert user["user"]["exec"]["args"][:2] == ["eks", "get-token"]
    assert kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"] == "Q0E="
