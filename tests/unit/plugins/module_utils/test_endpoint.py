"""What has to change of an endpoint, and what is said where it can't."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.mlops.mlflow.plugins.module_utils.deployment import DeploymentError
from ansible_collections.mlops.mlflow.plugins.module_utils.endpoint import (
    modify_endpoint,
    plan,
    read_endpoint,
    settings_of,
)
from botocore.exceptions import ClientError, EndpointConnectionError

POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject"}]}
OPEN = {"Version": "2008-10-17", "Statement": [{"Effect": "Allow", "Action": "*"}]}
NOW = {"policy": POLICY, "route_table_ids": ["rtb-1", "rtb-2"]}


def test_what_is_described_is_read_however_it_is_laid_out() -> None:
    described = {"PolicyDocument": json.dumps(POLICY, indent=2), "RouteTableIds": ["rtb-2", "rtb-1"]}
    assert settings_of(described) == NOW
    assert settings_of({}) == {"policy": {}, "route_table_ids": []}


@pytest.mark.parametrize(
    ("now", "request_"),
    [
        ({}, {}),
        ({"policy": OPEN}, {"PolicyDocument": json.dumps(POLICY)}),
        ({"route_table_ids": ["rtb-1"]}, {"AddRouteTableIds": ["rtb-2"]}),
        ({"route_table_ids": ["rtb-1", "rtb-2", "rtb-3"]}, {"RemoveRouteTableIds": ["rtb-3"]}),
        ({"route_table_ids": ["rtb-3"]}, {"AddRouteTableIds": ["rtb-1", "rtb-2"], "RemoveRouteTableIds": ["rtb-3"]}),
    ],
)
def test_what_differs_is_asked_for_and_nothing_else(now: dict[str, Any], request_: dict[str, Any]) -> None:
    assert plan({**NOW, **now}, POLICY, ["rtb-2", "rtb-1"]) == request_


class Broken:
    """A client that answers everything with one error."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, operation: str) -> Any:
        def call(**_request: Any) -> Any:
            raise self._error

        return call


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "UnauthorizedOperation"}}, "ModifyVpcEndpoint"),
        EndpointConnectionError(endpoint_url="https://ec2"),
    ],
)
def test_a_failure_names_the_endpoint_and_what_was_attempted(error: Exception) -> None:
    with pytest.raises(DeploymentError, match="Reading the endpoint vpce-1 failed"):
        read_endpoint(Broken(error), "vpce-1")
    with pytest.raises(
        DeploymentError, match=r"Changing PolicyDocument of the endpoint vpce-1 failed.*grant ec2:Modify"
    ):
        modify_endpoint(Broken(error), "vpce-1", {"PolicyDocument": "{}"})
