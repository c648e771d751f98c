"""What the reconciler reads from the API's memory, and what it tells it."""

from __future__ import annotations

import pytest

from sandbox.bodies import Database, Host, Phase
from sandbox.corrections import correct_all
from sandbox.moto_state import MotoState, overview

from .conftest import Clients
from .test_corrections import DATABASE, describe_database, state_of

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE5uKWhQH5xZbd2ZmZyVTHZBGiBgnmb8NqnbWWF9dEcQ someone"


@pytest.fixture
def vpc(aws: Clients, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make a VPC with two subnets; return their ids."""
    correct_all(monkeypatch)
    ec2 = aws("ec2")
    vpc_id = ec2.create_vpc(CidrBlock="10.49.0.0/16")["Vpc"]["VpcId"]
    cidrs = ("10.49.0.0/24", "10.49.1.0/24")
    return [ec2.create_subnet(VpcId=vpc_id, CidrBlock=cidr)["Subnet"]["SubnetId"] for cidr in cidrs]


def test_an_instance_becomes_a_host(aws: Clients, vpc: list[str]) -> None:
    """With the address, the key and the release that the API was given."""
    ec2 = aws("ec2")
    ec2.import_key_pair(KeyName="key", PublicKeyMaterial=PUBLIC_KEY.encode())
    image = ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-amd64-*"]}])["Images"][0]["ImageId"]
    tags = [{"Key": "Name", "Value": "mlflow-test"}, {"Key": "mlflow_role", "Value": "tracking_host"}]
    instance_id = ec2.run_instances(
        ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.small", KeyName="key", SubnetId=vpc[0],
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )["Instances"][0]["InstanceId"]  # fmt: skip
    state = MotoState()
    desired = state.desired()
    host = desired.bodies[instance_id]
    assert isinstance(host, Host)
    assert (host.name, host.release, host.phase) == ("mlflow-test", "bookworm", Phase.STARTING)
    assert host.authorized_key == PUBLIC_KEY
    assert host.address.startswith("10.49.0.")
    assert host.hostname == "ip-" + host.address.replace(".", "-")
    assert desired.networks[host.network].cidr == "10.49.0.0/16"

    state.report(host, Phase.RUNNING)
    assert state_of(ec2, instance_id) == "running"
    ec2.reboot_instances(InstanceIds=[instance_id])
    assert state_of(ec2, instance_id) == "running"
    rebooting = state.desired().bodies[instance_id]
    assert rebooting.phase is Phase.REBOOTING
    state.report(rebooting, Phase.RUNNING)
    assert state.desired().bodies[instance_id].phase is Phase.RUNNING
    assert [entry["role"] for entry in overview()["instances"]] == ["tracking_host"]

    ec2.terminate_instances(InstanceIds=[instance_id])
    assert state.desired().bodies == {}


def test_word_that_comes_too_late_is_not_believed(aws: Clients, vpc: list[str]) -> None:
    """A stop asked for while the body was starting stays a stop."""
    ec2 = aws("ec2")
    image = ec2.describe_images()["Images"][0]["ImageId"]
    instance_id = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=vpc[0])["Instances"][0][
        "InstanceId"
    ]
    state = MotoState()
    starting = state.desired().bodies[instance_id]
    ec2.stop_instances(InstanceIds=[instance_id])
    state.report(starting, Phase.RUNNING)
    assert state_of(ec2, instance_id) == "stopping"


def test_a_database_becomes_one(aws: Clients, vpc: list[str]) -> None:
    """In its subnets, with an address that no instance gets, and TLS as its parameter group says."""
    rds, ec2 = aws("rds"), aws("ec2")
    rds.create_db_subnet_group(DBSubnetGroupName="group", DBSubnetGroupDescription="d", SubnetIds=vpc)
    rds.create_db_parameter_group(DBParameterGroupName="group", DBParameterGroupFamily="postgres16", Description="d")
    rds.create_db_instance(
        DBInstanceIdentifier="db", DBSubnetGroupName="group", DBParameterGroupName="group", **DATABASE
    )
    state = MotoState()
    database, again = (next(iter(state.desired().bodies.values())) for _ in range(2))
    assert isinstance(database, Database)
    assert database == again
    assert (database.username, database.password, database.tls_only) == ("mlflow_admin", "a-password", True)
    assert database.password not in repr(database)
    image = ec2.describe_images()["Images"][0]["ImageId"]
    instance = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=vpc[0])["Instances"][0]
    assert database.address.startswith("10.49.0.")
    assert instance["PrivateIpAddress"] != database.address

    state.report(database, Phase.RUNNING)
    assert describe_database(rds)["DBInstanceStatus"] == "available"
    rds.modify_db_parameter_group(
        DBParameterGroupName="group",
        Parameters=[{"ParameterName": "rds.force_ssl", "ParameterValue": "0", "ApplyMethod": "immediate"}],
    )
    rds.modify_db_instance(DBInstanceIdentifier="db", MasterUserPassword="another-password")
    changed = state.desired().bodies[database.id]
    assert isinstance(changed, Database)
    assert (changed.phase, changed.password, changed.tls_only) == (Phase.CONFIGURING, "another-password", False)

    rds.delete_db_instance(DBInstanceIdentifier="db", SkipFinalSnapshot=True)
    assert database.id not in state.desired().bodies
