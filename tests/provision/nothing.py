"""An account in which nobody has made anything: `pytest tests/provision/nothing.py`."""

from __future__ import annotations

from tests.deploy.deployment import Deployment


def test_nothing_is_there_but_the_accounts_own_network(deployment: Deployment) -> None:
    ec2 = deployment.client("ec2")
    (vpc,) = ec2.describe_vpcs()["Vpcs"]
    assert vpc["IsDefault"]
    assert all(subnet["DefaultForAz"] for subnet in ec2.describe_subnets()["Subnets"])
    assert [group["GroupName"] for group in ec2.describe_security_groups()["SecurityGroups"]] == ["default"]
    (table,) = ec2.describe_route_tables()["RouteTables"]
    assert table["VpcId"] == vpc["VpcId"]
    running = [
        instance["InstanceId"]
        for reservation in ec2.describe_instances()["Reservations"]
        for instance in reservation["Instances"]
        if instance["State"]["Name"] != "terminated"
    ]
    own = {"vpcs", "subnets", "groups", "instances"}
    others = {kind: names for kind, names in deployment.resources().items() if kind not in own and names}
    assert (running, others) == ([], {})


def test_the_account_is_as_its_owners_should_have_it(deployment: Deployment) -> None:
    assert deployment.client("ec2").get_ebs_encryption_by_default()["EbsEncryptionByDefault"]
    policy = deployment.client("iam").get_account_password_policy()["PasswordPolicy"]
    assert (policy["MinimumPasswordLength"], policy["PasswordReusePrevention"]) == (14, 24)
