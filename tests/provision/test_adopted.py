"""A VPC that was there before, of subnets without public addresses: used as it is, and left as it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.deploy.deployment import ROOT, Deployment, Play, started

pytestmark = pytest.mark.deploy

ABSENT = str(ROOT / "molecule/provision/absent.yml")
VALUES = {
    "10.44.9.": "10.41.4.",
    "10.46.0.0/16": "10.47.0.0/16",
    "mlflow_env: molecule": "mlflow_env: adopted",
    "tracking_host_elastic_ip: true": "tracking_host_elastic_ip: false",
}
ZONES = ("eu-west-1a", "eu-west-1b")


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Start an account; remove it at the end."""
    folder = tmp_path_factory.mktemp("inventories") / "adopted"
    with started(ROOT / "molecule/provision/inventory", folder, VALUES) as made:
        yield made


@pytest.fixture(scope="module")
def vpc(deployment: Deployment) -> dict[str, Any]:
    """Have a VPC with two subnets for hosts and two for a database; return them as `network_existing` names them."""
    ec2 = deployment.client("ec2")
    vpc_id = ec2.create_vpc(CidrBlock="10.47.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc_id, CidrBlock=f"10.47.{number}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for number, zone in enumerate(2 * ZONES)
    ]
    return {"vpc_id": vpc_id, "public_subnet_ids": subnets[:2], "private_subnet_ids": subnets[2:]}


def provision(deployment: Deployment, existing: dict[str, Any], *arguments: str, **variables: object) -> Play:
    """Play the network's part."""
    extra = json.dumps({"network_existing": existing, **variables})
    return deployment.play("playbooks/provision.yml", "--tags", "network", "--extra-vars", extra, *arguments)


def network(deployment: Deployment) -> dict[str, Any]:
    """Return all that EC2 knows of the account's networks but security groups."""
    ec2 = deployment.client("ec2")
    kinds = ("vpcs", "subnets", "route_tables", "network_acls", "internet_gateways", "vpc_endpoints", "flow_logs")
    answers = {kind: getattr(ec2, f"describe_{kind}")() for kind in kinds}
    return {
        kind: {key: value for key, value in answer.items() if key != "ResponseMetadata"}
        for kind, answer in answers.items()
    }


def groups(deployment: Deployment) -> dict[str, str]:
    """Return the VPC of each security group that AWS didn't make by itself."""
    found = deployment.client("ec2").describe_security_groups()["SecurityGroups"]
    return {group["GroupName"]: group["VpcId"] for group in found if group["GroupName"] != "default"}


def test_what_is_not_there_is_named(deployment: Deployment, vpc: dict[str, Any]) -> None:
    before = network(deployment)
    play = provision(deployment, {**vpc, "public_subnet_ids": ["subnet-00000000"]})
    assert play.returncode != 0
    assert "has no subnet subnet-00000000" in play.one_line, play.output
    assert (network(deployment), groups(deployment)) == (before, {})


def test_subnets_of_one_zone_are_refused(deployment: Deployment, vpc: dict[str, Any]) -> None:
    one_zone = [vpc["public_subnet_ids"][0], vpc["private_subnet_ids"][0]]
    play = provision(deployment, {**vpc, "private_subnet_ids": one_zone})
    assert play.returncode != 0
    assert f"its private_subnet_ids are all in {ZONES[0]}" in play.one_line, play.output


def test_its_flow_logs_are_its_owners(deployment: Deployment, vpc: dict[str, Any]) -> None:
    play = provision(deployment, vpc, network_flow_log_destination="arn:aws:s3:::company-logs")
    assert play.returncode != 0
    assert "network_flow_log_destination is arn:aws:s3:::company-logs" in play.one_line, play.output


def test_security_groups_are_all_that_it_is_given(deployment: Deployment, vpc: dict[str, Any]) -> None:
    before = network(deployment)
    dry = provision(deployment, vpc, "--check")
    assert dry.returncode == 0, dry.output
    assert groups(deployment) == {}
    play = provision(deployment, vpc)
    assert play.returncode == 0, play.output
    names = [f"mlflow-adopted-{kind}" for kind in ("database", "tracking")]
    assert groups(deployment) == dict.fromkeys(names, vpc["vpc_id"])
    assert network(deployment) == before
    assert provision(deployment, vpc).changed == {"localhost": 0}


def test_another_one_cannot_take_its_place(deployment: Deployment, vpc: dict[str, Any]) -> None:
    assert groups(deployment)
    play = provision(deployment, {})
    assert play.returncode != 0
    assert f"the deployment lives in {vpc['vpc_id']}" in play.one_line, play.output


def test_it_outlives_the_deployment(deployment: Deployment, vpc: dict[str, Any]) -> None:
    before = network(deployment)
    play = deployment.play(ABSENT, "--extra-vars", json.dumps({"network_existing": vpc}))
    assert play.returncode == 0, play.output
    assert (network(deployment), groups(deployment)) == (before, {})
