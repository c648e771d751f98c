"""gateway_endpoint at its boundary: arguments in, JSON out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
import yaml
from ansible_collections.mlops.mlflow.plugins.modules import gateway_endpoint
from ansible_collections.mlops.mlflow.tests.unit.support.aws_models import read_models_once
from ansible_collections.mlops.mlflow.tests.unit.support.documentation import (
    COMMON,
    documentable,
    specified,
    undocumented,
)
from ansible_collections.mlops.mlflow.tests.unit.support.module_run import ModuleRun
from moto import mock_aws

REGION = "eu-central-1"
KEY = {"access_key": "key", "secret_key": "hidden"}
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}]}

Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[dict[str, Any]]:
    """Make an endpoint as it is without a policy of its own, and a route table that doesn't lead to it yet."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        read_models_once(patch)
        ec2 = boto3.client("ec2", region_name=REGION, aws_access_key_id="key", aws_secret_access_key="hidden")
        vpc = ec2.create_vpc(CidrBlock="10.42.0.0/16")["Vpc"]["VpcId"]
        old, new = (ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"] for table in range(2))
        made = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=f"com.amazonaws.{REGION}.s3", RouteTableIds=[old])
        yield {"id": made["VpcEndpoint"]["VpcEndpointId"], "old": old, "new": new, "ec2": ec2}


@pytest.fixture(scope="module")
def change(run_module: ModuleRun, endpoint: dict[str, Any]) -> Run:
    """Run the module: the endpoint shall have the policy, and the new route table alone."""

    def run(*, check_mode: bool = False, **arguments: object) -> dict[str, Any]:
        wanted = {"endpoint_id": endpoint["id"], "route_table_ids": [endpoint["new"]], "policy": POLICY}
        return run_module(gateway_endpoint, {**wanted, "region": REGION, **KEY, **arguments}, check_mode=check_mode)

    return run


def described(endpoint: dict[str, Any]) -> dict[str, Any]:
    """Return what EC2 says of the endpoint."""
    found: dict[str, Any] = endpoint["ec2"].describe_vpc_endpoints(VpcEndpointIds=[endpoint["id"]])["VpcEndpoints"][0]
    return found


@pytest.fixture(scope="module")
def checked(change: Run, endpoint: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Run in check mode; return the result, and whether the endpoint stayed as it was."""
    before = described(endpoint)
    result = change(check_mode=True)
    return result, described(endpoint) == before


@pytest.fixture(scope="module")
def changed(checked: tuple[dict[str, Any], bool], change: Run) -> dict[str, Any]:
    """Run it after that."""
    assert checked
    return change()


def test_check_mode_says_the_same_and_changes_nothing(
    checked: tuple[dict[str, Any], bool], changed: dict[str, Any]
) -> None:
    result, untouched = checked
    assert untouched
    assert result == changed
    assert result["changed"] is True


def test_the_endpoint_becomes_what_is_wanted(changed: dict[str, Any], endpoint: dict[str, Any]) -> None:
    found = described(endpoint)
    assert (yaml.safe_load(found["PolicyDocument"]), found["RouteTableIds"]) == (POLICY, [endpoint["new"]])
    assert changed["diff"]["before"]["route_table_ids"] == [endpoint["old"]]
    assert changed["diff"]["after"] == {"policy": POLICY, "route_table_ids": [endpoint["new"]]}


def test_a_second_run_changes_nothing(changed: dict[str, Any], change: Run) -> None:
    assert changed["request"]
    again = change()
    assert (again["changed"], again["request"]) == (False, {})
    assert again["diff"]["before"] == again["diff"]["after"]


def test_an_endpoint_that_is_not_there_is_named(change: Run) -> None:
    result = change(endpoint_id="vpce-00000000000000000")
    assert result["msg"].startswith("Reading the endpoint vpce-00000000000000000 failed")


def test_documented_results_are_the_modules_own(changed: dict[str, Any]) -> None:
    documented = yaml.safe_load(gateway_endpoint.RETURN)
    own = {key: value for key, value in changed.items() if key not in COMMON | {"diff"}}
    assert undocumented(documented, own) == []


def test_documented_options_are_the_modules_own() -> None:
    documented = yaml.safe_load(gateway_endpoint.DOCUMENTATION)["options"]
    assert specified(documented) == documentable(gateway_endpoint.ARGUMENTS)
